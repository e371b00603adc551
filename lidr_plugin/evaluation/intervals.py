"""Shares with their 95 % intervals."""

import math
from collections.abc import Mapping, Sequence
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


class Mean(NamedTuple):
    """A mean, and half of its 95 % interval by the normal approximation."""

    value: float
    half: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Mean":
        """Of at least one value."""
        n = len(values)
        mean = sum(values) / n
        variance = sum((x - mean) ** 2 for x in values) / max(1, n - 1)
        return cls(mean, _Z * math.sqrt(variance / n))


def shares(result: Any) -> dict[str, Any]:
    """A named tuple of results for programs: shares with their intervals, means as (mean, half), other values as they are."""

    def plain(value: Any) -> Any:
        if isinstance(value, Share):
            return value.json()
        return tuple(value) if isinstance(value, Mean) else value

    return {name: plain(value) for name, value in result._asdict().items()}


def percent(share: Mapping[str, float]) -> str:
    """A share as `Share.json` gives it, in percent with its interval: `93.3 (79-98)`."""
    return f"{100 * share['share']:.1f} ({100 * share['low']:.0f}-{100 * share['high']:.0f})"
