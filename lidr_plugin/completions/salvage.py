"""Completions out of a damaged store: whatever has the form of a row, if its checksum and its key agree.

The key is the SHA-256 of the request: what passes is as it was written, wherever it was found.
"""

from collections.abc import Iterator
from pathlib import Path

from lidr_plugin.completions.rows import COLUMNS, Entry, Row
from lidr_plugin.completions.sqlite_pages import Value, cells

_KEY = 32
_SMALLEST = 200
"""Bytes that a row takes at least, for its request and two keys: no file has more rows, whatever a damaged page says."""


def salvaged(path: Path) -> Iterator[Entry | int]:
    """Every completion that can be read, some of them twice; then the numbers of the rows that cannot."""
    places = (path, Path(f"{path}-wal"))
    most = sum(place.stat().st_size for place in places if place.exists()) // _SMALLEST
    found, highest = bytearray(most // 8 + 1), 0
    for number, values, in_index in cells(path):
        entry = None if in_index else _entry(values)
        if 0 < number <= most and (entry or _is_key(values)):
            highest = max(highest, number)
            if entry:
                found[number // 8] |= 1 << number % 8
                yield entry
    yield from (number for number in range(1, highest + 1) if not found[number // 8] >> number % 8 & 1)


def _is_key(values: tuple[Value, ...]) -> bool:
    """Whether the index says that there is a row."""
    return len(values) == 1 and isinstance(values[0], bytes) and len(values[0]) == _KEY


def lost_rows(path: Path) -> list[str]:
    """In words, the rows that cannot be read."""
    return [unsound(item) for item in salvaged(path) if isinstance(item, int)]


def unsound(number: int) -> str:
    """In words, what is wrong with a row."""
    return f"row {number}: it cannot be read, or is not as it was written"


def _entry(values: tuple[Value, ...]) -> Entry | None:
    """The completion of a row of any version; None if it is not as it was written."""
    if not len(COLUMNS) - 2 <= len(values) <= len(COLUMNS) or not isinstance(values[6], str):
        return None
    every = [*values, None, None][: len(COLUMNS)]
    every[6] = values[6].encode()
    return Row._make(every).entry(sealed=len(values) == len(COLUMNS))
