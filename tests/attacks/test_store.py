"""A completion store that is damaged, misused or pulled away

Promised: a row that is not as it was written, in any of its values, is named by `lidr store verify` and never built from: the
run ends with status 1, and says how to save the rest, after which the missing answers alone are asked for again. `export` saves
every row that is whole in a file with a damaged header, schema, index, tree or page, a wrong version number, cut off, or beside
a write-ahead log that is not its own; it replaces nothing but an earlier export. `import` takes a whole file or nothing of it.
Processes that open a new store at once do not collide. A store that is removed, replaced, locked or on a full or read-only disk
is named as that, and what was finished is kept.

Not promised: that a row of version 0.1 which was changed before version 0.2 first opened the store is found, for it had no
checksum; that a write-ahead log which was removed is missed; that whoever forges a row and its checksum is found out.
"""

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import orjson
import pytest

from lidr_plugin.completions import store_file
from lidr_plugin.completions.exchange import entry_json, export, read_entries, verify
from lidr_plugin.completions.requests import Chat, Completion, Message, Sampling, key_of, request_json
from lidr_plugin.completions.rows import Entry
from lidr_plugin.completions.salvage import Lost
from lidr_plugin.completions.store import Store
from lidr_plugin.errors import InputError, StoreError
from tests.conftest import Lidr, files_of, prompts, write_config, write_prompts
from tests.support.server import FakeServer, running

SAMPLING = Sampling(temperature=0.0, top_p=1.0, max_tokens=10, repetition_penalty=1.1, seed=42, thinking=False)
COUNT = 60


def entry(number: int) -> Entry:
    """Some rows fit into a page, some go on in several."""
    request = Chat("w", (Message("user", f"Question {number}.\n" * 40),), SAMPLING)
    tokens = (("A", -0.25), (" B", -1.5)) if number % 3 == 0 else None
    text = f"Antwort {number} ✓ " * (5 + 400 * (number % 4 == 0))
    return Entry(request_json(request), Completion(text, "stop", 3 + number, 2, number % 2 == 0, tokens))


ENTRIES = [entry(number) for number in range(COUNT)]
KEYS = [key_of(item.request) for item in ENTRIES]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "completions.sqlite"
    with Store(path) as store:
        for item in ENTRIES:
            store.put_many([item])
    return path


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    """A store of its own for the test, in its folder."""
    return Path(shutil.copy(whole, tmp_path / "completions.sqlite"))


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute(statement)
        db.commit()


