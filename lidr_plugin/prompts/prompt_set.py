"""Joins the prompt files of all languages, checks them whole, and hands the prompts out in order."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import groupby, islice
from pathlib import Path
from typing import NamedTuple, Self

from lidr_plugin.config.schema import Columns
from lidr_plugin.errors import InputError, RunError
from lidr_plugin.prompts.files import Row, read_rows
from lidr_plugin.prompts.prompt import Prompt, PromptText

_BATCH = 2000
_SHOWN = 5


class FinalAnswer(NamedTuple):
    """A prompt's final answer, and where it stands (`file:line`)."""

    id: str
    place: str
    answer: str


class PromptSet:
    """All prompts of a run, joined across languages.

    The rows lie in a temporary database on disk, so memory does not grow with their number.

    Args:
        files: language to prompt file; the first one is the dominant language's and fixes the order.
        columns: which columns hold what.
        by_row: whether rows are matched by their place in the file; else by id.
        skip: so many prompts at the beginning of the dominant file are left out.
        limit: so many prompts after them; None: all.

    Raises:
        InputError: with file and line of rows that are broken, empty, twice there or missing in a language.
        RunError: there is no room for the temporary database.
    """

    def __init__(
        self,
        files: Mapping[str, Path],
        columns: Columns,
        *,
        by_row: bool = False,
        skip: int = 0,
        limit: int | None = None,
    ) -> None:
        # No name: SQLite's own temporary file, deleted as soon as it is open, so that even `kill -9` leaves none.
        self._db = sqlite3.connect("", isolation_level=None)
        self._languages = list(files)
        self._dominant = next(iter(files.values()), Path())
        self._skip = skip
        self._limit = limit
        try:
            self._load(files, columns, by_row)
        except sqlite3.OperationalError as error:
            self.close()
            raise RunError(
                f"the prompts of all languages are joined in a temporary file, and that failed: {error}",
                "free some space there, or set TMPDIR to a folder that has some",
            ) from None
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Removes the temporary database."""
        self._db.close()

    def __len__(self) -> int:
        count: int = self._db.execute("SELECT count(*) FROM prompt").fetchone()[0]
        return count

    def __iter__(self) -> Iterator[Prompt]:
        rows = self._db.cursor().execute(
            "SELECT prompt.position, id, final_answer, response, language, instruction, input FROM prompt "
            "JOIN text ON text.position = prompt.position ORDER BY prompt.position, language"
        )
        for position, group in groupby(rows, key=lambda row: row[0]):
            texts = {}
            for _, ident, answer, response, language, instruction, second in group:  # noqa: B007 (equal in a group)
                texts[self._languages[language]] = PromptText(instruction, second)
            yield Prompt(position, ident, texts, answer, response)

    @property
    def languages(self) -> list[str]:
        """Those that have a file, the dominant one first."""
        return self._languages

    def without_final_answer(self) -> str | None:
        """The id of the first prompt that has none; None if all have one."""
        row = self._db.execute("SELECT id FROM prompt WHERE final_answer IS NULL ORDER BY position LIMIT 1").fetchone()
        return row[0] if row else None

    def final_answers(self) -> Iterator[FinalAnswer]:
        """Those that there are, in the order of the prompts."""
        query = "SELECT id, line, final_answer FROM prompt WHERE final_answer IS NOT NULL ORDER BY position"
        for id, line, answer in self._db.cursor().execute(query):
            yield FinalAnswer(id, f"{self._dominant}:{line}", answer)

    def _load(self, files: Mapping[str, Path], columns: Columns, by_row: bool) -> None:
        self._db.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -32000;"
            "CREATE TABLE prompt (position INTEGER PRIMARY KEY, id TEXT UNIQUE, final_answer TEXT, response TEXT, line INTEGER);"
            "CREATE TABLE text (position INTEGER, language INTEGER, instruction TEXT, input TEXT, line INTEGER,"
            " PRIMARY KEY (position, language)) WITHOUT ROWID;"
            "BEGIN;"
        )
        counts = {}
        for index, (language, path) in enumerate(files.items()):
            rows = read_rows(path, columns, need_id=not by_row)
            if index == 0 or by_row:
                rows = islice(rows, self._skip, self._limit and self._skip + self._limit)
            counts[language] = self._load_file(index, path, rows, by_row)
            if self._skip and not counts[language]:
                there = sum(1 for _ in read_rows(path, columns, need_id=not by_row))
                raise InputError(f"skip_prompts: {self._skip:,}: {path} has {there:,} prompts", "no prompt is left")
        if by_row:
            self._check_counts(files, counts)
        else:
            self._check_missing(files)
        self._db.execute("COMMIT")

    def _load_file(self, index: int, path: Path, rows: Iterator[Row], by_row: bool) -> int:
        count = 0
        while batch := list(islice(rows, _BATCH)):
            places = range(count, count + len(batch))
            if index == 0:
                self._insert_prompts(path, batch, places, by_row)
            before = self._db.total_changes
            if by_row or index == 0:
                self._db.executemany(
                    "INSERT OR IGNORE INTO text VALUES (?, ?, ?, ?, ?)",
                    [(at, index, r.instruction, r.input, r.line) for at, r in zip(places, batch, strict=True)],
                )
            else:
                self._db.executemany(
                    "INSERT OR IGNORE INTO text SELECT position, ?, ?, ?, ? FROM prompt WHERE id = ?",
                    [(index, r.instruction, r.input, r.line, r.id) for r in batch],
                )
                if self._db.total_changes - before < len(batch):
                    self._explain(index, path, batch)
            count += len(batch)
        return count

    def _insert_prompts(self, path: Path, batch: list[Row], places: range, by_row: bool) -> None:
        before = self._db.total_changes
        self._db.executemany(
            "INSERT OR IGNORE INTO prompt VALUES (?, ?, ?, ?, ?)",
            [
                (at, str(self._skip + at) if row.id is None else row.id, row.final_answer, row.response, row.line)
                for at, row in zip(places, batch, strict=True)
            ],
        )
        if self._db.total_changes - before == len(batch):
            return
        problems = []
        for at, row in zip(places, batch, strict=True):
            first = self._db.execute("SELECT position, line FROM prompt WHERE id = ?", [row.id]).fetchone()
            if first and first[0] != at:
                problems.append(f"{path}:{row.line}: id {row.id!r} stands in line {first[1]} already")
        raise InputError.of(problems[:_SHOWN], str(path))

    def _explain(self, index: int, path: Path, batch: list[Row]) -> None:
        """Says why rows of a batch did not go in: their id stands there already, or the dominant file has no such id.

        With a part of the dominant file, ids of its other parts are to be expected, and unknown ones are let pass.
        """
        problems = []
        for row in batch:
            first = self._db.execute(
                "SELECT text.line FROM prompt JOIN text ON text.position = prompt.position AND language = ? WHERE id = ?",
                [index, row.id],
            ).fetchone()
            if first is None and self._limit is None and not self._skip:
                problems.append(f"{path}:{row.line}: id {row.id!r} is not in the dominant language's file")
            elif first is not None and first[0] != row.line:
                problems.append(f"{path}:{row.line}: id {row.id!r} stands in line {first[0]} already")
        if problems:
            hint = "make the ids equal in all languages, or join by place: join_on: row"
            error = InputError.of(problems[:_SHOWN], str(path))
            raise InputError(error.message, hint)

    def _check_counts(self, files: Mapping[str, Path], counts: dict[str, int]) -> None:
        if len(set(counts.values())) > 1:
            listed = "\n".join(f"  {files[language]}: {count} rows" for language, count in counts.items())
            raise InputError(f"join_on: row needs files of equal length:\n{listed}", "or join by id: join_on: id")

    def _check_missing(self, files: Mapping[str, Path]) -> None:
        dominant = next(iter(files.values()))
        problems = []
        for index, path in enumerate(files.values()):
            with closing(
                self._db.execute(
                    "SELECT id, prompt.line FROM prompt LEFT JOIN text ON text.position = prompt.position"
                    " AND language = ? WHERE text.position IS NULL ORDER BY prompt.position",
                    [index],
                )
            ) as missing:
                found = missing.fetchmany(_SHOWN + 1)
            problems += [f"{path}:1: no row with id {i!r} ({dominant}:{line})" for i, line in found[:_SHOWN]]
            if len(found) > _SHOWN:
                problems.append(f"{path}:1: and more")
        if problems:
            error = InputError.of(problems, "the prompt files")
            raise InputError(error.message, "add the rows, or remove the prompt in all languages")
