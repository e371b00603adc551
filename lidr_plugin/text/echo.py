"""Whether a text says what another says: the share of its character n-grams that the other holds too."""

import re

from lidr_plugin.text.scripts import DENSE

_SPACED, _DENSE = 5, 3
"""Characters of an n-gram: about a word, in Latin script and in those that write a syllable a character."""
_DENSE_CHARACTER = re.compile(f"[{DENSE}]")


def _grams(text: str, n: int) -> list[str]:
    plain = " ".join(text.casefold().split())
    return [plain[i : i + n] for i in range(len(plain) - n + 1)]


def share_within(text: str, other: str) -> float:
    """From 0 to 1: how much of `text` is found in `other`; 0 if either is shorter than a word."""
    n = _DENSE if 3 * len(_DENSE_CHARACTER.findall(text)) > len(text) else _SPACED
    ours, theirs = _grams(text, n), set(_grams(other, n))
    return sum(gram in theirs for gram in ours) / len(ours) if ours and theirs else 0.0
