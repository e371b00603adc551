"""Pairs, reasons and counts are the contract's, for every policy."""

import json
from pathlib import Path

import pytest

from tests.conftest import Lidr, files_of, prompts, rows_of, write_config, write_prompts
from tests.support import oracle
from tests.support.server import FakeServer, running

LANGUAGES = ["de", "es", "fr"]


@pytest.mark.parametrize("policy", ["one", "all", "last", "none"])
def test_pairs_reasons_and_counts_equal_the_definitions(policy: str, tmp_path: Path, lidr: Lidr) -> None:
    rows = prompts(150)
    write_prompts(tmp_path, rows)
    with running(FakeServer()) as url:
        config = write_config(tmp_path, engine__base_url=url, dominant_pairs=policy, filters__off_target=False)
        done = lidr("build-pairs", config)
    assert done.returncode == 0, done.stderr
    pairs, rejected = oracle.expected(rows, LANGUAGES, policy=policy, judge=oracle.judge)
    keys = ("id", "language", "chosen", "rejected")
    found = [{key: row[key] for key in keys} for row in rows_of(tmp_path / "run/data/demo.jsonl")]
    assert found == pairs
    reasons = rows_of(tmp_path / "run/rejected.jsonl")
    assert [{key: row[key] for key in ("id", "language", "reason")} for row in reasons] == rejected
    assert {row["reason"] for row in rejected} >= {"truncated", "empty", "repetition", "length_ratio"}
    report = json.loads((tmp_path / "run/report.json").read_text())
    for code in ["en", *LANGUAGES]:
        lost = sum(counts.get(code, 0) for counts in report["rejected"].values())
        assert report["candidates"][code] == report["pairs"][code] + lost
        assert report["pairs"][code] == sum(row["language"] == code for row in pairs)


def test_the_order_of_answers_the_concurrency_and_the_servers_do_not_matter(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(60))
    seen = []
    for number, (concurrency, servers, jitter) in enumerate([(1, 1, 0.0), (64, 1, 0.05), (64, 2, 0.08)]):
        with running(FakeServer(jitter=jitter)) as first, running(FakeServer(jitter=jitter / 2)) as second:
            config = write_config(
                tmp_path,
                engine__base_url=[first, second][:servers],
                engine__concurrency=concurrency,
                output_dir=str(tmp_path / f"run{number}"),
            )
            done = lidr("build-pairs", config)
        assert done.returncode == 0, done.stderr
        seen.append(files_of(tmp_path / f"run{number}"))
    assert seen[0] == seen[1] == seen[2]


def test_what_is_stored_is_not_asked_again_when_a_language_or_a_filter_changes(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(30))
    server = FakeServer()
    with running(server) as url:
        config = write_config(tmp_path, engine__base_url=url, languages=["de"])
        assert lidr("build-pairs", config).returncode == 0
        first = len(server.asked)
        assert lidr("build-pairs", config, "filters.length_ratio=[0.5, 2]").returncode == 0
        assert len(server.asked) == first
        assert lidr("build-pairs", config, "languages=[de, es]").returncode == 0
    asked = [json.dumps(body["messages"]) for body in server.asked]
    assert len(asked) > first
    assert len(asked) == len(set(asked))
