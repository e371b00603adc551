"""What became of a share from one model to the next: how large the change is, how sure, and which of many changes count.

The interval is Newcombe's: his method 10 for pairs of answers to the same questions (Statistics in Medicine 17, 1998, pages
2635-2650), and the one without the correlation for different questions (pages 873-890). The tests are exact: McNemar's for
pairs, Fisher's otherwise. Many changes are looked at together by Holm's procedure, with Tarone's remark (Biometrics 46, 1990)
that a test which so few changed answers could never decide takes nothing from the others.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

from lidr_plugin.evaluation.intervals import Share

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Change:
    """A share of two models' answers.

    Attributes:
        gained: questions whose answer has the mark after and had it not before; None where the questions were others.
        lost: those whose answer had it before and has it no more; None as above.
    """

    before: Share
    after: Share
    gained: int | None = None
    lost: int | None = None

    @classmethod
    def of(cls, before: Sequence[bool], after: Sequence[bool]) -> "Change":
        """The marks of two models' answers to the same questions, in the same order."""
        pairs = list(zip(before, after, strict=True))
        return cls(
            Share(sum(before), len(before)),
            Share(sum(after), len(after)),
            gained=sum(new and not old for old, new in pairs),
            lost=sum(old and not new for old, new in pairs),
        )

    @property
    def opposite(self) -> "Change":
        """That of the answers without the mark."""
        return Change(
            Share(self.before.total - self.before.hits, self.before.total),
            Share(self.after.total - self.after.hits, self.after.total),
            gained=self.lost,
            lost=self.gained,
        )

    @property
    def rise(self) -> float:
        """By how much the share rose, from -1 to 1."""
        return self.after.share - self.before.share

    @property
    def interval(self) -> tuple[float, float]:
        """Newcombe's 95 % interval of `rise`."""
        (low, high), (low_before, high_before) = self.after.interval, self.before.interval
        up, down = high - self.after.share, self.after.share - low
        up_before, down_before = high_before - self.before.share, self.before.share - low_before
        phi = self._correlation()
        below = math.sqrt(max(0.0, down**2 - 2 * phi * down * up_before + up_before**2))
        above = math.sqrt(max(0.0, up**2 - 2 * phi * up * down_before + down_before**2))
        return self.rise - below, self.rise + above

    def _correlation(self) -> float:
        """Newcombe's estimate of the correlation within the pairs, corrected for continuity; 0 for different questions."""
        if self.gained is None or self.lost is None:
            return 0.0
        n, both = self.before.total, self.before.hits - self.lost
        neither = n - both - self.gained - self.lost
        margins = self.before.hits * (n - self.before.hits) * self.after.hits * (n - self.after.hits)
        excess = both * neither - self.gained * self.lost
        return (max(0.0, excess - n / 2) if excess > 0 else excess) / math.sqrt(margins) if margins else 0.0

    @property
    def p_rise(self) -> float:
        """One-sided: how often chance alone would make the share rise so much or more."""
        if self.gained is None or self.lost is None:
            return self._fisher(self.after.hits)
        return _coins(self.gained, self.gained + self.lost)

    @property
    def least_p(self) -> float:
        """The smallest `p_rise` that so many changed answers, or so many hits in all, could have given."""
        if self.gained is None or self.lost is None:
            return self._fisher(min(self.before.hits + self.after.hits, self.after.total))
        return _coins(self.gained + self.lost, self.gained + self.lost)

    def _fisher(self, least: int) -> float:
        """Of all ways to deal out the hits, the share of those that give `after` at least so many (hypergeometric)."""
        hits, total = self.before.hits + self.after.hits, self.before.total + self.after.total
        ways = sum(
            math.comb(self.after.total, k) * math.comb(self.before.total, hits - k)
            for k in range(least, min(hits, self.after.total) + 1)
        )
        return ways / math.comb(total, hits)


def _coins(least: int, tosses: int) -> float:
    """The chance of at least so many heads."""
    return sum(math.comb(tosses, k) for k in range(least, tosses + 1)) / (1 << tosses)


def risen(changes: Mapping[K, Change], level: float = 0.05) -> set[K]:
    """Those of many shares that surely rose: that any of them only seems to has a chance of `level` at most."""
    found: set[K] = set()
    while True:
        rest = {key: change for key, change in changes.items() if key not in found}
        smallest = [change.least_p for change in rest.values()]
        looks = next(k for k in count(1) if sum(p <= level / k for p in smallest) <= k)
        new = {key for key, change in rest.items() if change.p_rise <= level / looks}
        if not new:
            return found
        found |= new
