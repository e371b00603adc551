"""The store: every finished completion and score, found by the content of its request."""

import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import NoReturn, Self

from lidr_plugin.completions import score_rows
from lidr_plugin.completions.requests import Completion, Scored
from lidr_plugin.completions.rows import COLUMNS, Entry, Row, completion_of, is_sound
from lidr_plugin.completions.salvage import Lost, lost_rows
from lidr_plugin.completions.score_rows import ScoreEntry, ScoreRow, score_entry
from lidr_plugin.completions.store_errors import remedy
from lidr_plugin.completions.store_file import FIRST, SCORED, SEALED, opened, told, transaction, version_of
from lidr_plugin.errors import StoreError

_ASKED_AT_ONCE = 500


def counted(completions: int, scores: int) -> str:
    """In words: "1,200 completions and 300 scores"."""
    return f"{completions:,} completions" + (f" and {scores:,} scores" if scores else "")


class Store:
    """Append-only SQLite file in write-ahead mode; what is committed survives `kill -9`.

    Args:
        path: the file; created if absent. None: a temporary one.
        read_only: refuses to create or to write, and leaves nothing beside the file; older formats are read as they are.

    Raises:
        InputError: there can be no store at that place.
        StoreError: the file is no store, damaged, or written by a newer lidr.
    """

    def __init__(self, path: Path | None, *, read_only: bool = False) -> None:
        self.path = path or Path("(temporary store)")
        self._db = opened(path, self.path, read_only=read_only)
        self._version = version_of(self._db, self.path)
        self._place = path.stat() if path and not read_only else None
        columns = [name if self._has(name) else f"NULL AS {name}" for name in COLUMNS]
        columns[6] = "CAST(request AS BLOB)"
        self._columns = ", ".join(columns)
        self._score_columns = ", ".join(score_rows.COLUMNS).replace("request", "CAST(request AS BLOB)")

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
        """How many completions there are."""
        return self._count("completion")

    @property
    def scores(self) -> int:
        """How many scores there are."""
        return self._count("score") if self._version == SCORED else 0

    @property
    def contents(self) -> str:
        """What there is, in words."""
        return counted(len(self), self.scores)

    @property
    def size(self) -> int:
        """Bytes of the file, what is not yet moved into it from the log included."""
        pages, size = (self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
        return int(pages * size)

    @property
    def sealed(self) -> bool:
        """Whether every row has a checksum, as since version 0.2."""
        return self._version >= SEALED

    def _count(self, table: str) -> int:
        with told(self.path):
            count: int = self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return count

    def _has(self, column: str) -> bool:
        return COLUMNS.index(column) < FIRST + self._version - 1

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
        with told(self.path):
            for start in range(0, len(keys), _ASKED_AT_ONCE):
                part = keys[start : start + _ASKED_AT_ONCE]
                marks = ",".join("?" * len(part))
                for row in self._db.execute(f"SELECT {self._columns} FROM completion WHERE key IN ({marks})", part):
                    if not is_sound(row, known.get(row[0]), sealed=sealed):
                        self._refuse("completion", row[0])
                    found[row[0]] = completion_of(row)
        return found

    def get_scores(self, keys: Sequence[bytes]) -> dict[bytes, Scored]:
        """The scores that are there, of those asked for. Raises as `get_many` does."""
        found: dict[bytes, Scored] = {}
        with told(self.path):
            for start in range(0, len(keys) if self._version == SCORED else 0, _ASKED_AT_ONCE):
                part = keys[start : start + _ASKED_AT_ONCE]
                marks = ",".join("?" * len(part))
                for row in self._db.execute(f"SELECT {self._score_columns} FROM score WHERE key IN ({marks})", part):
                    entry = score_entry(row)
                    if entry is None:
                        self._refuse("score", row[0])
                    found[row[0]] = entry.scored
        return found

    def _refuse(self, table: str, key: bytes) -> NoReturn:
        (number,) = self._db.execute(f"SELECT rowid FROM {table} WHERE key = ?", [key]).fetchone()
        lost = Lost(table, number)
        what = f"{self.path}: damaged: {lost.name} is not as it was written; nothing is built from it"
        raise StoreError(what, f"lidr store verify {self.path} names all such rows\n{remedy(self.path)}")

    def put_many(self, entries: Iterable[Entry | ScoreEntry]) -> int:
        """Adds completions and scores in one transaction and returns how many were new; what is there already stays.

        Raises:
            StoreError: they cannot be stored; or the file was removed, and then all is saved beside its place.
        """
        rest = iter(entries)
        with told(self.path):
            before = self._db.total_changes
            with transaction(self._db):
                while part := list(islice(rest, _ASKED_AT_ONCE)):
                    self._put(part)
            added = self._db.total_changes - before
        self._check_still_there()
        return added

    def _put(self, entries: Sequence[Entry | ScoreEntry]) -> None:
        # Not `INSERT OR IGNORE`, which would leave out a row that has no text, too.
        self._db.executemany(
            "INSERT INTO completion VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
            [Row.of(*entry).values() for entry in entries if isinstance(entry, Entry)],
        )
        self._db.executemany(
            "INSERT INTO score VALUES (?, ?, ?, ?, ?) ON CONFLICT (key, kind) DO NOTHING",
            [ScoreRow.of(entry).values() for entry in entries if isinstance(entry, ScoreEntry)],
        )

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
        raise StoreError(f"{what}; all {self.contents} are in {saved}", f"to go on: mv {saved} {self.path}")

    def entries(self) -> Iterator[Entry]:
        """Every completion, ordered by key. Raises `StoreError` where one cannot be read."""
        with told(self.path):
            for row in self._db.execute(f"SELECT {self._columns} FROM completion ORDER BY key"):
                yield Entry(row[6], completion_of(row))

    def score_entries(self) -> Iterator[ScoreEntry]:
        """Every score, ordered by key. Raises `StoreError` where one cannot be read."""
        if self._version < SCORED:
            return
        with told(self.path):
            for row in self._db.execute(f"SELECT {self._score_columns} FROM score ORDER BY key"):
                yield score_entry(row) or self._refuse("score", row[0])

    def verify(self) -> list[str]:
        """What is wrong with the file: SQLite's own check, and every row that is not as it was written.

        Raises:
            StoreError: SQLite cannot even look.
        """
        with told(self.path):
            faults = [str(row[0]) for row in self._db.execute("PRAGMA integrity_check") if row[0] != "ok"]
            if faults:
                return faults + lost_rows(self.path)
            rows = self._db.execute(f"SELECT {self._columns}, rowid FROM completion")
            lost = [Lost("completion", row[-1]) for row in rows if Row(*row[:-1]).entry(sealed=self.sealed) is None]
            if self._version == SCORED:
                scores = self._db.execute(f"SELECT {self._score_columns}, rowid FROM score")
                lost += [Lost("score", row[-1]) for row in scores if score_entry(row[:-1]) is None]
            return [str(row) for row in lost]
