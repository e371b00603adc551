"""Votes of answers for a value: a set of readings each, for "1.000" may be 1000 or 1."""

from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from fractions import Fraction
from typing import NamedTuple

from lidr_plugin.methods.candidates import Candidate
from lidr_plugin.text.numbers import final_numbers


class Tally(NamedTuple):
    """What a vote came to.

    Attributes:
        winner: None where nobody voted.
        most: the votes for the winner.
        scores: of each member, the votes for what it says: for the winner if it may mean that, else for its best reading; 0
            for those who abstained.
        supports: of each member, whether it supports the winner.
    """

    winner: Fraction | None
    most: int
    scores: tuple[int, ...]
    supports: tuple[bool, ...]


def tally(readings: Sequence[AbstractSet[Fraction]]) -> Tally:
    """Counts; an empty set abstains. Among equals the value wins that was said first, then the larger of its readings."""
    votes: Counter[Fraction] = Counter()
    first: dict[Fraction, int] = {}
    for place, values in enumerate(readings):
        for value in values:
            votes[value] += 1
            first.setdefault(value, place)
    if not votes:
        return Tally(None, 0, (0,) * len(readings), (False,) * len(readings))
    winner = max(votes, key=lambda value: (votes[value], -first[value], value))
    supports = tuple(winner in values for values in readings)
    scores = tuple(
        votes[winner] if winner in values else max((votes[value] for value in values), default=0) for values in readings
    )
    return Tally(winner, votes[winner], scores, supports)


def votes_in(members: Sequence[Candidate]) -> Tally:
    """The votes of answers; those that are cut, failed or without a number abstain."""
    return tally(
        [
            final_numbers(x.text.text, x.language) if x.is_there and not x.text.cut else frozenset[Fraction]()
            for x in members
        ]
    )
