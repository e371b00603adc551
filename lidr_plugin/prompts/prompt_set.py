"""Joins the prompt files of all languages, checks them whole, and hands the prompts out in order."""

import hashlib
import os
import secrets
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from itertools import groupby, islice
from pathlib import Path
from typing import Self

import orjson

from lidr_plugin.config.columns import Columns
from lidr_plugin.errors import InputError, RunError
from lidr_plugin.machine.sources import Source
from lidr_plugin.prompts.files import Extent, Row, read_rows
from lidr_plugin.prompts.places import FinalAnswer, Mixed, Places
from lidr_plugin.prompts.prompt import Prompt, PromptText

_BATCH = 2000
_SHOWN = 5
_SPACE = "free some space there, or set TMPDIR to a folder that has some"


class PromptSet:
    """All prompts of a run, joined across languages.

    The rows lie in a database on disk, so memory does not grow with their number.

    Args:
        files: language to its prompt files; the first language is the dominant one and fixes the order.
        columns: which columns hold what.
        by_row: whether rows are matched by their place in the files; else by id.
        extent: which of the rows are prompts.
        mixed: what stands behind them, to be asked as it is.
        index: where the database is kept for others; made if it is not there. None: a temporary one.

    Raises:
        InputError: with file and line of rows that are broken, empty, twice there or missing in a language.
        RunError: there is no room for the database.
    """

    def __init__(
        self,
        files: Mapping[str, Sequence[Source]],
        columns: Columns,
        *,
        by_row: bool = False,
        extent: Extent = Extent(),  # noqa: B008 (frozen)
        mixed: Sequence[Mixed] = (),
        index: Path | None = None,
    ) -> None:
        self._places = Places(files, mixed)
        self._files, self._languages = self._places.files, self._places.languages
        self._mixed = mixed
        self._columns = columns
        self._by_row = by_row
        self._extent = extent
        self._digest = hashlib.sha256()
        self._db: sqlite3.Connection
        if index:
            self._made_or_opened(index)
        else:
            # No name: SQLite's own temporary file, deleted as soon as it is open, so that even `kill -9` leaves none.
            self._fill("")
        self.own: int = self._db.execute("SELECT own FROM made").fetchone()[0]
        """The prompts that are not mixed in: those before this position."""
        first, last = self._db.execute("SELECT min(position), max(position) FROM prompt").fetchone()
        self.positions = range(0 if first is None else first, 0 if last is None else last + 1)
        """Of the prompts that are handed out."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Removes a temporary database."""
        self._db.close()

    def __len__(self) -> int:
        return len(self.positions)

    def __iter__(self) -> Iterator[Prompt]:
        rows = self._db.cursor().execute(
            "SELECT prompt.position, id, final_answer, response, language, instruction, input FROM prompt "
            f"JOIN text ON text.position = prompt.position WHERE {self._these} ORDER BY prompt.position, language"
        )
        for position, group in groupby(rows, key=lambda row: row[0]):
            texts = {}
            for _, ident, answer, response, language, instruction, second in group:  # noqa: B007 (equal in a group)
                texts[self._languages[language]] = PromptText(instruction, second)
            yield Prompt(position, ident, texts, answer, response, as_is=position >= self.own)

    @property
    def languages(self) -> list[str]:
        """Those that have a file, the dominant one first."""
        return self._languages

    @property
    def digest(self) -> str:
        """Of all rows that were read for the database: what tells changed prompt files from the same ones."""
        digest: str = self._db.execute("SELECT digest FROM made").fetchone()[0]
        return digest

    def only(self, positions: range) -> None:
        """Restricts the prompts to those at these positions."""
        self.positions = positions

    def find(self, ident: str) -> Prompt | None:
        """The prompt with this id; None if there is none."""
        rows = self._db.execute(
            "SELECT prompt.position, final_answer, language, instruction, input FROM prompt "
            "JOIN text ON text.position = prompt.position WHERE id = ?",
            [ident],
        ).fetchall()
        texts = {self._languages[row[2]]: PromptText(row[3], row[4]) for row in rows}
        return Prompt(rows[0][0], ident, texts, rows[0][1]) if rows else None

    def without_final_answer(self) -> str | None:
        """The id of the first prompt that has none; None if all have one."""
        query = f"SELECT id FROM prompt WHERE final_answer IS NULL AND {self._these} ORDER BY position LIMIT 1"
        row = self._db.execute(query).fetchone()
        return row[0] if row else None

    def final_answers(self) -> Iterator[FinalAnswer]:
        """Those that there are, in the order of the prompts."""
        query = "SELECT id, file, line, final_answer FROM prompt WHERE final_answer IS NOT NULL AND "
        for id, file, line, answer in self._db.cursor().execute(f"{query}{self._these} ORDER BY position"):
            yield FinalAnswer(id, self._places.dominant(file, line), answer)

    @property
    def _these(self) -> str:
        return f"prompt.position BETWEEN {self.positions.start} AND {self.positions.stop - 1}"

    def _made_or_opened(self, index: Path) -> None:
        if not index.exists():
            part = index.with_name(f".{index.name}.{secrets.token_hex(8)}.part")
            try:
                self._fill(str(part))
                self._db.close()
                os.replace(part, index)
            finally:
                with suppress(OSError):
                    part.unlink(missing_ok=True)
        # Nobody changes it, so that no lock is asked of a network's file system.
        self._db = sqlite3.connect(f"{index.resolve().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)

    def _fill(self, place: str) -> None:
        try:
            self._db = sqlite3.connect(place, isolation_level=None)
            self._load()
        except sqlite3.OperationalError as error:
            self.close()
            what = "the prompts of all languages are joined in a temporary file, and that failed"
            raise RunError(f"{what}: {error}", _SPACE) from None
        except BaseException:
            self.close()
            raise

    def _load(self) -> None:
        self._db.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -32000;"
            "CREATE TABLE prompt (position INTEGER PRIMARY KEY, id TEXT UNIQUE, final_answer TEXT, response TEXT,"
            " file INTEGER, line INTEGER);"
            "CREATE TABLE text (position INTEGER, language INTEGER, instruction TEXT, input TEXT, file INTEGER,"
            " line INTEGER, PRIMARY KEY (position, language)) WITHOUT ROWID;"
            "CREATE TABLE made (digest TEXT, own INTEGER);"
            "BEGIN;"
        )
        counts = []
        for language, paths in enumerate(self._files):
            rows = self._rows(paths)
            if language == 0 or self._by_row:
                rows = self._extent.of(rows)
            counts.append(self._load_language(language, rows))
            if self._extent.skip and not counts[language]:
                there = self._extent.before + sum(1 for _ in self._rows(paths))
                skipped = f"skip_prompts: {self._extent.skip:,}: {paths[-1]} has {there:,} prompts"
                raise InputError(skipped, "no prompt is left")
        if self._by_row:
            self._places.check_counts(counts)
        else:
            self._check_missing()
        own = counts[0] if counts else 0  # a set of questions in none of the languages has no files
        if self._mixed:
            self._mix(own)
        self._db.execute("INSERT INTO made VALUES (?, ?)", [self._digest.hexdigest(), self._extent.first + own])
        self._db.execute("COMMIT")

    def _mix(self, own: int) -> None:
        """Puts prompts of others behind so many of its own."""
        position, file = self._extent.first + own, len(self._files[0])
        for part in self._mixed:
            query = "SELECT id, file, line FROM prompt WHERE substr(id, 1, ?) = ? LIMIT 1"
            alike = self._db.execute(query, [len(part.prefix), part.prefix]).fetchone()
            wanted = part.wanted(own)
            extent = Extent(part.skip, max(1, wanted))
            with PromptSet(part.files, self._columns, by_row=self._by_row, extent=extent) as others:
                part.check(wanted, len(others), alike and (alike[0], self._places.dominant(*alike[1:])))
                if wanted:
                    self._take(others, part.prefix, position, file)
            position, file = position + wanted, file + len(next(iter(part.files.values())))

    def _take(self, others: "PromptSet", prefix: str, position: int, file: int) -> None:
        """Copies the prompts of another set, from a position and a number of their files on."""
        self._digest.update(f"{prefix}{others.digest}".encode())
        language = [self._languages.index(code) for code in others.languages]
        for at, ident, *rest, number, line in others._db.execute("SELECT * FROM prompt"):
            row = (position + at, prefix + ident, *rest, file + number, line)
            self._db.execute("INSERT INTO prompt VALUES (?, ?, ?, ?, ?, ?)", row)
        for at, code, *text in others._db.execute("SELECT * FROM text"):
            self._db.execute("INSERT INTO text VALUES (?, ?, ?, ?, ?, ?)", [position + at, language[code], *text])

    def _rows(self, paths: Sequence[Source]) -> Iterator[Row]:
        """The rows of a language's files, each with the number of its file."""
        for number, path in enumerate(paths):
            for row in read_rows(path, self._columns, need_id=not self._by_row):
                yield row if not number else row._replace(file=number)

    def _load_language(self, language: int, rows: Iterator[Row]) -> int:
        count = 0
        while batch := list(islice(rows, _BATCH)):
            self._digest.update(orjson.dumps([x[1:-1] for x in batch]))  # but for where they stand
            places = range(self._extent.first + count, self._extent.first + count + len(batch))
            if language == 0:
                self._insert_prompts(batch, places)
            before = self._db.total_changes
            if self._by_row or language == 0:
                self._db.executemany(
                    "INSERT OR IGNORE INTO text VALUES (?, ?, ?, ?, ?, ?)",
                    [(x, language, r.instruction, r.input, r.file, r.line) for x, r in zip(places, batch, strict=True)],
                )
            else:
                self._db.executemany(
                    "INSERT OR IGNORE INTO text SELECT position, ?, ?, ?, ?, ? FROM prompt WHERE id = ?",
                    [(language, r.instruction, r.input, r.file, r.line, r.id) for r in batch],
                )
                if self._db.total_changes - before < len(batch):
                    self._explain(language, batch)
            count += len(batch)
        return count

    def _insert_prompts(self, batch: list[Row], places: range) -> None:
        before = self._db.total_changes
        self._db.executemany(
            "INSERT OR IGNORE INTO prompt VALUES (?, ?, ?, ?, ?, ?)",
            [
                (x, str(self._extent.skip + x) if r.id is None else r.id, r.final_answer, r.response, r.file, r.line)
                for x, r in zip(places, batch, strict=True)
            ],
        )
        if self._db.total_changes - before == len(batch):
            return
        problems = []
        for at, row in zip(places, batch, strict=True):
            query = "SELECT position, file, line FROM prompt WHERE id = ?"
            first = self._db.execute(query, [row.id]).fetchone()
            if first and first[0] != at:
                problems.append(self._places.twice(0, row, *first[1:]))
        raise InputError.of(problems[:_SHOWN], self._places.name(0))

    def _explain(self, language: int, batch: list[Row]) -> None:
        """Says why rows of a batch did not go in: their id stands there already, or the dominant file has no such id.

        With a part of the dominant file, ids of its other parts are to be expected, and unknown ones are let pass.
        """
        problems = []
        query = (
            "SELECT text.file, text.line FROM prompt JOIN text ON text.position = prompt.position AND language = ? "
            "WHERE id = ?"
        )
        for row in batch:
            first = self._db.execute(query, [language, row.id]).fetchone()
            if first is None and not self._extent.is_part:
                problems.append(
                    f"{self._places.of(language, row)}: id {row.id!r} is not in the dominant language's file"
                )
            elif first is not None and first != (row.file, row.line):
                problems.append(self._places.twice(language, row, *first))
        if problems:
            hint = "make the ids equal in all languages, or join by place: join_on: row"
            error = InputError.of(problems[:_SHOWN], self._places.name(language))
            raise InputError(error.message, hint)

    def _check_missing(self) -> None:
        problems = []
        for language in range(len(self._files)):
            query = (
                "SELECT id, prompt.file, prompt.line FROM prompt LEFT JOIN text ON text.position = prompt.position"
                " AND language = ? WHERE text.position IS NULL ORDER BY prompt.position"
            )
            with closing(self._db.execute(query, [language])) as missing:
                problems += self._places.missing(language, missing.fetchmany(_SHOWN + 1), _SHOWN)
        if problems:
            error = InputError.of(problems, "the prompt files")
            raise InputError(error.message, "add the rows, or remove the prompt in all languages")
