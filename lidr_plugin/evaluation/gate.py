"""Whether a new model is fit to make data: how it answers held-out prompts, beside the model that it came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from lidr_plugin.errors import InputError
from lidr_plugin.evaluation.intervals import Share
from lidr_plugin.evaluation.results import ANEW
from lidr_plugin.machine.inputs import read_record

_LIMITS = {
    "degenerate": (0.10, "of its answers repeat themselves without end"),
    "cut": (0.15, "of its answers do not end"),
    "off_target": (0.10, "of its answers are in another language"),
}
"""By how much a share may rise, and what it is a share of. The limits are ours: the rounds of docs/results.md raised none of
these shares by more than three points; answers that are merely longer are cut more often, so there the limit is wider."""
_LENGTHS = (0.5, 2.0)
"""Bounds of the mean length of an answer against the model before; in those rounds it stayed above 0.8."""


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How a model answers held-out prompts in one language; `response_level` is None where nobody can tell the language."""

    degenerate: Share
    cut: Share
    characters: float
    response_level: Share | None = None

    @property
    def off_target(self) -> Share | None:
        """What is not in the language."""
        right = self.response_level
        return Share(right.total - right.hits, right.total) if right else None


@dataclass(frozen=True, slots=True)
class _Model:
    prompts: dict[str, Fidelity] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _File:
    results: dict[str, _Model]


def problems(before: Mapping[str, Fidelity], after: Mapping[str, Fidelity]) -> list[str]:
    """Why a new model must not make the next round's data, by language; empty if it may.

    A share counts as risen when its growth is over the limit and the 95 % intervals do not overlap: a few held-out prompts
    decide nothing.
    """
    found = []
    for language, new in after.items():
        old = before[language]
        for name, (limit, what) in _LIMITS.items():
            was, now = getattr(old, name), getattr(new, name)
            if was and now and now.share - was.share > limit and now.interval[0] > was.interval[1]:
                found.append(f"{language}: {now.share:.0%} {what}, {was.share:.0%} before")
        ratio = new.characters / old.characters if old.characters else 1.0
        if not _LENGTHS[0] <= ratio <= _LENGTHS[1]:
            found.append(f"{language}: its answers are {ratio:.1f} times as long as before")
    return found


def problems_in(path: Path, before: str, after: str) -> list[str]:
    """The same by the models' labels, from what `lidr eval` wrote; none without held-out prompts.

    Raises:
        InputError: the file is damaged, or lacks what is to be compared.
    """
    found = read_record(TypeAdapter(_File), path, ANEW.format("eval")).results
    old, new = (found.get(label, _Model()).prompts for label in (before, after))
    if lacking := set(new) - set(old) or {before, after} - set(found):
        raise InputError(f"{path}: {', '.join(sorted(lacking))} is missing", ANEW.format("eval"))
    return problems(old, new)
