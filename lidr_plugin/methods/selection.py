"""Which of the ranked texts become pairs. Pure: ties go to the text that stands first, chosen and rejected alike."""

from collections.abc import Callable, Iterator, Sequence
from statistics import fmean, pstdev
from typing import Literal, NamedTuple, TypeAlias

from lidr_plugin.methods.candidates import Ranked

Select: TypeAlias = Literal["extremes", "spread", "contrast", "every"]
Chance: TypeAlias = Callable[[str], float]
"""A number from 0 up to 1 for each name (`methods.draw`)."""


class Pairing(NamedTuple):
    """A chosen and a rejected text."""

    chosen: Ranked
    rejected: Ranked


def select(how: Select, ranked: Sequence[Ranked], most: int, chance: Chance) -> list[Pairing]:
    """The pairs of one prompt in one language; none where no text is better than another.

    Args:
        most: for `contrast` and `every`, how many pairs there may be.
        chance: decides which pairs of `every` are kept.
    """
    if how == "extremes":
        return _against(ranked, lambda below: min(below, key=lambda x: x.score))
    if how == "spread":
        target = _two_deviations_below(ranked)
        return _against(ranked, lambda below: min(below, key=lambda x: abs(x.score - target)))
    if how == "contrast":
        return _contrast(ranked)[:most]
    pairs = list(_every(ranked))
    kept = sorted(range(len(pairs)), key=lambda at: (chance(_name(pairs[at])), at))[:most]
    return [pairs[at] for at in sorted(kept)]


def is_better(chosen: Ranked, rejected: Ranked) -> bool:
    """Whether two texts can be a pair: other words, and a higher score."""
    return (
        chosen.choosable
        and rejected.rejectable
        and chosen.score > rejected.score
        and chosen.candidate.words != rejected.candidate.words
    )


def _against(ranked: Sequence[Ranked], worst: Callable[[list[Ranked]], Ranked]) -> list[Pairing]:
    """The best text that may be chosen, against one of those below it."""
    choosable = [x for x in ranked if x.choosable]
    if not choosable:
        return []
    best = max(choosable, key=lambda x: x.score)
    below = [x for x in ranked if is_better(best, x)]
    return [Pairing(best, worst(below))] if below else []


def _two_deviations_below(ranked: Sequence[Ranked]) -> float:
    """The mean of all scores less two of their standard deviations (CroCo, arXiv 2605.26293).

    No score of five or fewer lies below it, so there the lowest is nearest.
    """
    scores = [x.score for x in ranked]
    return fmean(scores) - 2 * pstdev(scores) if scores else 0.0


def _contrast(ranked: Sequence[Ranked]) -> list[Pairing]:
    """The first right text against the first wrong one, the second against the second, …"""
    right = [x for x in ranked if x.right and x.choosable]
    wrong = [x for x in ranked if x.right is False and x.rejectable]
    return [Pairing(*pair) for pair in zip(right, wrong, strict=False) if is_better(*pair)]


def _every(ranked: Sequence[Ranked]) -> Iterator[Pairing]:
    """Every text against all below it."""
    for chosen in ranked:
        for rejected in ranked:
            if is_better(chosen, rejected):
                yield Pairing(chosen, rejected)


def _name(pair: Pairing) -> str:
    return f"{pair.chosen.candidate.source}>{pair.rejected.candidate.source}"
