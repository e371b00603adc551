"""Whether a new model is fit to make data: all that is measured of it, beside the model that it came from."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lidr_plugin.errors import InputError
from lidr_plugin.evaluation.changes import Change, risen
from lidr_plugin.evaluation.intervals import Share
from lidr_plugin.evaluation.lm_eval_answers import changes_of
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
LM_EVAL = "lm_eval"
_TASK = _Harm("of its answers are right", good=True)
"""Every metric of lm-eval that is a share of answers of which more is better."""
_LENGTHS = (0.5, 2.0)
"""Bounds of the mean length of an answer against the model before; in the rounds of docs/results.md it stayed above 0.8."""
_LEVEL = 0.05
"""How often two equal models may be told apart by chance, all marks of all languages and benchmarks together."""


class _Place(NamedTuple):
    """Where a change was seen; of lm-eval in a task."""

    language: str
    benchmark: str
    mark: str

    @property
    def harm(self) -> _Harm | None:
        """What may change for the worse there; None for a mark that says nothing of good or bad."""
        return _TASK if self.benchmark == LM_EVAL else _HARMS.get(self.mark)


def harmed(changes: Changes) -> dict[_Place, Change]:
    """What surely became worse, as rises of what is bad; empty if nothing did.

    Every share of `_HARMS` is looked at, in every language and benchmark, the dominant language too, and every share of right
    answers of lm-eval; `changes.risen` says which of them count.
    """
    seen = {
        place: change.opposite if place.harm.good else change
        for benchmark, languages in changes.items()
        for code, marks in languages.items()
        for mark, change in marks.items()
        if (place := _Place(code, benchmark, mark)).harm
    }
    sure = risen(seen, _LEVEL)
    return {
        place: change
        for place, change in seen.items()
        if place in sure and place.harm and change.rise > place.harm.least
    }


def harms(changes: Changes) -> list[str]:
    """What surely became worse, in words."""
    return [_words(place, place.harm, change) for place, change in harmed(changes).items() if place.harm]


def remedies(changes: Changes) -> list[str]:
    """What may help against what surely became worse, beside a gentler training."""
    found = list(harmed(changes))
    skills = dict.fromkeys(
        place.language if place.benchmark == LM_EVAL else place.benchmark
        for place in found
        if place.harm and place.harm.good and place.mark != "response_level"
    )
    astray = dict.fromkeys(place.language for place in found if place.mark in ("off_target", "response_level"))
    endless = dict.fromkeys(place.language for place in found if place.mark in ("degenerate", "cut"))
    return [
        *([f"mix in prompts of what is lost ({', '.join(skills)}): mix_in"] if skills else []),
        *(
            [f"look at the chosen texts in {', '.join(astray)}: foreign words in them teach foreign answers"]
            if astray
            else []
        ),
        *([f"look at how the chosen texts in {', '.join(endless)} end: stricter filters"] if endless else []),
    ]


def _words(place: _Place, harm: _Harm, change: Change) -> str:
    """As `de: 20 % of its answers are in another language (mgsm), 2 % before: +18 points (4 to 32), p 0.008`."""
    shown = change.opposite if harm.good else change
    low, high = shown.interval
    where = f"{LM_EVAL}, {place.mark}" if place.benchmark == LM_EVAL else place.benchmark
    return (
        f"{place.language}: {shown.after.share:.0%} {harm.words} ({where}), {shown.before.share:.0%} before: "
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
        if benchmark != LM_EVAL
    } | {LM_EVAL: changes_of(before.get(LM_EVAL, {}), after.get(LM_EVAL, {}))}


class Problems(NamedTuple):
    """Why a new model must not make the next round's data, and what may help."""

    found: list[str]
    remedies: list[str]


def problems_in(path: Path, before: str, after: str) -> Problems:
    """What the gate says of a new model, by the models' labels, from what `lidr eval` wrote.

    Raises:
        InputError: the file is damaged, or lacks what is to be compared.
    """
    found = read_results(path)
    old, new = (found.results.get(label, {}) for label in (before, after))
    lacking = [label for label in (before, after) if label not in found.results] or [
        f"{benchmark} in {code} of {before}"
        for benchmark, languages in new.items()
        for code in languages
        if benchmark != LM_EVAL and code not in old.get(benchmark, {})
    ]
    if lacking:
        raise InputError(f"{path}: {', '.join(lacking)} is missing", ANEW.format("eval"))
    paired = found.changes.get(after) if next(iter(found.models)) == before else None
    changes = paired or _by_shares(old, new)
    return Problems([*harms(changes), *_lengths(old, new)], remedies(changes))
