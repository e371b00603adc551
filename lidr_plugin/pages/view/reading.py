"""A run's lines as entries of the index, read ahead: while SQLite takes one part in, the next is made ready."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

from lidr_plugin.pages.view.items import Item, item_of
from lidr_plugin.pages.view.sources import Source, lines_from
from lidr_plugin.pages.view.words import facet_words, spaced

BATCH = 20_000
"""Lines in a part, and so in a transaction: what is read shows while more is being read."""


class Entry(NamedTuple):
    """An item as the index keeps it: where it lies, what tells it, its facets, and its words by column."""

    inode: int
    start: int
    body: str | None
    texts: str
    facets: tuple[str, ...]
    words: tuple[str, str, str, str]


class Part(NamedTuple):
    """Lines of a source, from one place to another."""

    start: int
    end: int
    lines: int
    entries: list[Entry]

    @property
    def last(self) -> bool:
        """Whether there were no more."""
        return self.lines < BATCH


def entry_of(item: Item, inode: int = 0, start: int = 0, body: str | None = None) -> Entry:
    """The entry for an item."""
    facets = item.facets
    first, *others = [spaced(side.text) for side in item.sides]
    words = spaced(item.prompt), first, "\n".join(others), facet_words(facets)
    return Entry(inode, start, body, item.texts, facets, words)


def ahead(source: Source, start: int) -> Iterator[Part]:
    """A source from a place on, in parts; the last has fewer lines than `BATCH`, or none."""
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
    lines = list(islice(lines_from(source.path, start), BATCH))
    found = [(begin, item_of(line, source.round)) for begin, _, line in lines]
    entries = [entry_of(item, source.inode, begin) for begin, item in found if item]
    return Part(start, lines[-1][1] if lines else start, len(lines), entries)
