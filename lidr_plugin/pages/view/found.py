"""What a search in a run came to."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import orjson

from lidr_plugin.pages.view.items import FACETS, Item, Side


class Hit(NamedTuple):
    """An item that was found, by its number in the index."""

    number: int
    item: Item


class Found(NamedTuple):
    """What a search came to.

    Attributes:
        counts: items by facet and value; each facet as if nothing had been chosen of it.
        total: all items; where `more`, at least so many.
        last: where the search goes on; 0: it has ended.
    """

    hits: list[Hit]
    counts: Mapping[str, Mapping[str, int]]
    total: int
    more: bool
    last: int


class State(NamedTuple):
    """How far the index is."""

    items: int
    unreadable: int


def body_of(item: Item) -> str:
    """An item as text."""
    return orjson.dumps([*item[:7], [list(side) for side in item.sides], item.score]).decode()


def item_in(body: str) -> Item:
    """The item that `body_of` made a text of."""
    kind, round, language, id, reason, source, prompt, sides, score = orjson.loads(body)
    return Item(kind, round, language, id, reason, source, prompt, tuple([Side(*side) for side in sides]), score)


def text_of(facets: tuple[str, ...]) -> str:
    """The values of all facets as one text."""
    return orjson.dumps(facets).decode()


def facets_in(text: str) -> tuple[str, ...]:
    """The values that `text_of` made a text of."""
    return tuple(orjson.loads(text))


def agrees(values: tuple[str, ...], facets: Mapping[str, str], but: str = "") -> bool:
    """Whether the values of all facets have those that were chosen, but for one."""
    return all(values[FACETS.index(name)] == value for name, value in facets.items() if name != but)


def counts_of(tallies: Mapping[tuple[str, ...], int], facets: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Items by facet and value; each facet as if nothing had been chosen of it."""
    found: dict[str, Counter[str]] = {name: Counter() for name in FACETS}
    for values, count in tallies.items():
        for place, name in enumerate(FACETS):
            if values[place] and agrees(values, facets, but=name):
                found[name][values[place]] += count
    return {name: dict(sorted(counts.items())) for name, counts in found.items()}
