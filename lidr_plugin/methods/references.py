"""The dominant answers that others are held against: which they are, and which is the most central."""

from collections.abc import Callable

from lidr_plugin.methods.candidates import Candidate, Pool
from lidr_plugin.methods.votes import votes_in

MOST = 20
"""References at most, as LaCoMSA has them."""
Likeness = Callable[[int, int], float]
"""How alike two candidates are, by their places."""


def references_of(pool: Pool, *, by_vote: bool) -> list[Candidate]:
    """Distinct dominant answers that may be chosen, or all where none may; with `by_vote` those alone that say what most say.

    Answers in which a line is repeated are left out where there are others, as MAPO has it.
    """
    candidates = [x for x in pool.distinct if x.reason is None] or pool.distinct
    if by_vote:
        told = dict(zip(pool.members, votes_in(pool.members).supports, strict=True))
        candidates = [x for x in candidates if told[x]] or candidates
    plain = [x for x in candidates if not _repeats(x.words)]
    return (plain or candidates)[:MOST]


def _repeats(text: str) -> bool:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return len(set(lines)) < len(lines)


def medoid(count: int, alike: Likeness) -> int:
    """The place of the one that is most like the others, on average; the first of equals."""
    return max(range(count), key=lambda at: sum(alike(at, other) for other in range(count) if other != at))
