"""`lidr build-pairs` from outside: formats, policies, tasks, files."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
import yaml

from tests.conftest import LANGUAGES, Lidr, files_of, prompts, rows_of, write_config, write_prompts
from tests.support.server import FakeServer, running


def build(
    lidr: Lidr, folder: Path, server: FakeServer | None = None, *overrides: str, **changes: Any
) -> dict[str, Any]:
    """Runs to the end against a fake server and returns the report."""
    with running(server or FakeServer()) as url:
        done = lidr("build-pairs", write_config(folder, engine__base_url=url, **changes), *overrides)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads((folder / "run/report.json").read_text())
    return report


def test_json_csv_and_parquet_give_what_jsonl_gives(tmp_path: Path, lidr: Lidr) -> None:
    rows = prompts(8)
    write_prompts(tmp_path, rows)
    build(lidr, tmp_path)
    wanted = files_of(tmp_path / "run")
    for code in LANGUAGES:
        items = [{"id": str(i), "instruction": row[code]} for i, row in enumerate(rows)]
        (tmp_path / f"prompts/{code}.json").write_text(json.dumps(items, indent=1))
        with (tmp_path / f"prompts/{code}.csv").open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.DictWriter(file, ["id", "instruction"])
            writer.writeheader()
            writer.writerows(items)
        pyarrow.parquet.write_table(pa.Table.from_pylist(items), tmp_path / f"prompts/{code}.parquet")
    for suffix in ("json", "csv", "parquet"):
        report = build(lidr, tmp_path, prompts="prompts/{language}." + suffix)
        assert report["completions"]["generated"] == 0, "every completion was in the store"
        assert files_of(tmp_path / "run") == wanted


def test_rows_join_by_place_and_columns_have_other_names(tmp_path: Path, lidr: Lidr) -> None:
    for code in ("en", "de"):
        lines = [json.dumps({"key": f"{code}{i}", "query": f"[{code}] number {i}", "more": "please"}) for i in range(5)]
        (tmp_path / f"{code}.jsonl").write_text("\ufeff" + "\n".join(lines))
    columns = {"id": "key", "instruction": "query", "input": "more"}
    report = build(
        lidr, tmp_path, prompts="{language}.jsonl", join_on="row", columns=columns, languages=["de"], max_prompts=4
    )
    assert report["prompts"] == 4
    pairs = rows_of(tmp_path / "run/data/demo.jsonl")
    assert {row["id"] for row in pairs} <= {f"en{i}" for i in range(4)}
    assert all(row["input"] == "please" for row in pairs)


def test_the_dataset_entry_is_merged_and_all_values_are_text(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(6))
    info = tmp_path / "run/data/dataset_info.json"
    info.parent.mkdir(parents=True)
    info.write_text(json.dumps({"mine": {"file_name": "mine.json"}, "demo": {"file_name": "old"}}))
    build(lidr, tmp_path, generation__system="Be kind.")
    entries = json.loads(info.read_text())
    assert entries["mine"] == {"file_name": "mine.json"}
    assert entries["demo"]["ranking"] is True
    assert entries["demo"]["columns"]["system"] == "system"
    for row in rows_of(tmp_path / "run/data/demo.jsonl"):
        assert all(isinstance(value, str) for value in row.values())
        assert row["system"] == "Be kind."
    recipe = yaml.safe_load((tmp_path / "run/train.yaml").read_text())
    assert (recipe["pref_loss"], recipe["pref_beta"], recipe["pref_ftx"]) == ("sigmoid", 0.1, 1.0)
    assert (recipe["learning_rate"], recipe["gradient_accumulation_steps"]) == (5e-6, 16)
    assert Path(recipe["dataset_dir"]).is_absolute()
    assert "German" in (tmp_path / "run/data/README.md").read_text()


def test_sources_say_where_each_text_began(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(12))
    build(lidr, tmp_path, dominant_pairs="all")
    for row in rows_of(tmp_path / "run/data/demo.jsonl"):
        sources = (row["chosen_source"], row["rejected_source"])
        if row["language"] == "en":
            assert sources[0] == "response:en"
            assert sources[1].startswith("translation:")
            assert sources[1].endswith("->en")
        else:
            assert sources == (f"translation:en->{row['language']}", f"response:{row['language']}")


@pytest.mark.parametrize("policy", ["drop", "untranslated", "ignore"])
def test_prompts_that_ask_for_a_translation(policy: str, tmp_path: Path, lidr: Lidr) -> None:
    rows = prompts(12)
    for number in (2, 5, 7, 8, 9, 10):
        for code in LANGUAGES:
            rows[number][code] = f"[{code}] Translate the sentence number {number} into Dutch."
    write_prompts(tmp_path, rows)
    report = build(lidr, tmp_path, translation_prompts=policy, filters__length_ratio=False)
    asked = {"2", "5", "7", "8", "9", "10"}
    pairs = [row for row in rows_of(tmp_path / "run/data/demo.jsonl") if row["id"] in asked and row["language"] != "en"]
    if policy == "drop":
        assert not pairs
        assert report["rejected"]["translation_prompt"]["de"] == 6
        assert sum(report["rejected"]["translation_prompt"].values()) == 36
    else:
        assert "translation_prompt" not in report["rejected"]
        kind = "response:en" if policy == "untranslated" else "translation:en->"
        assert pairs
        assert all(row["chosen_source"].startswith(kind) for row in pairs)


def test_a_file_of_ids_decides_which_prompts_ask_for_a_translation(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(6))
    (tmp_path / "ids.txt").write_bytes(b"1\r\n4 \n")
    build(lidr, tmp_path, translation_prompt_ids="ids.txt", dominant_pairs="none")
    dropped = {row["id"] for row in rows_of(tmp_path / "run/rejected.jsonl") if row["reason"] == "translation_prompt"}
    assert dropped == {"1", "4"}


def test_math_asks_in_the_prompts_language_and_that_prompt_is_the_instruction(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(30), final_answer="12")
    server = FakeServer()
    report = build(lidr, tmp_path, server, task="math", answer_filter="chosen_correct", max_prompts=30)
    assert report["rejected"]["answer"]
    sent = {body["messages"][0]["content"] for body in server.asked}
    build(lidr, tmp_path, task="math")
    pairs = rows_of(tmp_path / "run/data/demo.jsonl")
    assert any("in German" in row["instruction"] for row in pairs)
    assert all(row["instruction"] in sent and row["input"] == "" for row in pairs)


def test_prompts_in_the_dominant_language_alone_are_translated_first(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(20, ("en", "de")))
    report = build(lidr, tmp_path, translate_prompts=True, filters__off_target=False)
    pairs = [row for row in rows_of(tmp_path / "run/data/demo.jsonl") if row["language"] == "es"]
    assert pairs
    assert all("[en]" not in row["instruction"] and row["instruction"] for row in pairs)
    assert report["candidates"]["es"] == report["candidates"]["de"] == 20


def test_another_translator_gets_the_translations(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(5))
    main, other = FakeServer(), FakeServer(served="nllb")
    with running(other) as url:
        engine = {"backend": "openai", "base_url": url, "model": "nllb"}
        build(lidr, tmp_path, main, translation__engine=engine)
    assert all("<sentence>" in json.dumps(body) for body in other.asked)
    assert not any("<sentence>" in json.dumps(body) for body in main.asked)
    assert other.asked


def test_a_dry_run_shows_one_request_of_each_kind_and_sends_and_writes_nothing(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(5))
    server = FakeServer()
    with running(server) as url:
        done = lidr("build-pairs", write_config(tmp_path, engine__base_url=url), "--dry-run")
    assert done.returncode == 0, done.stderr
    for part in ("5 prompts", "at most 40 requests", "<sentence>", "<translated>", "boat number 0"):
        assert part in done.stdout
    assert not server.asked
    assert not (tmp_path / "run").exists()
    dead = lidr("build-pairs", write_config(tmp_path), "--dry-run")
    assert dead.returncode == 1
    assert "<sentence>" in dead.stdout
    assert "no server answers" in dead.stderr


def test_the_key_is_sent_and_written_nowhere(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(3))
    with running(FakeServer(faults={"400": 0.2})) as url:
        config = write_config(tmp_path, engine__base_url=url, engine__max_failures=99)
        done = lidr("build-pairs", config, env={"OPENAI_API_KEY": "sk-very-secret"})
    assert done.returncode == 0, done.stderr
    assert "sk-very-secret" not in done.stdout + done.stderr
    for path in (tmp_path / "run").rglob("*"):
        assert path.is_dir() or b"sk-very-secret" not in path.read_bytes()


def test_a_run_without_a_pair_says_so(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(3))
    with running(FakeServer()) as url:
        done = lidr("build-pairs", write_config(tmp_path, engine__base_url=url, filters__length_ratio=[99, 100]))
    assert done.returncode == 0
    assert "no pair was kept" in done.stderr


def test_the_most_requests_in_flight_are_as_configured(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(60))
    server = FakeServer(delay=0.02)
    build(lidr, tmp_path, server, engine__concurrency=7)
    assert server.most_in_flight == 7
