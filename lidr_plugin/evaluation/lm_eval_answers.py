"""How lm-eval's metrics differ between two models: by its samples where both have them, else by its counts."""

from collections.abc import Mapping
from pathlib import Path

import orjson
from pydantic import BaseModel, Field

from lidr_plugin.errors import InputError
from lidr_plugin.evaluation.changes import Change
from lidr_plugin.evaluation.intervals import Estimate, Share, Value
from lidr_plugin.machine.inputs import is_there, read_lines, read_record

_REMEDY = "remove it: without it the models' metrics are compared by their counts"
_EXACT = 1e-6
"""How far a share times its count may be from a whole number, which it is but for rounding."""
Groups = dict[str, list[str]]
"""The tasks and groups that a group of lm-eval is made of."""
Marks = Mapping[str, bool]
"""By question, whether a model's answer has a metric."""


class _Results(BaseModel, frozen=True):
    """The part of lm-eval's results that is needed here."""

    groups: Groups = Field(default={}, alias="group_subtasks")


def tasks_below(groups: Groups, task: str) -> set[str]:
    """All tasks and groups that a group is made of, and those are made of; none of what is no group."""
    found: set[str] = set()
    waiting = [task]
    while waiting:
        new = set(groups.get(waiting.pop(), ())) - found
        found |= new
        waiting += new
    return found


def changes_of(
    before: Mapping[str, Mapping[str, Value]],
    after: Mapping[str, Mapping[str, Value]],
    samples_before: Path | None = None,
    samples_after: Path | None = None,
) -> dict[str, dict[str, Change]]:
    """By task and metric, what became of every metric that is a share of right answers and that both models have.

    Args:
        samples_before: lm-eval's file of results, beside which its samples lie; None: the counts alone are compared.
        samples_after: the same of the other model.

    Raises:
        InputError: a file of samples is damaged.
    """
    found: dict[str, dict[str, Change]] = {}
    for task, metrics in after.items():
        shares = {
            metric: (old, new)
            for metric, value in metrics.items()
            if (old := _share(before.get(task, {}).get(metric))) and (new := _share(value))
        }
        if not shares:
            continue
        old_marks, new_marks = (
            _marks_of(results, task) if results else {} for results in (samples_before, samples_after)
        )
        found[task] = {
            metric: _paired(old_marks.get(metric, {}), new_marks.get(metric, {})) or Change(*both)
            for metric, both in shares.items()
        }
    return found


def _share(value: Value | None) -> Share | None:
    """A metric as the share of right answers that it is; None for a mean of anything else, or of who knows how many."""
    if not isinstance(value, Estimate) or not value.total or not 0 <= value.value <= 1:
        return None
    hits = round(value.value * value.total)
    return Share(hits, value.total) if abs(value.value * value.total - hits) < _EXACT * value.total else None


def _paired(before: Marks, after: Marks) -> Change | None:
    """The change on the same questions; None where the models were not asked the same."""
    if not before or before.keys() != after.keys():
        return None
    return Change.of(list(before.values()), [after[question] for question in before])


def _marks_of(results: Path, task: str) -> dict[str, dict[str, bool]]:
    """By metric, which questions of a task or of all tasks of a group were answered right."""
    groups = read_record(_Results, results, _REMEDY).groups if is_there(results) else {}
    below = sorted(tasks_below(groups, task) - groups.keys())
    if not below:
        return _marks(results, task)
    found: dict[str, dict[str, bool]] = {}
    for name in below:
        for metric, marks in _marks(results, name).items():
            found.setdefault(metric, {}).update({f"{name} {question}": right for question, right in marks.items()})
    return found


def _marks(results: Path, task: str) -> dict[str, dict[str, bool]]:
    """By metric, which questions of a task were answered right; nothing where lm-eval left no samples.

    A metric that is not 0 or 1 in some answer is left out.
    """
    path = results.with_name(f"samples_{task}_{results.stem.removeprefix('results_')}.jsonl")
    found: dict[str, dict[str, bool]] = {}
    graded = set()
    for number, line in enumerate(read_lines(path) if is_there(path) else (), 1):
        try:
            row = orjson.loads(line)
            question, chosen = f"{row['doc_id']} {row['doc_hash']}", row["filter"]
            for metric in row["metrics"]:
                name, value = metric if chosen == "none" else f"{metric} ({chosen})", row[metric]
                if value not in (0, 1):
                    graded.add(name)
                found.setdefault(name, {})[question] = value == 1
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise InputError(f"{path}:{number}: no sample of lm-eval", _REMEDY) from None
    return {name: marks for name, marks in found.items() if name not in graded}
