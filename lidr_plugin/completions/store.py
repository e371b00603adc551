"""The completion store: every finished completion, found by the content of its request. The only SQL over completions."""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import orjson

from lidr_plugin import files
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
_UNREADABLE = (sqlite3.Error, ValueError)
"""What a damaged file raises; ValueError: bytes that are no UTF-8, also in SQLite's own message, or no JSON."""
_SMALLEST = 200
"""Bytes that a row takes at least, for its request and two keys: no file has more rows, whatever a damaged page says."""


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
        except _UNREADABLE as error:
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

    def _converted(self, error: sqlite3.Error | ValueError) -> StoreError:
        text = str(error) if isinstance(error, sqlite3.Error) else "malformed"
        if "full" in text or "disk I/O" in text:
            return StoreError(f"{self.path}: the disk is full", "free some space and start again; nothing is lost")
        if any(part in text for part in ("not a database", "malformed", "unsupported file")):
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
        except _UNREADABLE as error:
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
        except _UNREADABLE as error:
            raise self._converted(error) from None
        return added

    def entries(self) -> Iterator[Entry]:
        """Every completion, ordered by key."""
        for row in self._db.execute(f"SELECT {_COLUMNS}, request FROM completion ORDER BY key"):
            yield Entry(row[6].encode(), _completion(row))

    def salvaged(self) -> Iterator[Entry | int]:
        """Every completion that can be read, in the order in which they came; for one that cannot, the number of its row."""
        end = self._last_row() + 1
        for first in range(1, end, _ASKED_AT_ONCE):
            numbers = range(first, min(first + _ASKED_AT_ONCE, end))
            rows = self._rows(numbers)
            for number in numbers:
                found: Entry | int = number
                with contextlib.suppress(ValueError, TypeError):
                    if _is_sound(row := rows.get(number, ())):
                        found = Entry(row[6].encode(), _completion(row))
                yield found

    def _rows(self, numbers: range) -> dict[int, Sequence[Any]]:
        """Rows by number, those that cannot be read left out: where reading many together fails, each half is tried."""
        query = f"SELECT {_COLUMNS}, request, key, rowid FROM completion WHERE rowid BETWEEN ? AND ?"
        try:
            return {row[8]: row for row in self._db.execute(query, [numbers[0], numbers[-1]])}
        except (*_UNREADABLE, MemoryError):  # a damaged length may ask for any amount of memory
            half = len(numbers) // 2
            return {**self._rows(numbers[:half]), **self._rows(numbers[half:])} if half else {}

    def _last_row(self) -> int:
        """The highest row number: the table's last one, or the highest in its index as far as that can be read."""
        last = 0
        for query in ("SELECT max(rowid) FROM completion", "SELECT rowid FROM completion ORDER BY key"):
            with contextlib.suppress(*_UNREADABLE):
                for (number,) in self._db.execute(query):
                    last = max(last, number or 0)
        pages, size = (self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
        return int(min(last, pages * size // _SMALLEST))

    def verify(self) -> list[str]:
        """What is wrong with the file: SQLite's own check, and every row that is not as it was written."""
        try:
            damage = [str(row[0]) for row in self._db.execute("PRAGMA integrity_check") if row[0] != "ok"]
            lost = [number for number in self.salvaged() if isinstance(number, int)]
        except _UNREADABLE as error:
            return [str(self._converted(error))]
        return damage + [f"row {number}: it cannot be read, or its request does not have this key" for number in lost]


def _is_sound(row: Sequence[Any]) -> bool:
    """Whether a row of `_COLUMNS`, request, key and number is as it was written, as far as that can be told."""
    kinds = (str, str, int, int, int, str | None, str, bytes, int)
    return len(row) == len(kinds) and all(map(isinstance, row, kinds)) and key_of(row[6].encode()) == row[7]


def _completion(row: Sequence[Any]) -> Completion:
    """A row whose first columns are `_COLUMNS`."""
    tokens = tuple((token, value) for token, value in orjson.loads(row[5])) if row[5] else None
    return Completion(row[0], row[1], row[2], row[3], bool(row[4]), tokens)


class Exported(NamedTuple):
    """What became of an export.

    Attributes:
        written: completions in the file.
        lost: the numbers of the rows that cannot be read; further ones may be gone without a trace.
        damaged: whether the store is, be it in a place that holds no row.
    """

    written: int
    lost: list[int]
    damaged: bool


def export(store: Store, target: Path) -> Exported:
    """Writes all completions with their requests as JSON lines, ordered by key; of a damaged store what can be read."""
    lost: list[int] = []
    written = 0
    damaged = bool(store.verify())
    with files.replacing(target) as file:
        for entry in store.salvaged() if damaged else store.entries():
            if isinstance(entry, int):
                lost.append(entry)
            else:
                file.write(files.dump_line(entry_json(entry)))
                written += 1
    return Exported(written, lost, damaged)


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
                request = orjson.dumps(dict(item.pop("request")), option=orjson.OPT_SORT_KEYS)
                if tokens := item.pop("first_token", None):
                    item["first_token"] = tuple((token, value) for token, value in tokens)
                completion = Completion(**item)
                if not all(map(isinstance, completion, (str, str, int, int, bool))):
                    raise TypeError
                yield Entry(request, completion)
            except (KeyError, TypeError, ValueError, AttributeError):
                raise InputError(f"{path}:{number}: not a line of `lidr store export`") from None
