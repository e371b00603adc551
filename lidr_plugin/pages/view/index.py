"""The file that `lidr view` searches: an index in SQLite (FTS5) over a run's texts. The only SQL of the view.

The texts themselves stay in the run's files; the index knows where. It grows with a file that is being written, and is made
anew where one was replaced. It is a copy of what lies elsewhere: damaged or of another version, it is made again.
"""

import os
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from lidr_plugin.errors import RunError
from lidr_plugin.pages.view.found import Found, Hit, State, agrees, body_of, counts_of, facets_in, item_in, text_of
from lidr_plugin.pages.view.items import item_of
from lidr_plugin.pages.view.reading import Entry, ahead, entry_of
from lidr_plugin.pages.view.sources import Source, answers_of, line_at, sources_of
from lidr_plugin.pages.view.words import Term, expression
from lidr_plugin.run_directory import RunDirectory

_VERSION = 2
_AT_ONCE = 5000
"""Rows in one statement, and so in one part of the index of words. While it runs other threads do: only between two statements
is the interpreter's lock asked for. More would be more values than SQLite takes."""
_SCHEMA = """
CREATE TABLE source (inode INTEGER PRIMARY KEY, path TEXT, round INTEGER, size INTEGER, changed INTEGER, lines INTEGER,
    read INTEGER, unreadable INTEGER);
CREATE TABLE item (number INTEGER PRIMARY KEY, inode INTEGER, start INTEGER, body TEXT, texts TEXT, tally INTEGER);
CREATE TABLE tally (number INTEGER PRIMARY KEY, facets TEXT UNIQUE, items INTEGER);
CREATE VIRTUAL TABLE words USING fts5(prompt, first, second, facets, content='', columnsize=0,
    tokenize="unicode61 remove_diacritics 2 categories 'L* N* Co M*'");
-- To merge its parts takes as long as to make them, and a search in hundreds is still soon done.
INSERT INTO words(words, rank) VALUES ('automerge', 0), ('crisismerge', 500), ('hashsize', 67108864);
"""
_COUNTED = 20_000
"""Items found that are counted by facet: enough for an impression, few enough to wait for."""


class _Noted(NamedTuple):
    """A source as it was when it was read."""

    inode: int
    path: str
    round: int
    size: int
    changed: int
    lines: int


_NOTED = ", ".join(_Noted._fields)


