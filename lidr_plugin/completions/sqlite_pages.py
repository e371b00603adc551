"""A SQLite file read page by page, whatever leads to its pages is broken: https://www.sqlite.org/fileformat2.html."""

import mmap
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

_PAGE = 4096
"""SQLite's page size, for a file whose header does not tell it."""
_TABLE_LEAF, _INDEX_LEAF, _INDEX_INTERIOR = 13, 10, 2
_WIDTHS = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)
"""Bytes of a value by its kind; of texts and blobs, from 12 on, the kind itself tells them."""

Value = int | float | str | bytes | None
Pages = Callable[[int], bytes]
"""A page by its number, from 1 on; empty where there is none."""


class Cell(NamedTuple):
    """What has the form of a row of a table, or of an entry of an index, whose last value is the row's number."""

    number: int
    values: tuple[Value, ...]
    in_index: bool


def cells(path: Path) -> Iterator[Cell]:
    """All cells, some of them twice, and in damaged pages such as never were.

    The write-ahead log beside the file is read with it, and the file also as if there were none: it may be another file's.
    """
    with ExitStack() as opened:
        main, log = _mapped(path, opened), _mapped(Path(f"{path}-wal"), opened)
        size = _page_size(main, log)
        newer = _logged(log, size)

        def beneath(number: int) -> bytes:
            return bytes(main[(number - 1) * size : number * size])

        def above(number: int) -> bytes:
            return bytes(log[newer[number] : newer[number] + size]) if number in newer else beneath(number)

        for pages, numbers in ((above, range(1, max([len(main) // size, *newer]) + 1)), (beneath, sorted(newer))):
            for number in numbers:
                yield from _cells(pages, number, size, limit=len(main) + len(log))


def _mapped(path: Path, opened: ExitStack) -> bytes | mmap.mmap:
    if not path.is_file() or not path.stat().st_size:
        return b""
    file = opened.enter_context(path.open("rb"))
    return opened.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _page_size(main: bytes | mmap.mmap, log: bytes | mmap.mmap) -> int:
    told = [int.from_bytes(main[16:18])] if main[:15] == b"SQLite format 3" else []
    told += [int.from_bytes(log[8:12])] if log[:3] == b"\x37\x7f\x06" else []
    return next((size for size in told if size >= 512 and size & (size - 1) == 0), _PAGE)


def _logged(log: bytes | mmap.mmap, size: int) -> dict[int, int]:
    """Where in the write-ahead log the last committed version of a page begins, by the page's number."""
    found: dict[int, int] = {}
    pending: dict[int, int] = {}
    salts, at = log[16:24], 32
    while at + 24 + size <= len(log) and log[at + 8 : at + 16] == salts:
        number, committed = struct.unpack(">II", log[at : at + 8])
        pending[number] = at + 24
        if committed:
            found |= {number: place for number, place in pending.items() if 0 < number <= committed}
            pending = {}
        at += 24 + size
    return found


def _cells(pages: Pages, number: int, size: int, *, limit: int) -> Iterator[Cell]:
    page = pages(number)
    head = 100 if number == 1 else 0
    if len(page) < size or page[head] not in (_TABLE_LEAF, _INDEX_LEAF, _INDEX_INTERIOR):
        return
    kind = page[head]
    first = head + (12 if kind == _INDEX_INTERIOR else 8)
    for place in range(first, min(first + 2 * int.from_bytes(page[head + 3 : head + 5]), size - 1), 2):
        at = int.from_bytes(page[place : place + 2]) + (4 if kind == _INDEX_INTERIOR else 0)
        try:
            length, at = _varint(page, at)
            rowid, at = _varint(page, at) if kind == _TABLE_LEAF else (0, at)
            if length > limit:  # a chain of pages in a circle would never end
                continue
            values = tuple(_record(_payload(pages, page, at, length, size, table=kind == _TABLE_LEAF)))
        except (IndexError, ValueError):
            continue
        if kind == _TABLE_LEAF:
            yield Cell(rowid, values, in_index=False)
        elif values and isinstance(values[-1], int):
            yield Cell(values[-1], values[:-1], in_index=True)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of one to nine bytes, and where it ends."""
    value = 0
    for place in range(at, at + 8):
        value = value << 7 | data[place] & 0x7F
        if data[place] < 0x80:
            return value, place + 1
    return value << 8 | data[at + 8], at + 9


def _payload(pages: Pages, page: bytes, at: int, length: int, size: int, *, table: bool) -> bytes:
    """A cell's content, which goes on in a chain of pages where it is long.

    Raises:
        ValueError: the chain ends early.
    """
    least = (size - 12) * 32 // 255 - 23
    most = size - 35 if table else (size - 12) * 64 // 255 - 23
    if length <= most:
        return page[at : at + length]
    here = least + (length - least) % (size - 4)
    here = here if here <= most else least
    parts, rest, next_page = [page[at : at + here]], length - here, page[at + here : at + here + 4]
    while rest > 0:
        further = pages(int.from_bytes(next_page))
        if not any(next_page) or not further:
            raise ValueError("the chain of pages ends early")
        parts.append(further[4 : 4 + rest])
        next_page, rest = further[:4], rest - (size - 4)
    return b"".join(parts)


def _record(payload: bytes) -> Iterator[Value]:
    """The values of a record. Raises `ValueError` or `IndexError` where it is none."""
    at, head = _varint(payload, 0)
    if at > len(payload):
        raise ValueError("no record")
    end = at
    while head < end:
        kind, head = _varint(payload, head)
        width = _WIDTHS[kind] if kind < 12 else (kind - 12) // 2
        data, at = payload[at : at + width], at + width
        if len(data) < width:
            raise ValueError("no record")
        if kind >= 12:
            yield data.decode() if kind % 2 else data
        elif kind in (8, 9):
            yield kind - 8
        elif kind == 7:
            yield float(struct.unpack(">d", data)[0])
        else:
            yield int.from_bytes(data, signed=True) if kind else None
