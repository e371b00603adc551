"""Writes a dataset for the `datasets` library, LLaMA-Factory's loader, so that it reads back the texts that were written."""

import re
import zlib
from collections import Counter
from typing import BinaryIO

import orjson

from lidr_plugin import files

_TEXTS = frozenset(("instruction", "input", "chosen", "rejected", "output", "system"))
"""Columns that LLaMA-Factory reads."""
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[ T][\d:.,]{2,20})?(?:Z|[+-][\d:]{2,8})?")
_DATED = re.compile(r'":"\d{4}-')
"""In rows as they are written: a text that may be a date. (Within a text its quotes would have backslashes.)"""
_CHUNK = 10 << 20
"""Bytes that the `datasets` library reads at once; it decides on the kind of a column by each such part alone."""
_STREAK = 500
"""Rows of dates in a column that surely lie in one chunk, unless their other texts are longer than 20,000 characters."""


class DatasetWriter:
    """Takes rows one by one.

    A column that holds nothing but dates would be read as points in time, on which LLaMA-Factory fails. Then in some row the
    input joins the instruction, as it does in the prompt, or a text ends with a space.

    Args:
        part: whether the rows are a part of a dataset: what is a date then only shows when all are put together.
    """

    def __init__(self, file: BinaryIO, *, part: bool = False) -> None:
        self._file = file
        self._columns = frozenset() if part else _TEXTS
        self._sum = 0
        self._held: dict[str, str] | None = None
        self._rows = self._bytes = 0
        self._dates: Counter[str] = Counter()

    def add(self, row: dict[str, str]) -> None:
        """Writes the row before; this one waits, for the last may have to change."""
        self._write()
        self._held = row
        self._rows += 1
        # The first look is for speed: nearly no text has a hyphen there.
        dated = [key for key, x in row.items() if x[4:5] == "-" and key in self._columns and _DATE.fullmatch(x)]
        if dated or self._dates:
            self._dates = Counter({key: self._dates[key] + 1 for key in dated})
            for key in dated:
                if self._dates[key] >= _STREAK:
                    self._undate(key)

    def copy(self, lines: bytes) -> None:
        """Takes whole lines that lidr wrote as they are, unless some of their texts look like dates."""
        if _DATED.search(lines.decode()):
            for line in lines.splitlines():
                self.add(orjson.loads(line))
            return
        self._write()
        self._held = None
        self._rows += lines.count(b"\n")
        self._dates.clear()
        self._put(lines)

    def close(self) -> str:
        """Writes the last row; gives checksum and length of all, which tell an edited file from this one."""
        for key, dates in list(self._dates.items()):
            if dates and (dates == self._rows or self._bytes > _CHUNK):
                self._undate(key)
        self._write()
        self._held = None
        return f"{self._sum:08x}-{self._bytes}"

    def _undate(self, key: str) -> None:
        assert self._held is not None
        self._held = undated(self._held, key)
        self._dates[key] = 0

    def _write(self) -> None:
        if self._held is not None:
            self._put(files.dump_line(self._held))

    def _put(self, lines: bytes) -> None:
        self._sum = zlib.crc32(lines, self._sum)
        self._bytes += len(lines)
        self._file.write(lines)


def undated(row: dict[str, str], key: str) -> dict[str, str]:
    """The row with a value that is no date any more; the prompt stays the same wherever it can."""
    instruction, second = row["instruction"], row["input"]
    if key in ("instruction", "input") and instruction and second:
        return {**row, "instruction": f"{instruction}\n{second}", "input": ""}
    return {**row, key: f"{row[key]} "} if row[key] else row
