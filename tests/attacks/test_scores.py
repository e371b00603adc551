"""Scores that are damaged, impossible, or interrupted while they are asked for

Promised: what is no finite number, of another count than its kind has, or more likely than certain is refused with the row's
name and stored nowhere. A stored score that is not as it was written, in any of its values, is named by `lidr store verify` and
never built from; `export` saves every whole one, whatever leads to its page is broken, and numbers those that are lost. A line
of an import that is no score is named, and nothing is written. After `kill -9` while scores are asked for, the same command ends
with the same bytes and asks for no score twice.

Not promised: that a server which gives another model's numbers under the same name, in the right form, is found out.
"""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import lidr_plugin as lidr
from lidr_plugin.completions.exchange import export, read_entries, verify
from lidr_plugin.completions.requests import Completion, Kind, Message, Score, key_of, score_json
from lidr_plugin.completions.rows import Entry
from lidr_plugin.completions.salvage import Lost
from lidr_plugin.completions.score_rows import ScoreEntry
from lidr_plugin.completions.scores import scored
from lidr_plugin.completions.store import Store
from lidr_plugin.errors import InputError, RunError, StoreError
from tests.conftest import Lidr, files_of, prompts, write_config, write_prompts
from tests.support.child import until
from tests.support.fake import values
from tests.support.scoring import Better
from tests.support.server import FakeServer, running

KINDS: tuple[Kind, ...] = ("logprob", "reward", "embed")
COUNT = 60


def entry(number: int) -> ScoreEntry:
    """Some rows fit into a page, some go on in several."""
    text = f"Antwort {number} ✓ " * (5 + 400 * (number % 4 == 0))
    request = Score("w", KINDS[number % 3], (Message("user", f"Question {number}."),), text)
    return ScoreEntry(score_json(request), request.kind, scored(request.kind, values(request)))


