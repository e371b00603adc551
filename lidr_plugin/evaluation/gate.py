"""Whether a new model is fit to make data: how it answers held-out prompts, beside the model that it came from."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from lidr_plugin.errors import InputError
from lidr_plugin.evaluation.intervals import Share, Value
from lidr_plugin.evaluation.results import ModelResults, read_results

_LIMITS = {
    "degenerate": (0.10, "of its answers repeat themselves without end"),
    "cut": (0.15, "of its answers do not end"),
    "off_target": (0.10, "of its answers are in another language"),
}
"""By how much a share may rise, and what it is a share of. The limits are ours: the rounds of docs/results.md raised none of
these shares by more than three points; answers that are merely longer are cut more often, so there the limit is wider."""
_LENGTHS = (0.5, 2.0)
"""Bounds of the mean length of an answer against the model before; in those rounds it stayed above 0.75."""


class Behaviour(NamedTuple):
    """How a model answers in one language. `off_target`: None where the language cannot be identified."""

    degenerate: Share
    cut: Share
    off_target: Share | None
    characters: float


def problems(before: Mapping[str, Behaviour], after: Mapping[str, Behaviour]) -> list[str]:
    """Why the new model must not make the next round's data, by language; empty if it may.

    A share counts as risen when its growth is over the limit and the 95 % intervals do not overlap: a few held-out prompts
    decide nothing.

    Args:
        before: of the model that the round started from.
        after: of the model that the round ended with.
    """
    found = []
    for language, new in after.items():
        old = before[language]
        for name, (limit, what) in _LIMITS.items():
            was, now = getattr(old, name), getattr(new, name)
            if was and now and now.share - was.share > limit and now.low > was.high:
                found.append(f"{language}: {now.share:.0%} {what}, {was.share:.0%} before")
        if old.characters:
            ratio = new.characters / old.characters
            if not _LENGTHS[0] <= ratio <= _LENGTHS[1]:
                found.append(f"{language}: its answers are {ratio:.1f} times as long as before")
    return found


def problems_in(path: Path, before: str, after: str) -> list[str]:
    """The same from what `lidr eval` wrote, by the models' labels; without held-out prompts there are none.

    Raises:
        InputError: the file is damaged, or has not what is to be compared.
    """
    found = read_results(path).results
    try:
        return problems(_behaviour(found[before]), _behaviour(found[after]))
    except KeyError as error:
        raise InputError(f"{path}: {error.args[0]} is missing", "`lidr eval` writes the file anew") from None


def _behaviour(found: ModelResults) -> dict[str, Behaviour]:
    return {code: _of(marks) for code, marks in found.benchmarks.get("prompts", {}).items()}


def _of(marks: Mapping[str, Value]) -> Behaviour:
    right, characters = marks.get("response_level"), marks["characters"]
    degenerate, cut = marks["degenerate"], marks["cut"]
    if not (isinstance(degenerate, Share) and isinstance(cut, Share) and isinstance(characters, float)):
        raise KeyError("a mark of the held-out prompts")
    return Behaviour(
        degenerate, cut, Share(right.total - right.hits, right.total) if isinstance(right, Share) else None, characters
    )
