"""Shares, means and estimates with their intervals."""

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
_Z = 1.959964
"""The middle 95 % of a normal distribution lie within so many standard deviations of its mean."""


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `total`, with Wilson's 95 % interval (Wilson 1927), which holds for few items and for shares near 0 and 1."""

    hits: int
    total: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.total < 2**53:
            raise ValueError(f"{self.hits} of {self.total} is no share")

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

    def json(self) -> dict[str, str | float]:
        """For programs."""
        low, high = self.interval
        return {"hits": self.hits, "total": self.total, "share": self.share, "low": low, "high": high}


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


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric of lm-eval, with its standard error where it has one, and the number of answers where more of it is better."""

    value: float
    stderr: float | None
    total: int | None = None


Value: TypeAlias = Share | Mean | Estimate | float


def summary(marks: Sequence[bool | int | float]) -> Value:
    """What many marks come to: yes or no to a share, whole numbers to their plain mean, others to a mean with its interval."""
    if isinstance(marks[0], bool):
        return Share(sum(map(bool, marks)), len(marks))
    return sum(marks) / len(marks) if isinstance(marks[0], int) else Mean.of(marks)


def grouped(items: Iterable[tuple[K, V | None]]) -> dict[K, list[V]]:
    """Values by their keys, in their order; None is left out."""
    found: dict[K, list[V]] = {}
    for key, value in items:
        if value is not None:
            found.setdefault(key, []).append(value)
    return found


def percent(share: Share) -> str:
    """In percent with its interval: `93.3 (79-98)`."""
    low, high = share.interval
    return f"{100 * share.share:.1f} ({100 * low:.0f}-{100 * high:.0f})"
