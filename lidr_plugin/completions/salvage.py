"""Completions and scores out of a damaged store: whatever has the form of a row, if its checksum and its key agree.

The key is the SHA-256 of the request: what passes is as it was written, wherever it was found.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lidr_plugin.completions import score_rows
from lidr_plugin.completions.rows import COLUMNS, Entry, Row
from lidr_plugin.completions.score_rows import ScoreEntry, score_entry
from lidr_plugin.completions.sqlite_pages import Cell, Value, cells

_KEY = 32
_SMALLEST = 120
"""Bytes that a row takes at least, for its request and two keys: no file has more rows, whatever a damaged page says."""


class Lost(NamedTuple):
    """A row of a table that cannot be read."""

    table: str
    number: int

    @property
    def name(self) -> str:
        """As messages call it; a completion is a row, as it was before there were scores."""
        return f"{'score' if self.table == 'score' else 'row'} {self.number}"

    def __str__(self) -> str:
        return f"{self.name}: it cannot be read, or is not as it was written"


class _Table:
    """Which of a table's rows there are, and which of them can be read."""

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._found = bytearray(most // 8 + 1)
        self._highest = 0

    def note(self, number: int, *, found: bool) -> bool:
        """Notes a row; whether its number can be one."""
        if not 0 < number <= self._most:
            return False
        self._highest = max(self._highest, number)
        if found:
            self._found[number // 8] |= 1 << number % 8
        return True

    def lost(self) -> Iterator[Lost]:
        """Those that cannot be read."""
        for number in range(1, self._highest + 1):
            if not self._found[number // 8] >> number % 8 & 1:
                yield Lost(self._name, number)


def salvaged(path: Path) -> Iterator[Entry | ScoreEntry | Lost]:
    """Every row that can be read, some of them twice; then those that cannot."""
    places = (path, Path(f"{path}-wal"))
    most = sum(place.stat().st_size for place in places if place.exists()) // _SMALLEST
    completions, scores = _Table("completion", most), _Table("score", most)
    for cell in cells(path):
        entry, scored = _entry(cell), _scored(cell)
        if (entry or _is_key(cell, 1)) and completions.note(cell.number, found=entry is not None) and entry:
            yield entry
        if (scored or _is_key(cell, 2)) and scores.note(cell.number, found=scored is not None) and scored:
            yield scored
    yield from completions.lost()
    yield from scores.lost()


def lost_rows(path: Path) -> list[str]:
    """In words, the rows that cannot be read."""
    return [str(item) for item in salvaged(path) if isinstance(item, Lost)]


def _is_key(cell: Cell, values: int) -> bool:
    """Whether the index with so many columns says that there is a row."""
    first = cell.values[0] if len(cell.values) == values else None
    return isinstance(first, bytes) and len(first) == _KEY and cell.values[1:] in ((), *_KINDS)


_KINDS = tuple((kind,) for kind in score_rows.KINDS)


def _entry(cell: Cell) -> Entry | None:
    """The completion of a row of any version; None if it is not as it was written."""
    values = cell.values
    if cell.in_index or not len(COLUMNS) - 2 <= len(values) <= len(COLUMNS) or not isinstance(values[6], str):
        return None
    every: list[Value] = [*values, None, None][: len(COLUMNS)]
    every[6] = values[6].encode()
    return Row._make(every).entry(sealed=len(values) == len(COLUMNS))


def _scored(cell: Cell) -> ScoreEntry | None:
    """The score of a row; None if it is not as it was written."""
    values = cell.values
    if cell.in_index or len(values) != len(score_rows.COLUMNS) or not isinstance(values[3], str):
        return None
    return score_entry((*values[:3], values[3].encode(), values[4]))