ENTRIES = [entry(number) for number in range(COUNT)]
KEYS = [key_of(item.request) for item in ENTRIES]
TEXTS = [
    Entry(f'{{"messages":[{n}],"weights":"w"}}'.encode(), Completion(f"Text {n}", "stop", 1, 1)) for n in range(COUNT)
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with as many completions as scores."""
    with Store(tmp_path / "completions.sqlite") as store:
        for text, item in zip(TEXTS, ENTRIES, strict=True):
            store.put_many([text, item])
    return tmp_path / "completions.sqlite"


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(statement)
        db.commit()


CHANGES = {
    "a bit of a number": "vals = CAST(x'01' || substr(vals, 2) AS BLOB)",
    "half a number": "vals = substr(vals, 2)",
    "no number": "vals = x''",
    "text": "vals = CAST(vals AS TEXT)",
    "another row's": "vals = (SELECT vals FROM score WHERE rowid = 10)",
    "another kind": "kind = 'reward'",
    "no kind": "kind = 'charm'",
    "the request": "request = replace(request, 'Question', 'question')",
    "the request as bytes": "request = zeroblob(9)",
    "the checksum": "checksum = checksum + 1",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_score_is_found_and_not_built_from(change: str, path: Path, tmp_path: Path, lidr: Lidr) -> None:
    execute(path, f"UPDATE score SET {CHANGES[change]} WHERE rowid = 7")
    assert "score 7: it cannot be read, or is not as it was written" in verify(path)
    with Store(path) as store:
        with pytest.raises(StoreError, match="damaged"):
            store.get_scores(KEYS)
        assert len(store.get_scores(KEYS[10:])) == COUNT - 10
    done = lidr("store", "export", path, tmp_path / "saved.jsonl")
    assert done.returncode == 1
    assert f"{COUNT} completions and {COUNT - 1} scores could be read" in done.stderr
    assert "(scores 7)" in done.stderr


def test_a_score_that_is_no_number_is_not_built_from_even_under_its_right_checksum(path: Path) -> None:
    from lidr_plugin.completions.score_rows import ScoreRow

    bad = ScoreRow.of(ENTRIES[1]._replace(scored=lidr.Scored((float("nan"),))))
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE score SET vals = ?, checksum = ? WHERE rowid = 2", (bad.vals, bad.checksum))
        db.commit()
    assert verify(path) == ["score 2: it cannot be read, or is not as it was written"]


@pytest.mark.parametrize("page", [1, 2, 3, 4, 5])
def test_whatever_page_that_leads_to_others_is_gone_the_whole_rows_are_saved(
    page: int, path: Path, tmp_path: Path
) -> None:
    with path.open("r+b") as file:
        file.seek(4096 * (page - 1))
        file.write(bytes(4096))
    done = export(path, tmp_path / "saved.jsonl")
    assert (done.written, done.scores, done.lost) == (COUNT, COUNT, [])
    assert sorted(item.request for item in read_entries(tmp_path / "saved.jsonl")) == sorted(
        item.request for item in (*TEXTS, *ENTRIES)
    )


def test_lost_scores_and_lost_completions_are_numbered_apart(path: Path, tmp_path: Path) -> None:
    content = bytearray(path.read_bytes())
    for word in (b"Text 11", b"Antwort 22 "):
        content[content.index(word)] ^= 1
    path.write_bytes(content)
    done = export(path, tmp_path / "saved.jsonl")
    assert done.lost == [Lost("completion", 12), Lost("score", 23)]


LINE: dict[str, Any] = {"request": json.loads(score_json(Score("w", "reward", (), "x"))), "values": [1.0]}
LINES = {
    "no values": {"request": LINE["request"]},
    "values that are none": {**LINE, "values": "1.0"},
    "a text for a number": {**LINE, "values": ["1.0"]},
    "truth for a number": {**LINE, "values": [True]},
    "two rewards": {**LINE, "values": [1.0, 2.0]},
    "beyond any number": {**LINE, "values": [10**400]},
    "an unknown kind": {"request": {**LINE["request"], "kind": "charm"}, "values": [1.0]},
    "a kind that is a list": {"request": {**LINE["request"], "kind": ["reward"]}, "values": [1.0]},
    "a vector in another precision": {"request": {**LINE["request"], "kind": "embed"}, "values": [0.1]},
    "a vector beyond half precision": {"request": {**LINE["request"], "kind": "embed"}, "values": [1e9]},
    "something more": {**LINE, "text": "hello"},
    "weights that are none": {"request": {**LINE["request"], "weights": 3}, "values": [1.0]},
}


@pytest.mark.parametrize("name", LINES)
def test_a_line_that_is_no_score_is_named_and_nothing_is_written(name: str, tmp_path: Path, lidr: Lidr) -> None:
    (tmp_path / "in.jsonl").write_text(f"{json.dumps(LINE)}\n{json.dumps(LINES[name])}\n")
    done = lidr("store", "import", tmp_path / "run", tmp_path / "in.jsonl")
    assert done.returncode == 2
    assert "in.jsonl:2: not a line of `lidr store export`" in done.stderr
    assert not (tmp_path / "run").exists()


def test_two_different_scores_for_one_request_are_named(tmp_path: Path, lidr: Lidr) -> None:
    (tmp_path / "in.jsonl").write_text(f"{json.dumps(LINE)}\n{json.dumps({**LINE, 'values': [2.0]})}\n")
    done = lidr("store", "import", tmp_path / "run", tmp_path / "in.jsonl")
    assert done.returncode == 2
    assert "in.jsonl:2: another answer to a request that an earlier line has" in done.stderr


def test_a_backend_without_the_kind_is_told_before_anything_is_asked_or_written(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(2))
    server = FakeServer()
    with running(server) as url:
        config = lidr.load(write_config(tmp_path, engine__base_url=url))
        with pytest.raises(InputError, match="scorer: its engine gives no logprob scores") as caught:
            lidr.build_pairs(config, method=Better(config, "logprob"))
    assert "vllm" in str(caught.value)
    assert [*server.asked, *server.scored, *server.trials] == []
    assert not (tmp_path / "run").exists()


def test_a_server_whose_scores_are_no_numbers_ends_the_run_and_none_is_stored(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(4))
    server = FakeServer()
    server.score_script = lambda body: {"data": [{"data": [1e999]}]} if "boat" in str(body) else None
    with running(server) as url:
        config = lidr.load(write_config(tmp_path, engine__base_url=url, engine__max_retries=0))
        with pytest.raises(RunError):
            lidr.build_pairs(config, method=Better(config))
    with Store(tmp_path / "run/completions.sqlite") as store:
        assert store.scores == 0
        assert len(store) > 0


def child(folder: Path, config: Path) -> "subprocess.Popen[bytes]":
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.scoring", str(config)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def stored_texts(store: Path) -> set[str]:
    """The texts of all stored scores; the file may be in any state that kill -9 leaves."""
    if not store.exists():
        return set()
    with closing(sqlite3.connect(store)) as db:
        try:
            return {json.dumps(json.loads(row[0])["messages"]) for row in db.execute("SELECT request FROM score")}
        except sqlite3.OperationalError:
            return set()


def asked_texts(bodies: list[dict[str, Any]]) -> list[str]:
    return [
        json.dumps([{"content": m["content"], "role": m["role"]} for m in body["messages"][:-1]]) for body in bodies
    ]


def test_killed_while_scores_are_asked_for_it_ends_with_the_same_bytes_and_asks_for_none_twice(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(60))
    with running(FakeServer()) as url:
        calm = lidr.load(write_config(tmp_path, engine__base_url=url, output_dir=str(tmp_path / "calm")))
        report = lidr.build_pairs(calm, method=Better(calm)).report
    assert report["scores"] == {"generated": 240, "reused": 0, "failed": 0, "apart": 0}
    server, chance = FakeServer(delay=0.03, jitter=0.06), random.Random(7)
    store, config = tmp_path / "run/completions.sqlite", tmp_path / "lidr.yaml"
    with running(server) as url:
        write_config(tmp_path, engine__base_url=url, engine__concurrency=4)
        for _ in range(6):
            known, before = stored_texts(store), len(server.scored)
            process = child(tmp_path, config)
            until(lambda count=before + 7: len(server.scored) >= count, process)  # type: ignore[misc]
            time.sleep(chance.random() * 0.2)
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            assert process.returncode == -signal.SIGKILL, "it ended before it was killed: make the run longer"
            assert not known & set(asked_texts(server.scored[before:]))
        known, before = stored_texts(store), len(server.scored)
        assert known
        loaded = lidr.load(config)
        lidr.build_pairs(loaded, method=Better(loaded))
        last = asked_texts(server.scored[before:])
        assert not known & set(last)
        assert len(last) == len(set(last)) == 240 - len(known)
    assert files_of(tmp_path / "run") == files_of(tmp_path / "calm")
    assert verify(store) == []
