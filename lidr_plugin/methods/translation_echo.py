"""Whether a text says what another says: the share of its character n-grams that the other holds too."""

import re
from collections.abc import Callable
from functools import lru_cache
from operator import itemgetter

from lidr_plugin.text.scripts import DENSE, in_latin_1

_SPACED, _DENSE = 9, 4
"""Characters of an n-gram: about two words, in Latin script and in those that write a syllable a character."""
_DENSE_CHARACTER = re.compile(f"[{DENSE}]")
_LOOKS = 64
"""N-grams of a text that are looked up at most, at even distances."""


def share_within(text: str, other: str) -> float:
    """From 0 to 1: how much of `text` is found in `other`; 0 if either is shorter than a word."""
    plain = _plain(text)
    dense = in_latin_1(plain) is None and 3 * len(_DENSE_CHARACTER.findall(plain[:200])) > len(plain[:200])
    n = _DENSE if dense else _SPACED
    count, there = len(plain) - n + 1, _grams(other, n)
    step = max(1, -(-count // _LOOKS))
    looked = _cutter(step, n)(plain)  # those beyond the end are too short to be in any set
    if there.isdisjoint(looked):  # as nearly always: every translation of a run comes through here
        return 0.0
    return sum(map(there.__contains__, looked)) / len(range(0, count, step))


def _plain(text: str) -> str:
    spaced = text.isprintable() and "  " not in text  # by single spaces, and no other white space
    return (text.strip() if spaced else " ".join(text.split())).casefold()


@lru_cache(maxsize=256)
def _cutter(step: int, n: int) -> Callable[[str], tuple[str, ...]]:
    """Cuts n-grams out of a text at even distances. It is kept: to make its slices takes as long as to cut with them."""
    return itemgetter(*[slice(step * i, step * i + n) for i in range(_LOOKS)])


@lru_cache(maxsize=64)
def _grams(text: str, n: int) -> frozenset[str]:
    plain = _plain(text)
    return frozenset(plain[i : i + n] for i in range(len(plain) - n + 1))
