"""The completion store: every finished completion, found by the content of its request. The only SQL over completions."""

import os
import secrets
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NoReturn, Self

from lidr_plugin.completions.requests import Completion
from lidr_plugin.completions.rows import COLUMNS, Entry, Row, completion_of, is_sound, sum_of
from lidr_plugin.completions.salvage import lost_rows, unsound
from lidr_plugin.completions.store_errors import ELSEWHERE, UnreadableError, check_place, damaged, in_words, remedy
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
    "ALTER TABLE completion ADD COLUMN checksum INTEGER;",
)
"""Applied in order; `PRAGMA user_version` counts those that a file has had."""
_SEALED = len(_MIGRATIONS) + 1
"""The version of a store in which every row has a checksum: rows of older ones get theirs in batches, as they are found."""

_FIRST = 7
"""How many of them the first version had; each later one has one more, up to all."""
_ASKED_AT_ONCE = 500
_SEALED_AT_ONCE = 2000
"""Rows in a transaction: a kill loses no more work, and their texts fit into memory, however long they are."""
_PATIENCE = 10.0
"""Seconds that another process may hold the file: many times what a commit takes."""


class Store:
    """Append-only SQLite file in write-ahead mode; a committed completion survives `kill -9`.

    Args:
        path: the file; created if absent. None: a temporary one.
        read_only: refuses to create or to write, and leaves nothing beside the file; older formats are read as they are.

    Raises:
        InputError: there can be no store at that place.
        StoreError: the file is no store, damaged, or written by a newer lidr.
    """

    def __init__(self, path: Path | None, *, read_only: bool = False) -> None:
        self.path = path or Path("(temporary store)")
        if path:
            check_place(path)
            if read_only and not path.exists():
                raise InputError(f"{path}: no completion store there")
            _check_log(path)
        with _told(self.path):
            self._db = sqlite3.connect(_address(path, read_only), uri=True, isolation_level=None)
            try:
                self._db.execute(f"PRAGMA busy_timeout = {int(1000 * _PATIENCE)}")
                self._db.execute("PRAGMA cache_size = -64000")
                self._format()  # before another program's file would be changed
                if not read_only:
                    self._write_ahead()
                    self._migrate()
                self._version = self._format()
            except BaseException:
                self._db.close()
                raise
        if read_only and not self._version:
            raise UnreadableError(f"{self.path}: empty", "a run makes a store of it; if it was one, it has lost all")
        self._place = path.stat() if path and not read_only else None
        columns = [name if self._has(name) else f"NULL AS {name}" for name in COLUMNS]
        columns[6] = "CAST(request AS BLOB)"
        self._columns = ", ".join(columns)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._check_still_there()
        finally:
            self.close()

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def __len__(self) -> int:
        with _told(self.path):
            count: int = self._db.execute("SELECT count(*) FROM completion").fetchone()[0]
        return count

    @property
    def sealed(self) -> bool:
        """Whether every row has a checksum, as since version 0.2."""
        return self._version == _SEALED

    def _has(self, column: str) -> bool:
        return COLUMNS.index(column) < _FIRST + self._version - 1

    def _write_ahead(self) -> None:
        """Of several processes that open a new file at once one switches the mode; SQLite lets the others not wait for it."""
        until = time.monotonic() + _PATIENCE
        self._db.execute("PRAGMA synchronous = NORMAL")
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(0.01)

    def _format(self) -> int:
        """The version of the format; 0: nothing is there yet.

        Raises:
            StoreError: it is another program's file, a newer lidr's, or its version does not agree with what it holds.
        """
        version: int = self._db.execute("PRAGMA user_version").fetchone()[0]
        columns = [row[1] for row in self._db.execute("PRAGMA table_info(completion)")]
        if not columns and not version and not self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return 0
        if columns[:_FIRST] != COLUMNS[:_FIRST]:
            raise UnreadableError(f"{self.path}: not a completion store: a SQLite file of another program", ELSEWHERE)
        if version > _SEALED:
            hint = "upgrade lidr; `lidr store export` may read it all the same"
            raise UnreadableError(f"{self.path}: written by a newer lidr (format {version})", hint)
        if version < 1 or columns != COLUMNS[: _FIRST + version - 1]:
            raise damaged(self.path, f"format {version} has other columns")
        return version

    def _migrate(self) -> None:
        """Brings the file to the newest format. The look and the change are one transaction: others may begin at once."""
        with self._transaction():
            version = self._format()
            for script in _MIGRATIONS[version:]:
                self._db.execute(script)
            # A new store has no rows that would want a checksum.
            version = _SEALED if not version else max(version, len(_MIGRATIONS))
            self._db.execute(f"PRAGMA user_version = {version}")
        if version < _SEALED:
            self._seal()

    def _seal(self) -> None:
        """Gives every row its checksum. Killed, it goes on where it was: what is done is committed."""
        last, columns = 0, ", ".join(COLUMNS).replace("request", "CAST(request AS BLOB)")
        query = f"SELECT rowid, {columns} FROM completion WHERE rowid > ? AND checksum IS NULL ORDER BY rowid LIMIT ?"
        while rows := self._db.execute(query, [last, _SEALED_AT_ONCE]).fetchall():
            sums = [(sum_of(row[1:]), row[0]) for row in rows]
            with self._transaction():
                self._db.executemany("UPDATE completion SET checksum = ? WHERE rowid = ?", sums)
            last = rows[-1][0]
        self._db.execute(f"PRAGMA user_version = {_SEALED}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def get_many(self, keys: Sequence[bytes], requests: Mapping[bytes, bytes] | None = None) -> dict[bytes, Completion]:
        """The completions that are there, of those asked for.

        Args:
            keys: of their requests.
            requests: those requests by key, where the caller has them: to compare is quicker than to hash.

        Raises:
            StoreError: a row is not as it was written. It is not asked again: a disk that forgets should be known.
        """
        found: dict[bytes, Completion] = {}
        sealed, known = self.sealed, requests or {}
        with _told(self.path):
            for start in range(0, len(keys), _ASKED_AT_ONCE):
                part = keys[start : start + _ASKED_AT_ONCE]
                marks = ",".join("?" * len(part))
                for row in self._db.execute(f"SELECT {self._columns} FROM completion WHERE key IN ({marks})", part):
                    if not is_sound(row, known.get(row[0]), sealed=sealed):
                        self._refuse(row[0])
                    found[row[0]] = completion_of(row)
        return found

    def _refuse(self, key: bytes) -> NoReturn:
        (number,) = self._db.execute("SELECT rowid FROM completion WHERE key = ?", [key]).fetchone()
        what = f"{self.path}: damaged: row {number} is not as it was written; nothing is built from it"
        raise StoreError(what, f"lidr store verify {self.path} names all such rows\n{remedy(self.path)}")

    def put_many(self, entries: Iterator[Entry] | Sequence[Entry]) -> int:
        """Adds completions in one transaction and returns how many were new; what is there already stays.

        Raises:
            StoreError: they cannot be stored; or the file was removed, and then all is saved beside its place.
        """
        rows = (Row.of(*entry).values() for entry in entries)
        with _told(self.path):
            before = self._db.total_changes
            with self._transaction():
                self._db.executemany(
                    # Not `INSERT OR IGNORE`, which would leave out a row that has no text, too.
                    "INSERT INTO completion VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
                    rows,
                )
            added = self._db.total_changes - before
        self._check_still_there()
        return added

    def _check_still_there(self) -> None:
        """Whether the file is still at its place; what is written to one that was removed would be gone with this process."""
        if self._place is None:
            return
        with suppress(OSError):
            if os.path.samestat(self._place, self.path.stat()):
                return
        what = f"{self.path}: removed, or replaced by another file, while lidr was at work"
        saved = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}.saved")
        try:
            saved.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(saved)) as copy:
                self._db.backup(copy)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{what}; what was finished could not be saved: {error}", "begin again") from None
        finally:
            self._place = None  # said once
        raise StoreError(f"{what}; all {len(self):,} completions are in {saved}", f"to go on: mv {saved} {self.path}")

    def entries(self) -> Iterator[Entry]:
        """Every completion, ordered by key. Raises `StoreError` where one cannot be read."""
        with _told(self.path):
            for row in self._db.execute(f"SELECT {self._columns} FROM completion ORDER BY key"):
                yield Entry(row[6], completion_of(row))

    def verify(self) -> list[str]:
        """What is wrong with the file: SQLite's own check, and every row that is not as it was written.

        Raises:
            StoreError: SQLite cannot even look.
        """
        with _told(self.path):
            faults = [str(row[0]) for row in self._db.execute("PRAGMA integrity_check") if row[0] != "ok"]
            if faults:
                return faults + lost_rows(self.path)
            rows = self._db.execute(f"SELECT {self._columns}, rowid FROM completion")
            return [unsound(row[-1]) for row in rows if Row(*row[:-1]).entry(sealed=self.sealed) is None]


