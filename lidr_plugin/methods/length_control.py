"""A price for each character, for scores that like length (DICE, arXiv 2406.09760; ICR, arXiv 2503.04647)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lidr_plugin.methods.candidates import Ranked, Ranking

_STEPS = 1000
"""Prices that are tried: 0, 0.001, … 0.999."""
_NEVER = np.iinfo(np.int64).min


def priced(ranking: Ranking, prices: Mapping[str, float]) -> Ranking:
    """A ranking whose scores have paid for their length, at the price of its language."""
    price = prices.get(ranking.pool.language, 0.0)
    if not price:
        return ranking
    return ranking._replace(ranked=[x._replace(score=_paid(x, price)) for x in ranking.ranked])


def _paid(ranked: Ranked, price: float) -> float:
    return round(ranked.score - price * len(ranked.candidate.text.text), 4)


@dataclass
class LengthFit:
    """Finds the price at which chosen and rejected texts differ least in length, over all prompts of a language.

    In whole numbers, so that nothing depends on how they are added up: scores count in their fourth decimal, as they are compared.
    """

    _sums: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(_STEPS, dtype=np.int64))

    def add(self, ranked: Sequence[Ranked]) -> None:
        """Takes the answers to one prompt, the best and the worst of which would be a pair."""
        choosable = np.array([x.choosable for x in ranked], dtype=bool)
        if not choosable.any():
            return
        scores = np.array([round(x.score * 10_000) for x in ranked], dtype=np.int64)
        characters = np.array([len(x.candidate.text.text) for x in ranked], dtype=np.int64)
        # A thousandth of a point a character is ten units of the fourth decimal.
        paid = scores - 10 * np.arange(_STEPS, dtype=np.int64)[:, None] * characters
        best = np.where(choosable, paid, _NEVER).argmax(axis=1)
        self._sums += characters[best] - characters[paid.argmin(axis=1)]

    @property
    def sums(self) -> list[int]:
        """What was added up so far: for each price the characters by which chosen texts are longer."""
        return [int(x) for x in self._sums]

    def add_sums(self, sums: Sequence[int]) -> None:
        """Takes what was added up elsewhere."""
        self._sums += np.array(sums, dtype=np.int64)

    @property
    def price(self) -> float:
        """The first of those that are best."""
        return int(np.abs(self._sums).argmin()) / _STEPS


def fit(rankings: Sequence[Ranking], found: dict[str, LengthFit]) -> None:
    """Adds one prompt's rankings to the fits of their languages."""
    for ranking in rankings:
        if ranking.reason is None and ranking.ranked:
            found.setdefault(ranking.pool.language, LengthFit()).add(ranking.ranked)