class Index:
    """The index of a run, in its folder, or in a temporary one where that cannot be written. One thread's at a time.

    Raises:
        RunError: there is no room for it.
    """

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._elsewhere = None if os.access(run.path, os.W_OK) else tempfile.TemporaryDirectory(prefix="lidr-")
        self._path = Path(self._elsewhere.name) / run.view.name if self._elsewhere else run.view
        try:
            self._db = self._opened()
        except sqlite3.DatabaseError:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self._path}{suffix}").unlink(missing_ok=True)
            with self._told():
                self._db = self._opened()

    def _opened(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=20)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = OFF")  # after a crash of the machine it is made again
            db.execute("PRAGMA cache_size = -64000")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _VERSION):
                raise sqlite3.DatabaseError("of another version")
            if not version:
                db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT")
            db.execute("SELECT count(*) FROM tally, source").fetchone()
        except BaseException:
            db.close()
            raise
        return db

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise RunError(f"{self._path}: {error}", "free some space, or remove the file: it is made again") from None

    def close(self) -> None:
        """Closes the file; a temporary one is gone then."""
        self._db.close()
        if self._elsewhere:
            self._elsewhere.cleanup()

    # Reading a run

    def is_behind(self) -> bool:
        """Whether the run's files are other ones than those that were read."""
        return self._known() != {_noted(source) for source in sources_of(self._run)}

    def _known(self) -> set[_Noted]:
        return set(map(_Noted._make, self._db.execute(f"SELECT {_NOTED} FROM source")))

    def catch_up(self) -> Iterator[int]:
        """Reads what is new, and gives the number of items after each part that can be seen."""
        sources = sources_of(self._run)
        with self._told():
            if not self._grows(sources):
                self._clear()
            done = self._count()
            for source in [source for source in sources if source.lines]:
                for count in self._read_on(source):
                    done += count
                    yield done
            self._read_answers([source for source in sources if not source.lines])
            yield self._count()

    def _count(self) -> int:
        total: int = self._db.execute("SELECT coalesce(max(number), 0) FROM item").fetchone()[0]
        return total

    def _grows(self, sources: Sequence[Source]) -> bool:
        """Whether all that was read is still there, or the beginning of what is."""
        now = {source.inode: source for source in sources}
        known = self._known()
        for before in known:
            source = now.get(before.inode)
            if source is None or source.size < before.size:
                return False
            if source.changed != before.changed and not (before.lines and source.size > before.size):
                return False
        noted = {before.inode for before in known if not before.lines}
        return not noted or noted == {source.inode for source in sources if not source.lines}

    def _clear(self) -> None:
        with self._transaction():
            for table in ("source", "item", "tally"):
                self._db.execute(f"DELETE FROM {table}")
            self._db.execute("INSERT INTO words(words) VALUES ('delete-all')")

    def _read_on(self, source: Source) -> Iterator[int]:
        whole = False
        while not whole:
            for part in ahead(source, self._read(source)[0]):
                with self._transaction():
                    # Asked again within the transaction: another view of the same run may be reading, too.
                    start, unreadable = self._read(source)
                    if start != part.start:
                        break
                    self._add(part.entries)
                    # Only a finished part is noted as such: killed, the index goes on where it was.
                    size = source.size if part.last else -1
                    self._note(source._replace(size=size), part.end, unreadable + part.lines - len(part.entries))
                yield len(part.entries)
                whole = part.last

    def _read(self, source: Source) -> tuple[int, int]:
        """How far a source was read, and the lines of it that could not be."""
        row = self._db.execute("SELECT read, unreadable FROM source WHERE inode = ?", [source.inode]).fetchone()
        return row or (0, 0)

    def _read_answers(self, sources: Sequence[Source]) -> None:
        with self._transaction():
            if any(not before.lines for before in self._known()):
                return
            self._add([entry_of(item, body=body_of(item)) for item in answers_of(list(sources))])
            for source in sources:
                self._note(source, source.size, 0)

    def _note(self, source: Source, read: int, unreadable: int) -> None:
        query = f"INSERT OR REPLACE INTO source ({_NOTED}, read, unreadable) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        self._db.execute(query, (*_noted(source), read, unreadable))

    def _add(self, entries: Sequence[Entry]) -> None:
        first, tallies = self._count() + 1, self._tallied(entries)
        for begin in range(0, len(entries), _AT_ONCE):
            numbered = list(enumerate(entries[begin : begin + _AT_ONCE], first + begin))
            self._insert("item", [(at, *entry[:4], tallies[entry.facets]) for at, entry in numbered])
            self._insert("words(rowid, prompt, first, second, facets)", [(at, *x.words) for at, x in numbered])

    def _tallied(self, entries: Sequence[Entry]) -> dict[tuple[str, ...], int]:
        """Counts entries by their facets, and gives the number of each tally."""
        self._db.executemany(
            "INSERT INTO tally (facets, items) VALUES (?, ?) ON CONFLICT DO UPDATE SET items = items + excluded.items",
            [(text_of(facets), count) for facets, count in Counter(entry.facets for entry in entries).items()],
        )
        return {facets_in(text): number for text, number in self._db.execute("SELECT facets, number FROM tally")}

    def _insert(self, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Some rows, each with a value for every column."""
        marks = f"({', '.join('?' * len(rows[0]))})"
        self._db.execute(f"INSERT INTO {table} VALUES {', '.join([marks] * len(rows))}", [*chain.from_iterable(rows)])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise

    # Looking into it

    def state(self) -> State:
        """How much was read."""
        unreadable = self._db.execute("SELECT coalesce(sum(unreadable), 0) FROM source").fetchone()[0]
        return State(self._count(), unreadable)

    def search(self, terms: list[Term], facets: Mapping[str, str], after: int, most: int) -> Found:
        """The items that have all of it, in the order of the run, from the one after a number on."""
        with self._told():
            match = expression(terms, facets)
            query, values = "SELECT number FROM item WHERE number > ? ORDER BY number LIMIT ?", [after, most + 1]
            if match:
                query = "SELECT rowid FROM words WHERE words MATCH ? AND rowid > ? ORDER BY rowid LIMIT ?"
            with closing(self._db.execute(query, [match, *values] if match else values)) as rows:
                numbers = [number for (number,) in rows]
            tallies, more = self._tallies(expression(terms, {}))
        hits = [hit for number in numbers[:most] if (hit := self.item(number))]
        total = sum(count for values, count in tallies.items() if agrees(values, facets))
        last = numbers[most - 1] if len(numbers) > most else 0
        return Found(hits, counts_of(tallies, facets), total, more, last)

    def _tallies(self, match: str) -> tuple[dict[tuple[str, ...], int], bool]:
        """What was found, whatever its facets, by all of them; and whether there is more than was counted."""
        query = "SELECT facets, items FROM tally"
        if match:
            query = (
                "SELECT facets, count(*) FROM (SELECT rowid AS found FROM words WHERE words MATCH ? LIMIT ?) "
                "JOIN item ON item.number = found JOIN tally ON tally.number = tally GROUP BY tally"
            )
        found = {facets_in(text): count for text, count in self._db.execute(query, [match, _COUNTED] if match else [])}
        return found, bool(match) and sum(found.values()) >= _COUNTED

    def item(self, number: int) -> Hit | None:
        """An item by its number; None if its file is another one by now."""
        row = self._db.execute(
            "SELECT body, path, item.inode, start, round FROM item LEFT JOIN source USING (inode) WHERE number = ?",
            [number],
        ).fetchone()
        if row is None:
            return None
        body, path, inode, start, round = row
        if body is not None:
            return Hit(number, item_in(body))
        line = line_at(Path(path), inode, start) if path else None
        found = item_of(line, int(round or 0)) if line else None
        return Hit(number, found) if found else None

    def numbered(self, texts: Sequence[str], after: int, most: int) -> list[Hit]:
        """The items that these tell apart (see `dataset.marks.seal`)."""
        self._db.execute("CREATE INDEX IF NOT EXISTS item_texts ON item (texts)")
        marks = ", ".join("?" * len(texts))
        rows = self._db.execute(
            f"SELECT number FROM item WHERE texts IN ({marks}) AND number > ? ORDER BY number LIMIT ?",
            [*texts, after, most],
        ).fetchall()
        return [hit for (number,) in rows if (hit := self.item(number))]


def _noted(source: Source) -> _Noted:
    return _Noted(source.inode, str(source.path), source.round, source.size, source.changed, int(source.lines))
