"""The store and its keys."""

import json
import shutil
import sqlite3
from collections.abc import Iterable
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lidr_plugin.completions.exchange import entry_json, export, read_entries, verify
from lidr_plugin.completions.requests import Chat, Completion, Message, Sampling, key_of, request_json
from lidr_plugin.completions.rows import Entry
from lidr_plugin.completions.store import Store
from lidr_plugin.completions.store_file import _MIGRATIONS
from lidr_plugin.errors import InputError, StoreError
from tests.conftest import Lidr

SAMPLING = Sampling(temperature=0.0, top_p=1.0, max_tokens=10, repetition_penalty=1.1, seed=42, thinking=False)
REQUEST = Chat("w", (Message("user", "hello"),), SAMPLING)
ANSWER = Completion("hi ✓", "stop", 3, 2, True)
VERDICT = Completion("A", "stop", 9, 1, first_token=(("A", -0.25), (" B", -1.5)))

CHANGES = {
    "weights": REQUEST._replace(weights="w2"),
    "messages: content": REQUEST._replace(messages=(Message("user", "hello "),)),
    "messages: role": REQUEST._replace(messages=(Message("system", "hello"),)),
    "messages: number": REQUEST._replace(messages=(Message("user", "hello"),) * 2),
    "prefill": REQUEST._replace(prefill="<"),
    "sample": REQUEST._replace(sample=1),
    "top_logprobs": REQUEST._replace(top_logprobs=20),
    "temperature": REQUEST._replace(sampling=replace(SAMPLING, temperature=0.1)),
    "top_p": REQUEST._replace(sampling=replace(SAMPLING, top_p=0.9)),
    "max_tokens": REQUEST._replace(sampling=replace(SAMPLING, max_tokens=11)),
    "repetition_penalty": REQUEST._replace(sampling=replace(SAMPLING, repetition_penalty=1.0)),
    "seed": REQUEST._replace(sampling=replace(SAMPLING, seed=1)),
    "thinking": REQUEST._replace(sampling=replace(SAMPLING, thinking=True)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_field_of_a_request_is_part_of_its_key(name: str) -> None:
    assert key_of(request_json(CHANGES[name])) != key_of(request_json(REQUEST))


def test_no_field_was_forgotten_above_and_the_row_is_left_out() -> None:
    named = {name.split(":")[0] for name in CHANGES}
    assert named == (set(Chat._fields) | {f.name for f in fields(Sampling)}) - {"sampling", "row"}
    assert request_json(REQUEST._replace(row="x")) == request_json(REQUEST)


def test_the_key_is_the_same_in_every_version() -> None:
    assert key_of(request_json(REQUEST)).hex() == "dacd44c770b04993c676524ca546f4139759e5f4a283f8d7ab643ff64d62375c"


def test_what_was_put_is_found_and_what_is_there_stays(tmp_path: Path) -> None:
    text = request_json(REQUEST)
    with Store(tmp_path / "s.sqlite") as store:
        assert store.put_many([Entry(text, ANSWER)]) == 1
        assert store.put_many([Entry(text, ANSWER._replace(text="other"))]) == 0
        assert store.get_many([key_of(text), b"x" * 32]) == {key_of(text): ANSWER}
        assert len(store) == 1
    assert verify(tmp_path / "s.sqlite") == []


def test_a_store_of_the_first_format_is_brought_up_to_date(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "s.sqlite")
    db.executescript(f"BEGIN; {_MIGRATIONS[0]} PRAGMA user_version = 1; COMMIT;")
    text = request_json(REQUEST)
    db.execute("INSERT INTO completion VALUES (?, 'hi ✓', 'stop', 3, 2, 1, ?)", (key_of(text), text.decode()))
    db.commit()
    db.close()
    with Store(tmp_path / "s.sqlite", read_only=True) as store:
        assert list(store.entries()) == [Entry(text, ANSWER)]
        assert not store.sealed
    with Store(tmp_path / "s.sqlite") as store:
        assert store.get_many([key_of(text)]) == {key_of(text): ANSWER}
        assert store.sealed


def test_a_changed_row_is_found_by_verify(tmp_path: Path, lidr: Lidr) -> None:
    path = tmp_path / "completions.sqlite"
    with Store(path) as store:
        store.put_many([Entry(request_json(REQUEST), ANSWER)])
    assert lidr("store", "verify", tmp_path).returncode == 0
    db = sqlite3.connect(path)
    db.execute("UPDATE completion SET request = replace(request, 'hello', 'hullo')")
    db.commit()
    db.close()
    done = lidr("store", "verify", tmp_path)
    assert done.returncode == 1
    assert "row 1: it cannot be read, or is not as it was written" in done.stderr


def test_export_and_import_give_the_same_store(tmp_path: Path, lidr: Lidr) -> None:
    with Store(tmp_path / "completions.sqlite") as store:
        store.put_many([Entry(request_json(request), ANSWER) for request in [REQUEST, *CHANGES.values()]])
        store.put_many([Entry(request_json(REQUEST._replace(top_logprobs=2)), VERDICT)])
        entries = list(store.entries())
    assert lidr("store", "export", tmp_path, tmp_path / "out.jsonl").returncode == 0
    assert list(read_entries(tmp_path / "out.jsonl")) == entries
    assert lidr("store", "import", tmp_path / "other", tmp_path / "out.jsonl").returncode == 0
    with Store(tmp_path / "other/completions.sqlite") as other:
        assert list(other.entries()) == entries
    assert entry_json(entries[0])["text"] == "hi ✓"


def test_what_is_no_store_or_of_a_newer_lidr_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.sqlite").write_text("hello, this is no database at all " * 50)
    with pytest.raises(StoreError, match="not a completion store"):
        Store(tmp_path / "text.sqlite")
    Store(tmp_path / "new.sqlite").close()
    db = sqlite3.connect(tmp_path / "new.sqlite")
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="newer lidr"):
        Store(tmp_path / "new.sqlite")
    with pytest.raises(InputError, match="no completion store"):
        Store(tmp_path / "none.sqlite", read_only=True)
    (tmp_path / "bad.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(InputError, match=r"bad.jsonl:1"):
        list(read_entries(tmp_path / "bad.jsonl"))


def requests(count: int) -> list[Chat]:
    """Different ones, each of several lines, as prompts are."""
    return [REQUEST._replace(messages=(Message("user", f"Question {i}.\n" * 40),)) for i in range(count)]


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """A store of some hundred completions, some shorter than a page and some longer than several."""
    path = tmp_path / "completions.sqlite"
    with Store(path) as store:
        for i, request in enumerate(requests(400)):
            store.put_many([Entry(request_json(request), ANSWER._replace(text=f"Answer {i}. " * (10 + 200 * (i % 5))))])
    return path


def overwrite(path: Path, pages: Iterable[int], content: bytes) -> None:
    """Fills pages of a database file, counted from 0."""
    with path.open("r+b") as file:
        for page in pages:
            file.seek(4096 * page)
            file.write((content * 4096)[:4096])


DAMAGE = {
    "zeros": ({"pages": range(40, 60), "content": b"\0"}, 250),
    "garbage": ({"pages": range(100, 400, 7), "content": b"garbage \xff\xfe"}, 200),
    "a page of another place": ({"pages": range(50, 90, 3), "content": bytes(range(256))}, 200),
    "nearly everything": ({"pages": range(20, 10_000), "content": b"\x0d\0"}, 0),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_of_a_damaged_store_all_that_can_be_read_is_exported(
    kind: str, several: Path, tmp_path: Path, lidr: Lidr
) -> None:
    with Store(several, read_only=True) as store:
        whole = {entry.request: entry for entry in store.entries()}
    damage, least = DAMAGE[kind]
    pages = [page for page in damage["pages"] if page < several.stat().st_size // 4096]
    overwrite(several, pages, damage["content"])
    verified = lidr("store", "verify", tmp_path)
    assert verified.returncode == 1
    assert "lidr store export saves what can be read" in verified.stderr
    done = lidr("store", "export", tmp_path, tmp_path / "out.jsonl")
    assert done.returncode == 1
    saved = list(read_entries(tmp_path / "out.jsonl"))
    assert least <= len(saved) < len(whole)
    assert all(entry.request in whole for entry in saved)
    assert f"{len(saved)} completions could be read and are in {tmp_path / 'out.jsonl'}; " in done.stderr
    if kind != "nearly everything":  # then nobody knows how many there were
        assert f"{len(whole) - len(saved)} cannot be read (rows " in done.stderr
    assert lidr("store", "import", tmp_path / "new", tmp_path / "out.jsonl").returncode == 0


@given(page=st.integers(0, 10_000), at=st.integers(0, 4000), content=st.binary(min_size=1, max_size=96))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_whatever_is_damaged_verify_and_export_answer(
    page: int, at: int, content: bytes, several: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.sqlite"
    shutil.copy(several, copy)
    with copy.open("r+b") as file:
        file.seek(page % (several.stat().st_size // 4096) * 4096 + at)
        file.write(content)
    exported = export(copy, tmp_path / "out.jsonl")
    assert len(list(read_entries(tmp_path / "out.jsonl"))) == exported.written
    # What was overwritten is a page, and at most the rows that lie in it.
    assert exported.written >= (350 if exported.damage else 400)


def test_a_store_whose_very_plan_is_damaged_is_said_to_be(several: Path, tmp_path: Path, lidr: Lidr) -> None:
    several.write_bytes(several.read_bytes().replace(b"CREATE TABLE", b"CR\xa7ATE TABLE", 1))
    done = lidr("store", "verify", tmp_path)
    assert done.returncode == 1
    assert "not a completion store, or damaged" in done.stderr
    done = lidr("store", "export", tmp_path, tmp_path / "out.jsonl")
    assert done.returncode == 1
    assert "400 completions could be read" in done.stderr
    assert "none is lost" in done.stderr


def test_a_damaged_row_stops_a_run_with_a_message(several: Path) -> None:
    db = sqlite3.connect(several)
    db.execute("UPDATE completion SET first_token = '[' WHERE rowid = 7")
    db.commit()
    db.close()
    with Store(several) as store, pytest.raises(StoreError, match="damaged"):
        store.get_many([key_of(request_json(request)) for request in requests(10)])


@pytest.mark.parametrize(
    "changes",
    [
        {"text": None},
        {"text": 5},
        {"finish_reason": []},
        {"prompt_tokens": "3"},
        {"request": "x"},
        {"first_token": [1]},
    ],
)
def test_a_line_that_no_export_wrote_is_refused(changes: dict[str, object], tmp_path: Path) -> None:
    line = {**entry_json(Entry(request_json(REQUEST), ANSWER)), **changes}
    (tmp_path / "bad.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(InputError, match=r"bad.jsonl:1"):
        list(read_entries(tmp_path / "bad.jsonl"))