def _address(path: Path | None, read_only: bool) -> str:
    """A file as SQLite's URI.

    A reader of a store in write-ahead mode makes files beside it, and needs a folder in which it can, unless it is told that
    nobody changes the file; nobody does where a writer has left no such files.
    """
    if path is None:
        return ""
    real = path.resolve()
    at_rest = not any(Path(f"{real}{suffix}").exists() for suffix in ("-wal", "-shm"))
    mode = f"ro{'&immutable=1' if at_rest else ''}" if read_only else "rwc"
    return f"{real.as_uri()}?mode={mode}"


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turns what SQLite raises into a `StoreError`."""
    try:
        yield
    except (sqlite3.Error, ValueError, OverflowError) as error:
        raise in_words(path, error) from None


def _check_log(path: Path) -> None:
    """Refuses a write-ahead log that is another store's, or an older one of this, before it is written into the file.

    A store never grows smaller, so a log in which the file has fewer pages than it has is not its own.
    """
    real = path.resolve()
    if not Path(f"{real}-wal").exists():
        return
    size = (
        real.stat().st_size if real.exists() else 0
    )  # first: others may be at work, and the pages only grow in number
    with _told(path), closing(sqlite3.connect(_address(path, read_only=True), uri=True)) as db:
        pages, each = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    if size > pages * each:
        raise damaged(path, f"{path.name}-wal beside it is not its own")
