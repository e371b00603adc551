"""Where the prompts of a run stand: its own files, and those of others that are mixed in."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lidr_plugin.errors import InputError
from lidr_plugin.machine.sources import Source
from lidr_plugin.prompts.files import Row


class FinalAnswer(NamedTuple):
    """A prompt's final answer, and where it stands (`file:line`)."""

    id: str
    place: str
    answer: str


class Mixed(NamedTuple):
    """Prompts of others that stand behind a run's own.

    Attributes:
        name: with which, and a colon, their ids begin.
        files: language to its prompt files.
        skip: so many at the beginning of the dominant files are left out.
        ratio: how many there are for each of the run's own.
    """

    name: str
    files: Mapping[str, Sequence[Source]]
    skip: int
    ratio: float

    @property
    def prefix(self) -> str:
        """What their ids begin with."""
        return f"{self.name}:"

    def wanted(self, own: int) -> int:
        """How many there are for so many of the run's own."""
        return round(self.ratio * own)

    def check(self, wanted: int, there: int, alike: tuple[str, str] | None) -> None:
        """Raises `InputError` where there are too few, or the run has an id (and its place) that looks like theirs."""
        if there < wanted:
            what = f"mix_in: {self.name}: its share is {wanted:,} prompts, and after {self.skip:,} its files have {there:,}"
            raise InputError(what, "add prompts, or set a lower share")
        if alike:
            what = f"{alike[1]}: id {alike[0]!r} looks like one of mix_in: {self.name}"
            raise InputError(what, "give the entry of mix_in another name")


class Places:
    """The files by the numbers of language and file, in which rows are told.

    Attributes:
        files: of each language of the run's own prompts.
        languages: all of them, and then those that only others have.
    """

    def __init__(self, files: Mapping[str, Sequence[Source]], mixed: Sequence[Mixed]) -> None:
        parts = [files, *(part.files for part in mixed)]
        self.files = [list(paths) for paths in files.values()]
        self.languages = list(dict.fromkeys(code for part in parts for code in part))
        self._dominant = [path for part in parts for path in next(iter(part.values()), ())]

    def dominant(self, file: int, line: int) -> str:
        """The place of a prompt in the dominant language; the files of others are numbered after the run's own."""
        return f"{self._dominant[file]}:{line}"

    def of(self, language: int, row: Row) -> str:
        """The place of a row."""
        return f"{self.files[language][row.file]}:{row.line}"

    def twice(self, language: int, row: Row, file: int, line: int) -> str:
        """Says that the id of a row stands in another place already."""
        where = f"in line {line}" if file == row.file else f"in {self.files[language][file]}:{line}"
        return f"{self.of(language, row)}: id {row.id!r} stands {where} already"

    def name(self, language: int) -> str:
        """A language's files, in a message."""
        paths = self.files[language]
        return str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"

    def check_counts(self, counts: Sequence[int]) -> None:
        """Raises `InputError` where the languages have not as many rows, one as the other."""
        if len(set(counts)) > 1:
            listed = "\n".join(f"  {self.name(language)}: {count} rows" for language, count in enumerate(counts))
            raise InputError(f"join_on: row needs files of equal length:\n{listed}", "or join by id: join_on: id")

    def missing(self, language: int, found: Sequence[tuple[str, int, int]], shown: int) -> list[str]:
        """Says which prompts (id, file and line) have no row in a language; of more than are shown, that there are more."""
        path = self.files[language][0]
        told = [
            f"{path}:1: no row with id {ident!r} ({self.dominant(file, line)})" for ident, file, line in found[:shown]
        ]
        return [*told, f"{path}:1: and more"] if len(found) > shown else told
