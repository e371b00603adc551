"""Shares and means with their 95 % intervals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

_Z = 1.959964
"""The middle 95 % of a normal distribution lie within so many standard deviations of its mean."""


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `total`, with Wilson's score interval (Wilson 1927), which holds for few items and for shares near 0 and 1."""

    hits: int
    total: int

    @property
    def share(self) -> float:
        """The share itself; 0 of nothing."""
        return self.hits / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper bound; of nothing, nothing is known."""
        n = self.total
        if not n:
            return 0.0, 1.0
        p, square = self.share, _Z * _Z
        middle = (p + square / (2 * n)) / (1 + square / n)
        half = _Z * math.sqrt(p * (1 - p) / n + square / (4 * n * n)) / (1 + square / n)
        return max(0.0, middle - half), min(1.0, middle + half)

    @property
    def low(self) -> float:
        """The interval's lower bound."""
        return self.interval[0]

    @property
    def high(self) -> float:
        """The interval's upper bound."""
        return self.interval[1]

    def json(self) -> dict[str, float | int]:
        """For programs."""
        return {"hits": self.hits, "total": self.total, "share": self.share, "low": self.low, "high": self.high}


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


Value: TypeAlias = Share | Mean | float


def summary(marks: Sequence[bool | int | float]) -> Value:
    """What many marks come to: yes or no to a share, whole numbers to their plain mean, others to a mean with its interval."""
    if isinstance(marks[0], bool):
        return Share(sum(marks), len(marks))
    return sum(marks) / len(marks) if isinstance(marks[0], int) else Mean.of(marks)


def percent(share: Share | Mapping[str, float]) -> str:
    """A share, or its `json`, in percent with its interval: `93.3 (79-98)`."""
    found = share.json() if isinstance(share, Share) else share
    return f"{100 * found['share']:.1f} ({100 * found['low']:.0f}-{100 * found['high']:.0f})"
