"""Where two texts differ, word by word (Myers 1986, "An O(ND) Difference Algorithm"), within a limit on the work."""

import re
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from lidr_plugin.pages.view.words import is_unspaced

_WORD = re.compile(r"\w+|[^\w\s]|\s+")
_MOST = 600
"""Words that may be different: the work grows with the square of it, and texts that differ more have nothing to compare."""


class Part(NamedTuple):
    """A stretch of a text, and whether the other text has it too."""

    text: str
    shared: bool


def parts_of(first: str, second: str) -> tuple[list[Part], list[Part]] | None:
    """Both texts in stretches; None if they differ too much."""
    one, other = _words(first), _words(second)
    shared = common(one, other)
    if shared is None:
        return None
    return _parts(one, {a for a, _ in shared}), _parts(other, {b for _, b in shared})


def _words(text: str) -> list[str]:
    """Words, signs and blanks; of a script without spaces between words, characters."""
    words = _WORD.findall(text)
    return (
        [piece for word in words for piece in (word if is_unspaced(word) else [word])] if is_unspaced(text) else words
    )


def _parts(words: Sequence[str], shared: set[int]) -> list[Part]:
    stretches = groupby(range(len(words)), shared.__contains__)
    return [Part("".join(words[place] for place in places), both) for both, places in stretches]


def common(one: Sequence[str], other: Sequence[str], most: int = _MOST) -> list[tuple[int, int]] | None:
    """The places of a longest common subsequence; None if more than `most` words would have to go or come."""
    furthest = {1: 0}
    history: list[dict[int, int]] = []
    for changes in range(min(len(one) + len(other), most) + 1):
        history.append(dict(furthest))
        for diagonal in range(-changes, changes + 1, 2):
            down = diagonal == -changes or (diagonal != changes and furthest[diagonal - 1] < furthest[diagonal + 1])
            x = furthest[diagonal + 1] if down else furthest[diagonal - 1] + 1
            y = x - diagonal
            while x < len(one) and y < len(other) and one[x] == other[y]:
                x, y = x + 1, y + 1
            furthest[diagonal] = x
            if x >= len(one) and y >= len(other):
                return _traced(history, len(one), len(other))
    return None


def _traced(history: list[dict[int, int]], x: int, y: int) -> list[tuple[int, int]]:
    """Back from the end: the places where both go on together."""
    found = []
    for changes in range(len(history) - 1, -1, -1):
        furthest, diagonal = history[changes], x - y
        down = diagonal == -changes or (diagonal != changes and furthest[diagonal - 1] < furthest[diagonal + 1])
        before = diagonal + 1 if down else diagonal - 1
        start = furthest[before]
        while x > max(start, 0) and y > max(start - before, 0):
            x, y = x - 1, y - 1
            found.append((x, y))
        x, y = start, start - before
    return found[::-1]
