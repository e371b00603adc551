"""Which candidates a prompt has, in which order they are weighed, and what they become (contract, section 1)."""

from collections.abc import Iterable, Sequence

from lidr_plugin.methods.base import Drop, Outcome, Preference, Reason
from lidr_plugin.methods.filters import Filter

Weighed = Preference | Drop
"""A pair, or a candidate that became none."""


def turns(position: int, languages: Sequence[str], policy: str) -> Sequence[str]:
    """The non-dominant languages whose dominant-language candidate is considered, in order.

    Under `one` the languages take turns by the prompt's position, and those after the first are considered only where
    the candidate before was rejected.
    """
    if policy == "none":
        return ()
    if policy == "last":
        return languages[-1:]
    if policy == "all":
        return languages
    first = position % len(languages)
    return [*languages[first:], *languages[:first]]


def weigh(candidate: Preference, filters: Sequence[Filter], *, drop: bool) -> Weighed:
    """The candidate if it passes all filters, else its rejection with the first reason.

    Args:
        drop: the prompt asks for a translation itself, and such prompts are dropped.
    """
    if drop:
        return Drop(candidate, Reason.TRANSLATION_PROMPT)
    for check in filters:
        if reason := check(candidate):
            return Drop(candidate, reason)
    return candidate


def settle(
    position: int,
    non_dominant: Iterable[Weighed | None],
    dominant: Iterable[Weighed | None],
    *,
    first_only: bool,
) -> Outcome | None:
    """Puts a prompt's candidates together: the non-dominant languages in order, then the dominant one.

    Args:
        non_dominant: each language's weighed candidate; None where an answer is not there yet.
        dominant: likewise, by `turns`; weighed one by one, as they are needed.
        first_only: one dominant pair is enough (`dominant_pairs: one`).

    Returns:
        None as long as an answer is missing.
    """
    weighed = list(non_dominant)
    for item in dominant:
        weighed.append(item)
        if first_only and not isinstance(item, Drop):
            break
    if None in weighed:
        return None
    return Outcome(
        position,
        pairs=tuple([item for item in weighed if isinstance(item, Preference)]),
        rejections=tuple([item for item in weighed if isinstance(item, Drop)]),
    )
