"""The file of a store: opened, brought to the newest format, and written to as one."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from lidr_plugin.completions import score_rows
from lidr_plugin.completions.rows import COLUMNS, sum_of
from lidr_plugin.completions.store_errors import ELSEWHERE, UnreadableError, check_place, damaged, in_words
from lidr_plugin.errors import InputError
from lidr_plugin.machine.mounts import is_network

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
SEALED = len(_MIGRATIONS) + 1
"""The version of a store in which every row has a checksum: rows of older ones get theirs in batches, as they are found."""
SCORED = SEALED + 1
"""The version of a store that has scores: the newest."""
# The kind is in the index too: by that an entry for a score is told from one for a completion in a page without its tree.
_SCORES = """
    CREATE TABLE score (
        key BLOB NOT NULL,
        kind TEXT NOT NULL,
        vals BLOB NOT NULL,
        request TEXT NOT NULL,
        checksum INTEGER NOT NULL,
        PRIMARY KEY (key, kind)
    );
    """

FIRST = 7
"""How many columns the first version had; each later one has one more, up to all."""
_SEALED_AT_ONCE = 2000
"""Rows in a transaction: a kill loses no more work, and their texts fit into memory, however long they are."""
_PATIENCE = 10.0
"""Seconds that another process may hold the file: many times what a commit takes."""


def opened(path: Path | None, name: Path, *, read_only: bool) -> sqlite3.Connection:
    """The file in the newest format, or, where it may only be read, as it is.

    Args:
        path: None: a temporary file.
        name: what messages call it.

    Raises:
        InputError: there can be no store at that place.
        StoreError: the file is no store, damaged, or written by a newer lidr.
    """
    if path:
        check_place(path)
        if read_only and not path.exists():
            raise InputError(f"{path}: no completion store there")
        _check_log(path)
    with told(name):
        db = sqlite3.connect(_address(path, read_only), uri=True, isolation_level=None)
        try:
            db.execute(f"PRAGMA busy_timeout = {int(1000 * _PATIENCE)}")
            db.execute("PRAGMA cache_size = -64000")
            if path and not read_only and is_network(path):
                # Before the first look: then the write-ahead log needs no memory shared with others, which no network has.
                db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("BEGIN")  # one look: another process may bring the file to a newer format between two
            version = version_of(db, name)  # before another program's file would be changed
            db.execute("COMMIT")
            if not read_only:
                _write_ahead(db)
                _migrate(db, name)
        except BaseException:
            db.close()
            raise
    if read_only and not version:
        db.close()
        raise UnreadableError(f"{name}: empty", "a run makes a store of it; if it was one, it has lost all")
    return db


def version_of(db: sqlite3.Connection, name: Path) -> int:
    """The version of the format; 0: nothing is there yet.

    Raises:
        StoreError: it is another program's file, a newer lidr's, or its version does not agree with what it holds.
    """
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    columns, scores = (
        [row[1] for row in db.execute(f"PRAGMA table_info({table})")] for table in ("completion", "score")
    )
    if not columns and not version and not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return 0
    if columns[:FIRST] != COLUMNS[:FIRST]:
        raise UnreadableError(f"{name}: not a completion store: a SQLite file of another program", ELSEWHERE)
    if version > SCORED:
        hint = "upgrade lidr; `lidr store export` may read it all the same"
        raise UnreadableError(f"{name}: written by a newer lidr (format {version})", hint)
    expected = score_rows.COLUMNS if version == SCORED else []
    if version < 1 or columns != COLUMNS[: FIRST + version - 1] or scores != expected:
        raise damaged(name, f"format {version} has other columns")
    return version


def _write_ahead(db: sqlite3.Connection) -> None:
    """Of several processes that open a new file at once one switches the mode; SQLite lets the others not wait for it."""
    until = time.monotonic() + _PATIENCE
    db.execute("PRAGMA synchronous = NORMAL")
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)


def _migrate(db: sqlite3.Connection, name: Path) -> None:
    """Brings the file to the newest format. Each look and its change are one transaction: others may begin at once."""
    with transaction(db):
        version = version_of(db, name)
        if version == SCORED:
            return
        for script in _MIGRATIONS[version:]:
            db.execute(script)
        if 0 < version < SEALED:
            db.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
        else:  # a new store has no rows that would want a checksum
            _add_scores(db)
            return
    _seal(db)
    with transaction(db):
        if version_of(db, name) < SCORED:
            _add_scores(db)


def _add_scores(db: sqlite3.Connection) -> None:
    db.execute(_SCORES)
    db.execute(f"PRAGMA user_version = {SCORED}")


def _seal(db: sqlite3.Connection) -> None:
    """Gives every row its checksum. Killed, it goes on where it was: what is done is committed."""
    last, columns = 0, ", ".join(COLUMNS).replace("request", "CAST(request AS BLOB)")
    query = f"SELECT rowid, {columns} FROM completion WHERE rowid > ? AND checksum IS NULL ORDER BY rowid LIMIT ?"
    while rows := db.execute(query, [last, _SEALED_AT_ONCE]).fetchall():
        sums = [(sum_of(row[1:]), row[0]) for row in rows]
        with transaction(db):
            db.executemany("UPDATE completion SET checksum = ? WHERE rowid = ?", sums)
        last = rows[-1][0]


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turns what SQLite raises into a `StoreError`."""
    try:
        yield
    except (sqlite3.Error, ValueError, OverflowError) as error:
        raise in_words(path, error) from None


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
    with told(path), closing(sqlite3.connect(_address(path, read_only=True), uri=True)) as db:
        pages, each = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    if size > pages * each:
        raise damaged(path, f"{path.name}-wal beside it is not its own")
