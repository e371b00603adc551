"""Finds texts that are like earlier ones."""

import unicodedata
import zlib
from collections import defaultdict

_LENGTH = 4
"""Characters of the sequences that are compared: enough to be rare in alphabets, few enough to match in dense scripts."""
_BINS, _IN_A_BAND = 128, 4
"""Two texts are compared if in one of 32 bands the least of their hashes agree: of those with 0.7 in common 99.9 % are, of
those with a tenth 0.3 %."""


class Alike:
    """Takes texts one by one, and tells those that are like one before.

    Args:
        share: from there two are alike: sequences that both have, of those that either has.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._texts: list[str] = []
        self._bands: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)

    def earlier(self, text: str) -> str | None:
        """The first text that was like this one; None if there was none, and then this one is kept for those that follow."""
        own = sequences(text)
        bands = _bands(own)
        for place in sorted({place for band in bands for place in self._bands.get(band, ())}):
            if common(own, sequences(self._texts[place])) >= self._share:
                return self._texts[place]
        for band in bands:
            self._bands[band].append(len(self._texts))
        self._texts.append(text)
        return None


def sequences(text: str) -> frozenset[str]:
    """All sequences of four letters, marks or figures, whatever the case, spaces and punctuation."""
    bare = "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if unicodedata.category(c)[0] in "LMN")
    return frozenset(bare[at : at + _LENGTH] for at in range(max(1, len(bare) - _LENGTH + 1)))


def common(one: frozenset[str], other: frozenset[str]) -> float:
    """The share of the sequences of either that both have."""
    return len(one & other) / len(one | other)


def _bands(found: frozenset[str]) -> list[tuple[int, ...]]:
    """The least hash in each of some bins, a few bins together; bands without any are left out."""
    least: dict[int, int] = {}
    for sequence in found:
        number = zlib.crc32(sequence.encode(errors="surrogatepass"))
        place = number % _BINS
        least[place] = min(number, least.get(place, number))
    bands = [
        (first, *(least.get(place, -1) for place in range(first, first + _IN_A_BAND)))
        for first in range(0, _BINS, _IN_A_BAND)
    ]
    return [band for band in bands if any(number >= 0 for number in band[1:])]
