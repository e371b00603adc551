"""Whether a new model is fit to make data: all that is measured of it, beside the model that it came from."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lidr_plugin.errors import InputError
from lidr_plugin.evaluation.changes import Change, risen
from lidr_plugin.evaluation.intervals import Share
from lidr_plugin.evaluation.results import ANEW, Changes, ModelResults, read_results


class _Harm(NamedTuple):
    """A mark that may change for the worse.

    Attributes:
        words: what share of the answers it is.
        good: whether it is harm that the share falls, not that it rises.
        least: the change that matters, however sure a smaller one is.
    """

    words: str
    good: bool = False
    least: float = 0.02


_HARMS = {
    "accuracy": _Harm("of its answers are right", good=True),
    "degenerate": _Harm("of its answers repeat themselves without end"),
    "off_target": _Harm("of its answers are in another language"),
    "response_level": _Harm("of its answers are in the right language", good=True),
    # Answers that are merely longer are cut more often, and a round may well make them longer.
    "cut": _Harm("of its answers do not end", least=0.05),
}
"""Marks by name, of any benchmark. `least` is ours: in the rounds of the small world that helped, no share changed for the worse
by more than a point, and at twice their learning rate English lost three (docs/rounds.md)."""
_LENGTHS = (0.5, 2.0)
"""Bounds of the mean length of an answer against the model before; in the rounds of docs/results.md it stayed above 0.8."""
_LEVEL = 0.05
"""How often two equal models may be told apart by chance, all marks of all languages and benchmarks together."""


class _Place(NamedTuple):
    """Where a change was seen."""

    language: str
    benchmark: str
    mark: str


def harms(changes: Changes) -> list[str]:
    """What surely became worse, in words; empty if nothing did.

    Every share of `_HARMS` is looked at, in every language and benchmark, the dominant language too; `changes.risen` says which
    of them count.
    """
    seen = {
        _Place(code, benchmark, mark): change.opposite if _HARMS[mark].good else change
        for benchmark, languages in changes.items()
        for code, marks in languages.items()
        for mark, change in marks.items()
        if mark in _HARMS
    }
    sure = risen(seen, _LEVEL)
    return [
        _words(place, change)
        for place, change in seen.items()
        if place in sure and change.rise > _HARMS[place.mark].least
    ]


def _words(place: _Place, change: Change) -> str:
    """As `de: 20 % of its answers are in another language (mgsm), 2 % before: +18 points (4 to 32), p 0.008`."""
    harm = _HARMS[place.mark]
    shown = change.opposite if harm.good else change
    low, high = shown.interval
    return (
        f"{place.language}: {shown.after.share:.0%} {harm.words} ({place.benchmark}), {shown.before.share:.0%} before: "
        f"{100 * shown.rise:+.0f} points ({100 * low:.0f} to {100 * high:.0f}), p {change.p_rise:.2g}"
    )


def _lengths(before: ModelResults, after: ModelResults) -> Iterator[str]:
    """Languages in which answers to held-out prompts became much shorter or longer."""
    for language in after.get("prompts", {}):
        old, new = (of["prompts"][language].get("characters", 0.0) for of in (before, after))
        ratio = new / old if isinstance(new, float) and isinstance(old, float) and old else 1.0
        if not _LENGTHS[0] <= ratio <= _LENGTHS[1]:
            yield f"{language}: its answers are {ratio:.1f} times as long as before"


def _by_shares(before: ModelResults, after: ModelResults) -> Changes:
    """The changes without the pairs of answers, for files that do not have them: version 0.1 wrote shares alone."""
    return {
        benchmark: {
            code: {
                mark: Change(old, new)
                for mark, new in marks.items()
                if isinstance(new, Share) and isinstance(old := before[benchmark][code].get(mark), Share)
            }
            for code, marks in languages.items()
        }
        for benchmark, languages in after.items()
        if benchmark != "lm_eval"
    }


def problems_in(path: Path, before: str, after: str) -> list[str]:
    """Why a new model must not make the next round's data, by the models' labels, from what `lidr eval` wrote.

    Raises:
        InputError: the file is damaged, or lacks what is to be compared.
    """
    found = read_results(path)
    old, new = (found.results.get(label, {}) for label in (before, after))
    lacking = [label for label in (before, after) if label not in found.results] or [
        f"{benchmark} in {code} of {before}"
        for benchmark, languages in new.items()
        for code in languages
        if benchmark != "lm_eval" and code not in old.get(benchmark, {})
    ]
    if lacking:
        raise InputError(f"{path}: {', '.join(lacking)} is missing", ANEW.format("eval"))
    paired = found.changes.get(after) if next(iter(found.models)) == before else None
    return [*harms(paired or _by_shares(old, new)), *_lengths(old, new)]
