"""The completion store: every finished completion, found by the content of its request. The only SQL over completions."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import orjson

from lidr_plugin.completions.requests import Completion, key_of
from lidr_plugin.errors import InputError, StoreError

_MIGRATIONS = (
    """
    CREATE TABLE completion (
        key BLOB PRIMARY KEY,
        text TEXT NOT NULL,
        finish_reason TEXT NOT NULL,
        prompt_tokens INTEGER NOT NULL,
        completion_tokens INTEGER NOT NULL,
        prefilled INTEGER NOT NULL,
        request TEXT NOT NULL
    );
    """,
    "ALTER TABLE completion ADD COLUMN first_token TEXT;",
)
"""Applied in order; `PRAGMA user_version` counts those that a file has had."""

_COLUMNS = "text, finish_reason, prompt_tokens, completion_tokens, prefilled, first_token"
_ASKED_AT_ONCE = 500


class Entry(NamedTuple):
    """A stored completion with the canonical JSON of its request."""

    request: bytes
    completion: Completion


class Store:
    """Append-only SQLite file in write-ahead mode; a committed completion survives `kill -9`.

    Args:
        path: the file; created if absent.
        read_only: refuses to create or to write.

    Raises:
        StoreError: the file is no store, damaged, or written by a newer lidr.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        if read_only and not path.exists():
            raise InputError(f"{path}: no completion store there")
        try:
            mode = "ro" if read_only else "rwc"
            self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None)
            self._db.execute("PRAGMA busy_timeout = 10000")
            if not read_only:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA cache_size = -64000")
            self._migrate(read_only)
        except sqlite3.Error as error:
            raise self._converted(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def __len__(self) -> int:
        count: int = self._db.execute("SELECT count(*) FROM completion").fetchone()[0]
        return count

    def _migrate(self, read_only: bool) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(_MIGRATIONS):
            raise StoreError(f"{self.path}: written by a newer lidr (format {version})", "upgrade lidr")
        if read_only and version < len(_MIGRATIONS):
            raise StoreError(f"{self.path}: an older format; `lidr build-pairs` brings it up to date")
        for number, script in enumerate(_MIGRATIONS[version:], version + 1):
            self._db.executescript(f"BEGIN; {script} PRAGMA user_version = {number}; COMMIT;")

    def _converted(self, error: sqlite3.Error) -> StoreError:
        text = str(error)
        if "full" in text or "disk I/O" in text:
            return StoreError(f"{self.path}: the disk is full", "free some space and start again; nothing is lost")
        if "not a database" in text or "malformed" in text:
            hint = "move the file away, or restore it; `lidr store export` may still read a part of it"
            return StoreError(f"{self.path}: not a completion store, or damaged ({text})", hint)
        return StoreError(f"{self.path}: {text}", "check that the folder exists and can be written")

    def get_many(self, keys: Sequence[bytes]) -> dict[bytes, Completion]:
        """The completions that are there, of those asked for."""
        found: dict[bytes, Completion] = {}
        try:
            for start in range(0, len(keys), _ASKED_AT_ONCE):
                part = keys[start : start + _ASKED_AT_ONCE]
                marks = ",".join("?" * len(part))
                for row in self._db.execute(f"SELECT {_COLUMNS}, key FROM completion WHERE key IN ({marks})", part):
                    found[row[6]] = _completion(row)
        except sqlite3.Error as error:
            raise self._converted(error) from None
        return found

    def put_many(self, entries: Iterator[Entry] | Sequence[Entry]) -> int:
        """Adds completions in one transaction and returns how many were new; what is there already stays."""
        rows = (
            (
                key_of(request),
                c.text,
                c.finish_reason,
                c.prompt_tokens,
                c.completion_tokens,
                c.prefilled,
                request.decode(),
                orjson.dumps(c.first_token).decode() if c.first_token else None,
            )
            for request, c in entries
        )
        try:
            self._db.execute("BEGIN IMMEDIATE")
            before = self._db.total_changes
            try:
                self._db.executemany("INSERT OR IGNORE INTO completion VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            added = self._db.total_changes - before
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._converted(error) from None
        return added

    def entries(self) -> Iterator[Entry]:
        """Every completion, ordered by key."""
        for row in self._db.execute(f"SELECT {_COLUMNS}, request FROM completion ORDER BY key"):
            yield Entry(row[6].encode(), _completion(row))

    def verify(self) -> list[str]:
        """What is wrong with the file: SQLite's own check, and every row whose key is not its request's."""
        try:
            damage = [str(row[0]) for row in self._db.execute("PRAGMA integrity_check") if row[0] != "ok"]
            wrong = [
                f"{key.hex()}: the request does not have this key"
                for key, request in self._db.execute("SELECT key, request FROM completion")
                if key_of(request.encode()) != key
            ]
        except sqlite3.Error as error:
            return [str(self._converted(error))]
        return damage + wrong


def _completion(row: Sequence[Any]) -> Completion:
    """A row whose first columns are `_COLUMNS`."""
    tokens = tuple((token, value) for token, value in orjson.loads(row[5])) if row[5] else None
    return Completion(row[0], row[1], row[2], row[3], bool(row[4]), tokens)


def entry_json(entry: Entry) -> dict[str, Any]:
    """An entry as one object of an exported JSONL file."""
    c = entry.completion
    further = {"first_token": c.first_token} if c.first_token else {}
    return {
        "request": orjson.loads(entry.request),
        "text": c.text,
        "finish_reason": c.finish_reason,
        "prompt_tokens": c.prompt_tokens,
        "completion_tokens": c.completion_tokens,
        "prefilled": c.prefilled,
        **further,
    }


def read_entries(path: Path) -> Iterator[Entry]:
    """The entries of an exported JSONL file.

    Raises:
        InputError: a line is not an exported completion.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                item = orjson.loads(line)
                request = orjson.dumps(item.pop("request"), option=orjson.OPT_SORT_KEYS)
                if tokens := item.pop("first_token", None):
                    item["first_token"] = tuple((token, value) for token, value in tokens)
                yield Entry(request, Completion(**item))
            except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
                raise InputError(f"{path}:{number}: not a line of `lidr store export`") from None
