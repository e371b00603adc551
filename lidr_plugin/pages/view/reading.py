"""A run's lines as entries of the index, read ahead: while SQLite takes one part in, the next is made ready."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from lidr_plugin.pages.view.items import Item, item_of
from lidr_plugin.pages.view.sources import Source, lines_from
from lidr_plugin.pages.view.words import facet_words, spaced

_LINES, _BYTES = 20_000, 32 << 20
"""At which a part ends, and so a transaction: what is read shows while more is being read, and long texts fit into the memory."""


class Entry(NamedTuple):
    """An item as the index keeps it: where it lies, what tells it, its facets, and its words by column."""

    inode: int
    start: int
    body: str | None
    texts: str
    facets: tuple[str, ...]
    words: tuple[str, str, str, str]


class Part(NamedTuple):
    """Lines of a source, from one place to another; `last`: whether there were no more."""

    start: int
    end: int
    lines: int
    entries: list[Entry]
    last: bool


def entry_of(item: Item, inode: int = 0, start: int = 0, body: str | None = None) -> Entry:
    """The entry for an item."""
    facets = item.facets
    first, *others = [spaced(side.text) for side in item.sides]
    words = spaced(item.prompt), first, "\n".join(others), facet_words(facets)
    return Entry(inode, start, body, item.texts, facets, words)


def ahead(source: Source, start: int) -> Iterator[Part]:
    """A source from a place on, in parts."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(_part, source, start)
        while True:
            part = coming.result()
            if not part.last:
                coming = pool.submit(_part, source, part.end)
            yield part
            if part.last:
                return


def _part(source: Source, start: int) -> Part:
    lines, entries, last, end = 0, [], True, start
    for begin, end, line in lines_from(source.path, start):
        lines += 1
        if item := item_of(line, source.round):
            entries.append(entry_of(item, source.inode, begin))
        if lines == _LINES or end - start > _BYTES:
            last = False
            break
    return Part(start, end, lines, entries, last)
