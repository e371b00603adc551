"""Answers graded beside the dominant language's answer to the same prompt (after Hercule, arXiv 2410.13394)."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lidr_plugin import files
from lidr_plugin.evaluation.benchmarks.base import MarkedAnswer
from lidr_plugin.evaluation.intervals import Mean, grouped
from lidr_plugin.evaluation.judge import Submission
from lidr_plugin.methods.base import Text
from lidr_plugin.text.visible import is_blank

_BEST = 10
"""The best grade; shown are shares of it, as everything else beside it is in percent."""


class Referenced(NamedTuple):
    """An answer of the model of this label, with its reference."""

    label: str
    language: str
    submission: Submission


def submissions(answers: Mapping[str, Sequence[MarkedAnswer]], dominant: str) -> list[Referenced]:
    """Every model's answers in the other languages to prompts that the first model answered in the dominant one.

    The reference is the same for all models, so that their grades compare; an answer that is empty or cut is none.
    """
    first = next(iter(answers.values()), ())
    references = {x.question.id: x.text.text for x in first if x.question.language == dominant and _is_whole(x.text)}
    return [
        Referenced(label, code, Submission(id, question.text, text.text, references[id]))
        for label, own in answers.items()
        for question, text, _ in own
        if (code := question.language) != dominant and (id := question.id) in references
    ]


def _is_whole(text: Text) -> bool:
    return not is_blank(text.text) and not text.cut


class Grade(NamedTuple):
    """Of a model's answers in one language: the mean grade, 1 for the best."""

    label: str
    language: str
    mean: Mean


def grades(folder: Path, asked: Sequence[Referenced], found: Sequence[float | None]) -> Iterator[Grade]:
    """What the grades come to, without those that could not be read; also writes them, one file for each model and language."""
    graded = [(x, grade) for x, grade in zip(asked, found, strict=True) if grade is not None]
    for (label, code), items in grouped(
        ((x.label, x.language), (x.submission.id, grade)) for x, grade in graded
    ).items():
        with files.replacing(folder / f"{label}.graded.{code}.jsonl") as file:
            file.writelines(files.dump_line({"id": id, "grade": grade}) for id, grade in items)
        yield Grade(label, code, Mean.of([grade / _BEST for _, grade in items]))