CHANGES = {
    "text": "text = text || '.'",
    "text: one letter": "text = replace(text, 'Antwort', 'antwort')",
    "text: cut": "text = substr(text, 1, 9)",
    "text: empty": "text = ''",
    "text: bytes": "text = CAST(text AS BLOB)",
    "text: no UTF-8": "text = CAST(x'80ff' AS TEXT)",
    "text: another row's": "text = (SELECT text FROM completion WHERE rowid = 8)",
    "all but the key: another row's": "(text, finish_reason, prompt_tokens, completion_tokens, prefilled, first_token,"
    " request, checksum) = (SELECT text, finish_reason, prompt_tokens, completion_tokens, prefilled, first_token, request,"
    " checksum FROM completion WHERE rowid = 8)",
    "finish_reason": "finish_reason = 'length'",
    "prompt_tokens": "prompt_tokens = prompt_tokens + 1",
    "completion_tokens": "completion_tokens = -2",
    "completion_tokens: real": "completion_tokens = 2.5",
    "prefilled": "prefilled = 1 - prefilled",
    "first_token": "first_token = '[[\"B\",-0.25]]'",
    "first_token: none": "first_token = NULL",
    "first_token: no JSON": "first_token = '['",
    "request": "request = replace(request, 'Question', 'question')",
    "request: bytes": "request = zeroblob(9)",
    "checksum": "checksum = checksum + 1",
    "checksum: none": "checksum = NULL",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_value_is_found_and_not_built_from(change: str, path: Path) -> None:
    execute(path, f"UPDATE completion SET {CHANGES[change]} WHERE rowid = 7")
    assert [line for line in verify(path) if line.startswith("row 7: ")]
    with Store(path) as store:
        with pytest.raises(StoreError, match="damaged"):
            store.get_many(KEYS)
        assert len(store.get_many(KEYS[10:])) == COUNT - 10


def test_a_changed_key_is_found_and_its_answer_is_asked_for_again(path: Path) -> None:
    execute(path, "UPDATE completion SET key = zeroblob(32) WHERE rowid = 7")
    assert verify(path) == ["row 7: it cannot be read, or is not as it was written"]
    with Store(path) as store:
        assert len(store.get_many(KEYS)) == COUNT - 1


@pytest.mark.parametrize("position", [0.1, 0.35, 0.6, 0.85])
def test_a_byte_of_the_file_is_changed(position: float, path: Path) -> None:
    content = bytearray(path.read_bytes())
    at = content.index(b"Antwort", int(len(content) * position))
    content[at] ^= 0x20
    path.write_bytes(content)
    assert len(verify(path)) == 1
    with Store(path) as store, pytest.raises(StoreError, match="is not as it was written; nothing is built from it"):
        store.get_many(KEYS)


def test_a_run_stops_at_a_changed_answer_and_goes_on_after_the_remedy(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(6))
    server = FakeServer()
    with running(server) as url:
        config = write_config(tmp_path, engine__base_url=url)
        assert lidr("build-pairs", config).returncode == 0
        before, asked = files_of(tmp_path / "run"), len(server.asked)
        store = tmp_path / "run/completions.sqlite"
        execute(store, "UPDATE completion SET text = text || ' and more' WHERE rowid = 5")
        done = lidr("build-pairs", config)
        assert done.returncode == 1
        assert "row 5 is not as it was written; nothing is built from it" in done.stderr
        assert files_of(tmp_path / "run") == before
        assert len(server.asked) == asked
        assert lidr("store", "verify", tmp_path / "run").returncode == 1
        assert lidr("store", "export", tmp_path / "run", tmp_path / "saved.jsonl").returncode == 1
        store.rename(f"{store}.damaged")
        assert lidr("store", "import", store, tmp_path / "saved.jsonl").returncode == 0
        assert lidr("build-pairs", config).returncode == 0
    assert files_of(tmp_path / "run") == before
    assert len(server.asked) == asked + 1


def overwritten(path: Path, at: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content)


def with_a_foreign_log(path: Path) -> None:
    """The write-ahead log of another store, as a copy of a folder that went wrong may bring it along."""
    other = path.with_name("other.sqlite")
    store = Store(other)
    store.put_many([Entry(b'{"messages":[1],"weights":"x"}', Completion("other", "stop", 1, 1))])
    shutil.copy(f"{other}-wal", f"{path}-wal")
    store.close()


DAMAGE: dict[str, tuple[Callable[[Path], object], int]] = {
    "the header is zeros": (lambda path: overwritten(path, 0, bytes(100)), COUNT),
    "the header is noise": (lambda path: overwritten(path, 0, b"\xa5" * 100), COUNT),
    "the first page is zeros": (lambda path: overwritten(path, 0, bytes(4096)), COUNT),
    "the schema is noise": (lambda path: overwritten(path, 3000, b"\xa5" * 1096), COUNT),
    "the table's root is zeros": (lambda path: overwritten(path, 4096, bytes(4096)), COUNT),
    "the index's root is zeros": (lambda path: overwritten(path, 8192, bytes(4096)), COUNT),
    "the first three pages are zeros": (lambda path: overwritten(path, 0, bytes(3 * 4096)), COUNT),
    "the page size is wrong": (lambda path: overwritten(path, 16, b"\x10\x01"), COUNT),
    "the text's encoding is wrong": (lambda path: overwritten(path, 56, b"\0\0\0\x02"), COUNT),
    "the table is called otherwise": (
        lambda path: execute(path, "UPDATE sqlite_master SET name = 'x', tbl_name = 'x' WHERE name = 'completion'"),
        COUNT,
    ),
    "the index is gone": (lambda path: execute(path, "DELETE FROM sqlite_master WHERE type = 'index'"), COUNT),
    "version 0": (lambda path: execute(path, "PRAGMA user_version = 0"), COUNT),
    "version 1": (lambda path: execute(path, "PRAGMA user_version = 1"), COUNT),
    "version 99": (lambda path: execute(path, "PRAGMA user_version = 99"), COUNT),
    "version -7": (lambda path: execute(path, "PRAGMA user_version = -7"), COUNT),
    "cut in half": (lambda path: os.truncate(path, path.stat().st_size // 2), 15),
    "cut within a page": (lambda path: os.truncate(path, path.stat().st_size - 5000), COUNT - 5),
    "cut to a hundred bytes": (lambda path: os.truncate(path, 100), 0),
    "cut to nothing": (lambda path: os.truncate(path, 0), 0),
    "three pages of the middle are zeros": (lambda path: overwritten(path, 40 * 4096, bytes(3 * 4096)), COUNT - 12),
    "a log of noise": (lambda path: Path(f"{path}-wal").write_bytes(b"\x37\x7f\x06\x82" + b"\xa5" * 9000), COUNT),
    "another store's log": (with_a_foreign_log, COUNT),
}
HARMLESS = {"a log of noise"}


@pytest.mark.parametrize("damage", DAMAGE)
def test_of_any_damage_what_is_whole_is_exported(damage: str, path: Path, tmp_path: Path) -> None:
    spoil, least = DAMAGE[damage]
    spoil(path)
    exported = export(path, tmp_path / "saved.jsonl")
    saved = list(read_entries(tmp_path / "saved.jsonl"))
    assert len([item for item in saved if item in ENTRIES]) >= least
    assert len(saved) == exported.written
    assert bool(exported.damage) == (damage not in HARMLESS)


@pytest.mark.parametrize("damage", sorted({*DAMAGE} - HARMLESS - {"another store's log", "cut to nothing"}))
def test_no_damage_ends_a_reader_or_a_writer_otherwise_than_in_words(damage: str, path: Path) -> None:
    DAMAGE[damage][0](path)
    for read_only in (True, False):
        with suppress(StoreError), Store(path, read_only=read_only) as store:
            store.get_many(KEYS)
            len(store)
            assert all(entry in ENTRIES for entry in store.entries())


def test_the_rows_that_are_lost_are_numbered(path: Path, tmp_path: Path) -> None:
    content = bytearray(path.read_bytes())
    for number in (11, 29):
        at = content.index(f"Antwort {number} ".encode())
        content[at] ^= 1
    path.write_bytes(content)
    exported = export(path, tmp_path / "saved.jsonl")
    assert exported.lost == [Lost("completion", 12), Lost("completion", 30)]
    assert exported.written == COUNT - 2


def test_a_page_that_leads_in_a_circle_ends(path: Path, tmp_path: Path) -> None:
    """Each page as the beginning of an overflow chain that leads back to itself."""
    pages = path.stat().st_size // 4096
    for page in range(4, pages):
        overwritten(path, page * 4096, (page + 1).to_bytes(4))
    exported = export(path, tmp_path / "saved.jsonl")
    assert exported.written == (tmp_path / "saved.jsonl").read_bytes().count(b"\n")


def linked(target: Path, make: Callable[[Path], object]) -> Path:
    make(target)
    return target


FORBIDDEN: dict[str, Callable[[Path, Path], Path]] = {
    "the store": lambda path, folder: path,
    "a link to the store": lambda path, folder: linked(folder / "l.jsonl", lambda place: place.symlink_to(path)),
    "a hard link to the store": lambda path, folder: linked(folder / "l.jsonl", lambda place: place.hardlink_to(path)),
    "its write-ahead log": lambda path, folder: Path(f"{path}-wal"),
    "its shared memory": lambda path, folder: Path(f"{path}-shm"),
    "its journal": lambda path, folder: Path(f"{path}-journal"),
    "a text": lambda path, folder: linked(folder / "notes.txt", lambda place: place.write_text("mine\n")),
    "a dataset": lambda path, folder: linked(
        folder / "d.jsonl", lambda place: place.write_text('{"instruction": "x"}\n')
    ),
    "a configuration": lambda path, folder: linked(folder / "lidr.yaml", lambda place: place.write_text("a: 1\n")),
    "a link to a text": lambda path, folder: linked(
        folder / "l", lambda place: (place.with_name("n").write_text("mine\n"), place.symlink_to(place.with_name("n")))
    ),
    "a folder": lambda path, folder: linked(folder / "sub", lambda place: place.mkdir()),
    "a pipe that nobody reads": lambda path, folder: linked(folder / "pipe", os.mkfifo),
    "a link to itself": lambda path, folder: linked(folder / "loop", lambda place: place.symlink_to(place)),
    "a full device": lambda path, folder: Path("/dev/full"),
}


@pytest.mark.parametrize("target", FORBIDDEN)
def test_an_export_destroys_nothing(target: str, path: Path, tmp_path: Path, lidr: Lidr) -> None:
    place = FORBIDDEN[target](path, tmp_path)
    before = {file.name: (file.lstat().st_ino, file.lstat().st_mode) for file in tmp_path.iterdir()}
    content = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    done = lidr("store", "export", tmp_path, place)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("error: ")
    assert "bug" not in done.stderr
    assert {file.name: (file.lstat().st_ino, file.lstat().st_mode) for file in tmp_path.iterdir()} == before
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()} == content
    assert verify(path) == []


def test_an_export_follows_a_link_and_replaces_an_earlier_one(path: Path, tmp_path: Path, lidr: Lidr) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link.jsonl").symlink_to("there/saved.jsonl")
    for _ in range(2):
        assert lidr("store", "export", tmp_path, tmp_path / "link.jsonl").returncode == 0
        assert (tmp_path / "link.jsonl").is_symlink()
        assert len(list(read_entries(tmp_path / "there/saved.jsonl"))) == COUNT


def test_an_export_to_a_pipe_is_read_there(path: Path, tmp_path: Path, lidr: Lidr) -> None:
    os.mkfifo(tmp_path / "pipe")
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append((tmp_path / "pipe").read_bytes()), daemon=True)
    reader.start()
    while lidr("store", "export", tmp_path, tmp_path / "pipe").returncode:
        pass  # until the reader is there
    reader.join(20)
    assert found[0].count(b"\n") == COUNT
    assert (tmp_path / "pipe").is_fifo()


def test_an_export_to_a_device_leaves_the_device(path: Path, tmp_path: Path, lidr: Lidr) -> None:
    before = os.stat("/dev/null")
    assert lidr("store", "export", tmp_path, "/dev/null").returncode == 0
    after = os.stat("/dev/null")
    assert stat.S_ISCHR(after.st_mode)
    assert after.st_ino == before.st_ino


LINE = entry_json(ENTRIES[0])
BAD = {
    "no JSON": b"{",
    "a list": b"[1]",
    "a number": b"5",
    "null": b"null",
    "noise": b"\xff\xfe\0",
    "SQLite": b"SQLite format 3\0",
    "gzip": b"\x1f\x8b\x08\0",
    "deep": b"[" * 100_000,
    "a key too many": orjson.dumps({**LINE, "more": 1}),
    "a key too few": orjson.dumps({key: value for key, value in LINE.items() if key != "text"}),
    "lone surrogate": orjson.dumps(LINE).replace(b"Antwort", b"\\ud800", 1),
    "NaN": orjson.dumps(LINE).replace(b"-0.25", b"NaN"),
    "infinity": orjson.dumps(LINE).replace(b"-0.25", b"-1e999"),
    **{
        f"{key}: {value!r}": orjson.dumps({**LINE, key: value})
        for key, values in {
            "text": [None, 5, [], {}],
            "finish_reason": [None, 1, "", "STOP", "content_filter\x1b[31m", "x" * 100],
            "prompt_tokens": [True, None, "3", 3.0, -1, 2**63],
            "completion_tokens": [False, -5, 1.5, [1]],
            "prefilled": [1, 0, None, "true"],
            "request": [None, "x", [], {}, [["weights", "w"]], {"weights": "w"}, {"messages": [1]}],
            "first_token": [1, "ab", [1], [["a"]], [["a", "b"]], [[1, 2]], [["a", True]], {"a": 1}],
        }.items()
        for value in values
    },
    "tokens beyond 64 bits": orjson.dumps(LINE).replace(b'"prompt_tokens":3', b'"prompt_tokens":' + b"9" * 400),
    "another answer to a request of an earlier line": orjson.dumps({**LINE, "text": "other"}),
}


@pytest.mark.parametrize("bad", BAD)
def test_an_import_takes_a_whole_file_or_nothing(bad: str, tmp_path: Path, lidr: Lidr) -> None:
    good = [files_line(item) for item in ENTRIES[:3]]
    (tmp_path / "in.jsonl").write_bytes(b"\n".join([*good, BAD[bad], *good]) + b"\n")
    done = lidr("store", "import", tmp_path / "run", tmp_path / "in.jsonl")
    assert done.returncode == 2
    assert (
        f"in.jsonl:4: {'another answer' if bad.startswith('another') else 'not a line of `lidr store export`'}"
        in done.stderr
    )
    assert not (tmp_path / "run").exists()


def files_line(item: Entry) -> bytes:
    return orjson.dumps(entry_json(item))


def test_a_line_without_end_is_refused_before_it_fills_the_memory(
    tmp_path: Path, lidr: Lidr, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lidr_plugin.completions.exchange._LONGEST", 1000)
    (tmp_path / "in.jsonl").write_bytes(b" " * 5000)
    done = lidr("store", "import", tmp_path / "run", tmp_path / "in.jsonl")
    assert done.returncode == 2
    assert "in.jsonl:1: " in done.stderr


def test_an_import_keeps_what_is_there_and_says_so(path: Path, tmp_path: Path, lidr: Lidr) -> None:
    changed = ENTRIES[0]._replace(completion=ENTRIES[0].completion._replace(text="other"))
    (tmp_path / "in.jsonl").write_bytes(b"\n".join(map(files_line, [changed, ENTRIES[1], ENTRIES[1], entry(COUNT)])))
    done = lidr("store", "import", tmp_path, tmp_path / "in.jsonl")
    assert done.returncode == 0
    assert "1 completions added" in done.stdout
    assert "to 1 requests the store has another answer" in done.stderr
    with Store(path, read_only=True) as store:
        assert {item.request: item for item in store.entries()}[ENTRIES[0].request] == ENTRIES[0]


@pytest.mark.parametrize("source", ["folder", "/dev/full", "missing"])
def test_an_import_of_what_is_no_file_is_refused(source: str, tmp_path: Path, lidr: Lidr) -> None:
    (tmp_path / "folder").mkdir()
    done = lidr("store", "import", tmp_path / "run", source)
    assert done.returncode == 2
    assert not (tmp_path / "run").exists()


PLACES: dict[str, Callable[[Path], object]] = {
    "a folder": lambda place: place.mkdir(),
    "a pipe": os.mkfifo,
    "a device": lambda place: place.symlink_to("/dev/null"),
    "a link to itself": lambda place: place.symlink_to(place.name),
    "a text": lambda place: place.write_text("hello, this is no database at all " * 50),
    "another program's": lambda place: execute(place, "CREATE TABLE bookmark (id INTEGER PRIMARY KEY, url TEXT)"),
    "another program's, with a table of that name": lambda place: execute(
        place, "CREATE TABLE completion (id INTEGER)"
    ),
    "a newer lidr's": lambda place: (Store(place).close(), execute(place, "PRAGMA user_version = 99")),
}


@pytest.mark.parametrize("place", PLACES)
def test_what_is_no_store_stays_as_it_is(place: str, tmp_path: Path, lidr: Lidr) -> None:
    (tmp_path / "run").mkdir()
    PLACES[place](path := tmp_path / "run/completions.sqlite")
    content = path.read_bytes() if path.is_file() else None
    write_prompts(tmp_path, prompts(1))
    with running(server := FakeServer()) as url:
        config = write_config(tmp_path, engine__base_url=url)
        for command in (
            ["build-pairs", config],
            ["store", "verify", tmp_path / "run"],
            ["store", "import", path, path],
        ):
            done = lidr(*command)
            assert done.returncode in (1, 2)
            assert "completions.sqlite" in done.stderr
            assert "bug" not in done.stderr
    assert not server.asked
    assert content == (path.read_bytes() if path.is_file() else None)
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["completions.sqlite"]


def test_an_empty_file_becomes_a_store(tmp_path: Path, lidr: Lidr) -> None:
    path = tmp_path / "completions.sqlite"
    path.touch()
    assert "empty" in lidr("store", "verify", tmp_path).stderr
    with Store(path) as store:
        assert store.put_many(ENTRIES) == COUNT


def test_a_link_to_a_store_is_followed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/link.sqlite").symlink_to(path)
    with Store(tmp_path / "sub/link.sqlite") as store:
        store.put_many([entry(COUNT)])
    assert [file.name for file in (tmp_path / "sub").iterdir()] == ["link.sqlite"]
    with Store(path, read_only=True) as store:
        assert len(store) == COUNT + 1


@pytest.mark.parametrize("read_only", [True, False])
def test_nothing_is_left_beside_a_store(read_only: bool, path: Path, tmp_path: Path) -> None:
    with Store(path, read_only=read_only) as store:
        list(store.entries())
    assert list(tmp_path.iterdir()) == [path]


OPENING = """
import sys
from pathlib import Path
from lidr_plugin.completions.requests import Completion
from lidr_plugin.completions.rows import Entry
from lidr_plugin.completions.store import Store
print(flush=True)
sys.stdin.readline()
with Store(Path(sys.argv[1])) as store:
    for i in range(20):
        store.put_many([Entry(b'{"n":%d,"who":%s}' % (i, sys.argv[2].encode()), Completion("x", "stop", 1, 1))])
"""


@pytest.mark.parametrize("kind", ["new", "of version 0.1"])
def test_eight_processes_open_a_store_at_once(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    if kind == "of version 0.1":
        old_store(path, 2, 100)
    command = [sys.executable, "-c", OPENING, str(path)]
    pipe = subprocess.PIPE
    children = [subprocess.Popen([*command, str(n)], stdin=pipe, stdout=pipe, stderr=pipe, text=True) for n in range(8)]
    for child in children:
        assert child.stdout
        child.stdout.readline()
    for child in children:
        assert child.stdin
        child.stdin.write("\n")
        child.stdin.flush()
    assert [child.communicate()[1] for child in children] == [""] * 8
    with Store(path, read_only=True) as store:
        assert len(store) == 160 + (100 if kind == "of version 0.1" else 0)
        assert store.sealed
        assert store.verify() == []


def old_store(path: Path, version: int, count: int) -> None:
    """A store as version 0.1 left it; the first format has no `first_token`."""
    with closing(sqlite3.connect(path)) as db:
        for script in store_file._MIGRATIONS[:version]:
            db.execute(script)
        db.execute(f"PRAGMA user_version = {version}")
        for item in map(entry, range(count)):
            c = item.completion
            tokens = [orjson.dumps(c.first_token).decode() if c.first_token else None] * (version - 1)
            row = (key_of(item.request), *c[:4], c.prefilled, item.request.decode(), *tokens)
            db.execute(f"INSERT INTO completion VALUES ({', '.join('?' * len(row))})", row)
        db.commit()


@pytest.mark.parametrize("version", [1, 2])
def test_a_migration_that_is_killed_goes_on(version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.sqlite"
    old_store(path, version, COUNT)
    monkeypatch.setattr(store_file, "_SEALED_AT_ONCE", 10)
    transaction, begun = store_file.transaction, []

    def killed(db: sqlite3.Connection) -> object:
        begun.append(1)
        if len(begun) == 4:
            raise KeyboardInterrupt
        return transaction(db)

    with monkeypatch.context() as patched:
        patched.setattr(store_file, "transaction", killed)
        with pytest.raises(KeyboardInterrupt):
            Store(path)
    with Store(path, read_only=True) as store:
        assert not store.sealed
        assert len(list(store.entries())) == COUNT
        assert store.verify() == []
    with Store(path) as store:
        assert store.sealed
        assert len(store.get_many(KEYS)) == COUNT
    execute(path, "UPDATE completion SET prompt_tokens = 0 WHERE rowid = 50")
    assert verify(path) == ["row 50: it cannot be read, or is not as it was written"]


def test_a_store_of_version_0_1_is_verified_and_exported_as_it_is(tmp_path: Path, lidr: Lidr) -> None:
    old_store(tmp_path / "completions.sqlite", 2, COUNT)
    before = (tmp_path / "completions.sqlite").read_bytes()
    done = lidr("store", "verify", tmp_path)
    assert done.returncode == 0
    assert "without checksums" in done.stdout
    assert lidr("store", "export", tmp_path, tmp_path / "out.jsonl").returncode == 0
    assert sorted(read_entries(tmp_path / "out.jsonl")) == sorted(ENTRIES)
    assert (tmp_path / "completions.sqlite").read_bytes() == before


def moved(path: Path) -> None:
    path.rename(path.with_name("moved.sqlite"))


def replaced(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"something else")


@pytest.mark.parametrize("take", [Path.unlink, moved, replaced], ids=["removed", "moved", "replaced"])
@pytest.mark.parametrize("when", ["before a commit", "before the end"])
def test_a_store_that_is_taken_away_is_missed_and_what_was_finished_is_saved(
    take: Callable[[Path], object], when: str, path: Path, tmp_path: Path
) -> None:
    def work() -> None:
        with Store(path) as store:
            store.put_many([entry(COUNT)])
            take(path)
            if when == "before a commit":
                store.put_many([entry(COUNT + 1)])

    with pytest.raises(StoreError, match="removed, or replaced by another file, while lidr was at work"):
        work()
    (saved,) = tmp_path.glob("*.saved")
    with Store(saved, read_only=True) as store:
        assert len(store) == COUNT + 1 + (when == "before a commit")
        assert store.verify() == []


def test_the_whole_folder_is_removed(path: Path, tmp_path: Path) -> None:
    def work() -> None:
        with Store(Path(shutil.copytree(tmp_path, tmp_path / "sub")) / path.name) as store:
            shutil.rmtree(tmp_path / "sub")
            store.put_many([entry(COUNT)])

    with pytest.raises(StoreError, match=f"all {COUNT + 1} completions are in "):
        work()


def test_a_lock_that_is_removed_lets_nobody_in(tmp_path: Path, lidr: Lidr) -> None:
    from lidr_plugin.run_directory import RunDirectory

    (tmp_path / "in.jsonl").write_bytes(files_line(ENTRIES[0]))
    with RunDirectory(tmp_path / "run").locked():
        (tmp_path / "run/.lock").unlink()
        done = lidr("store", "import", tmp_path / "run", tmp_path / "in.jsonl")
        assert done.returncode == 1
        assert "another lidr is at work there" in done.stderr
    assert lidr("store", "import", tmp_path / "run", tmp_path / "in.jsonl").returncode == 0
    assert not (tmp_path / "run/.lock").exists()


@pytest.mark.parametrize("access", ["EXCLUSIVE", "IMMEDIATE"])
def test_a_store_that_another_program_holds_is_said_to_be_locked(
    access: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_file, "_PATIENCE", 0.05)

    def work() -> None:
        with Store(path) as store:
            store.put_many([entry(COUNT)])

    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(f"BEGIN {access}")
        with pytest.raises(StoreError, match="locked by another program"):
            work()
    work()


def test_the_disk_is_full_in_the_midst_of_a_commit(path: Path) -> None:
    with Store(path) as store:
        store._db.execute(f"PRAGMA max_page_count = {path.stat().st_size // 4096 + 3}")
        with pytest.raises(StoreError, match="the disk is full"):
            store.put_many([entry(number) for number in range(COUNT, COUNT + 50)])
        assert len(store) == COUNT
        store._db.execute("PRAGMA max_page_count = 1000000")
        assert store.put_many([entry(COUNT)]) == 1
    assert verify(path) == []


def test_a_killed_process_leaves_a_log_that_is_read(tmp_path: Path) -> None:
    code = OPENING.replace("with Store(Path(sys.argv[1])) as store:", "store = Store(Path(sys.argv[1]))\nif True:")
    command = [sys.executable, "-c", f"{code}\nimport os\nos._exit(9)", str(tmp_path / "s.sqlite"), "1"]
    subprocess.run(command, input="\n", text=True, stdout=subprocess.DEVNULL, check=False)
    assert (tmp_path / "s.sqlite-wal").stat().st_size
    for read_only in (True, False):
        with Store(tmp_path / "s.sqlite", read_only=read_only) as store:
            assert len(store) == 20
    shutil.copy(tmp_path / "s.sqlite", tmp_path / "t.sqlite")
    assert list(tmp_path.glob("*-wal")) == []


def test_a_damaged_file_and_its_log_are_read_together(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    store.put_many(ENTRIES[:30])
    store._db.execute("PRAGMA wal_checkpoint")
    store.put_many(ENTRIES[30:])
    for suffix in ("", "-wal"):
        shutil.copy(tmp_path / f"s.sqlite{suffix}", tmp_path / f"t.sqlite{suffix}")
    store.close()
    overwritten(tmp_path / "t.sqlite", 0, bytes(100))
    assert export(tmp_path / "t.sqlite", tmp_path / "saved.jsonl").written == COUNT


@pytest.fixture
def read_only_disk(tmp_path: Path, path: Path) -> Iterator[Path]:
    """The store's folder, mounted so that nothing can be written."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a folder")
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let root mount a file system")
    try:
        shutil.copy(path, folder / "completions.sqlite")
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_store_on_a_read_only_disk_is_read_and_its_writers_are_told(
    read_only_disk: Path, tmp_path: Path, lidr: Lidr
) -> None:
    assert lidr("store", "verify", read_only_disk).returncode == 0
    assert lidr("store", "export", read_only_disk, tmp_path / "out.jsonl").returncode == 0
    done = lidr("store", "import", read_only_disk, tmp_path / "out.jsonl")
    assert done.returncode == 1
    assert "Read-only" in done.stderr
    with pytest.raises(StoreError, match="its folder cannot be written"):
        Store(read_only_disk / "completions.sqlite")


@pytest.mark.parametrize(
    "completion",
    [
        Completion("\ud800", "stop", 1, 1),
        Completion("x", "stop", 2**70, 1),
        Completion(None, "stop", 1, 1),  # type: ignore[arg-type]
        Completion("x", None, 1, 1),  # type: ignore[arg-type]
    ],
)
def test_an_answer_that_cannot_be_stored_is_named(completion: Completion, tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        with pytest.raises(StoreError, match="an answer cannot be stored"):
            store.put_many([ENTRIES[0], Entry(ENTRIES[1].request, completion)])
        assert len(store) == 0


def test_an_import_from_version_0_1_finds_what_its_keys_were(path: Path, tmp_path: Path) -> None:
    line = json.loads(files_line(ENTRIES[0]))
    shuffled = {"text": line["text"], "request": dict(reversed(line["request"].items())), **line}
    (tmp_path / "in.jsonl").write_text(json.dumps(shuffled))
    (found,) = read_entries(tmp_path / "in.jsonl")
    assert key_of(found.request) == KEYS[0]


def test_an_unreadable_export_is_input_and_no_crash(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        list(read_entries(tmp_path / "none.jsonl"))
