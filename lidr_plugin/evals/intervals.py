"""Shares with their 95 % intervals."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

_Z = 1.959964


class Share(NamedTuple):
    """`hits` of `total`, with Wilson's score interval (Wilson 1927), which holds for few items and for shares near 0 and 1."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        """The share itself; 0 of nothing."""
        return self.hits / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper bound; of nothing nothing is known."""
        n = self.total
        if not n:
            return 0.0, 1.0
        p, square = self.value, _Z * _Z
        middle = (p + square / (2 * n)) / (1 + square / n)
        half = _Z * math.sqrt(p * (1 - p) / n + square / (4 * n * n)) / (1 + square / n)
        return max(0.0, middle - half), min(1.0, middle + half)

    def json(self) -> dict[str, float | int]:
        """For programs."""
        low, high = self.interval
        return {"hits": self.hits, "total": self.total, "share": self.value, "low": low, "high": high}


def shares(result: Any) -> dict[str, Any]:
    """A named tuple of results for programs: shares with their intervals, other values as they are."""
    return {name: value.json() if isinstance(value, Share) else value for name, value in result._asdict().items()}


def percent(share: Mapping[str, float]) -> str:
    """A share as `Share.json` gives it, in percent with its interval: `93.3 (79-98)`."""
    return f"{100 * share['share']:.1f} ({100 * share['low']:.0f}-{100 * share['high']:.0f})"
