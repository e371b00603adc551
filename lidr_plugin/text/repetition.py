"""Whether a text repeats itself."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from lidr_plugin.text.scripts import UNSPACED

_NGRAM = 8
_FEWEST_UNITS = 40
_REPEATED_NGRAMS = 0.4
_REPEATED_LINES = 0.4
_LONGEST_WORD = 60
_UNSPACED = re.compile(f"[{UNSPACED}]")
_PERHAPS_UNSPACED = re.compile("[\u0e00-\U0010ffff]")  # one range is looked for several times as fast as a dozen


def is_degenerate(text: str) -> bool:
    """Whether a text repeats itself without end: by lines, or by 8-grams of words (of characters in a very long word).

    Lines: over 40 % of the text's characters stand in lines (of eight characters or more) that stood there three times
    before. 8-grams: over 40 % of them occurred before (in scripts without spaces a unit is a character).
    """
    if len(text) < 60:
        return False
    if "\n" in text:
        lines = Counter(line for line in map(str.strip, text.split("\n")) if len(line) >= 8)
        surplus = sum((count - 3) * len(line) for line, count in lines.items() if count > 3)
        if surplus > _REPEATED_LINES * len(text):
            return True
    units = _units(text)
    if max(map(len, units), default=0) > _LONGEST_WORD:
        longest = max(units, key=len)
        if _is_word(longest) and _repeats(longest):
            return True
    return _repeats(units)


def _units(text: str) -> list[str]:
    """Words; in scripts without spaces characters."""
    unspaced = not text.isascii() and _PERHAPS_UNSPACED.search(text)
    return _UNSPACED.sub(lambda match: match[0] + " ", text).split() if unspaced else text.split()


def repeated_share(text: str, order: int = 4) -> float:
    """The share of a text's n-grams of words (characters in scripts without spaces) that stood in it before."""
    units = _units(text)
    total = len(units) - order + 1
    return 1 - len({tuple(units[i : i + order]) for i in range(total)}) / total if total > 0 else 0.0


def _repeats(units: Sequence[str]) -> bool:
    """Whether over 40 % of the 8-grams of units occurred before."""
    total = len(units) - _NGRAM + 1
    # Every distinct unit begins an 8-gram of its own (but for the last seven), so many distinct units settle it.
    if len(units) < _FEWEST_UNITS or len(set(units)) >= (1 - _REPEATED_NGRAMS) * total + _NGRAM:
        return False
    ngrams = {tuple(units[i : i + _NGRAM]) for i in range(total)}
    return 1 - len(ngrams) / total > _REPEATED_NGRAMS


def _is_word(unit: str) -> bool:
    """Whether it holds letters, digits and vowel signs alone: no rule, no address, no row of a table."""
    return all(char.isalnum() or unicodedata.category(char)[0] == "M" for char in unit)
