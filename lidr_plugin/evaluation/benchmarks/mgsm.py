"""MGSM (Shi et al. 2022, arXiv 2210.03057): grade-school mathematics in eleven languages, zero-shot, in the chat template.

The answer is asked for in the question's language, with its last line after a word of that language, as in OpenAI's
simple-evals; the wording, in `mgsm.json`, is lidr's own.
"""

import csv
import json
import os
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lidr_plugin import files, languages
from lidr_plugin.config.schema import Columns, Config
from lidr_plugin.errors import InputError
from lidr_plugin.evaluation.benchmarks.base import MarkedAnswer, Marks, Question, read_questions
from lidr_plugin.machine import hub
from lidr_plugin.machine.environments import home
from lidr_plugin.methods.base import Text
from lidr_plugin.text.language import Identification
from lidr_plugin.text.numbers import expected_number, is_correct

_COLUMNS = Columns(instruction="query", final_answer="response")
_WORDING = json.loads(Path(__file__).with_suffix(".json").read_bytes())
_HUB = "hub:"

LANGUAGES = tuple(_WORDING)


def turn(text: str, language: str) -> str:
    """The user turn that asks a question."""
    return "{request}\n{word}: 42\n\n".format(**_WORDING[language]) + text


def files_of(config: Config) -> str | None:
    """Path of the questions, with `{language}` in it; those on the Hub are loaded. None: they are not wanted.

    Raises:
        InputError: a file could not be loaded, or is no table of questions and numbers.
    """
    wanted = config.eval.mgsm
    if wanted is None or not wanted.startswith(_HUB):
        return wanted and str((config.folder / wanted).absolute())
    repository = wanted.removeprefix(_HUB)
    folder = home() / "data" / repository.replace("/", "--")
    for code in config.codes:
        path = folder / f"{code}.jsonl"
        if code in LANGUAGES and not os.path.exists(path):
            with files.replacing(path) as file:
                for query, response in _table(repository, code):
                    file.write(files.dump_line({"query": query, "response": response}))
    return str(folder / "{language}.jsonl")


def _table(repository: str, code: str) -> list[list[str]]:
    """Questions and numbers of a repository like `juletxara/mgsm`."""
    try:
        path = hub.download(repository, f"mgsm_{code}.tsv", key="eval.mgsm", kind="dataset")
    except InputError as error:
        own = "or put the questions into files, lines of query and response: eval.mgsm=mgsm/{language}.jsonl"
        raise InputError(error.message, f"{error.hint}\n{own}") from None
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (UnicodeDecodeError, csv.Error):
        rows = []
    if not rows or any(len(row) != 2 for row in rows):
        raise InputError(f"eval.mgsm: {repository}: mgsm_{code}.tsv is no table of questions and numbers")
    return rows


def lacking(config: Config) -> list[str]:
    """What to say of the run's languages that MGSM lacks, if it is wanted."""
    absent = [code for code in config.codes if code not in LANGUAGES] if config.eval.mgsm else []
    return [f"MGSM has no {languages.name_of(code)} ({code}): nothing is measured there" for code in absent]


@dataclass(frozen=True, slots=True)
class Mgsm:
    """The mathematics of `eval.mgsm`. The mark `off_target` is the paper's "Off-tag"."""

    pattern: str
    limit: int | None
    identification: Identification
    name: ClassVar[str] = "mgsm"
    heads: ClassVar[Mapping[str, str]] = {
        "accuracy": "accuracy",
        "accuracy_in_language": "accuracy in its language",
        "off_target": "off target",
        "cut": "cut",
    }

    @classmethod
    def of(cls, config: Config, identification: Identification) -> "Mgsm | None":
        """As a configuration wants it; None if it does not."""
        pattern = files_of(config)
        return cls(pattern, config.eval.limit, identification) if pattern else None

    def questions(self, languages: Sequence[str]) -> Sequence[Question]:
        """In those of the languages that MGSM has."""
        paths = {code: Path(self.pattern.replace("{language}", code)) for code in languages if code in LANGUAGES}
        found = read_questions(paths, _COLUMNS, self.limit, by_row=True)
        if lacking := next((x for x in found if not x.expected), None):
            raise InputError(f"{paths[lacking.language]}: question {lacking.id}, counted from 0, has no response")
        if unread := next((x for x in found if not expected_number(x.expected)), None):
            raise InputError(
                f"{paths[unread.language]}: question {unread.id}, counted from 0: its response is no number that can be read: "
                f"{reprlib.repr(unread.expected)}",
                "correct it, or leave the question out",
            )
        return [x._replace(text=turn(x.text, x.language), bare=x.text) for x in found]

    def marks(self, question: Question, answer: Text) -> Marks:
        """Numbers compare as numbers, in any digits; where the language cannot be identified its marks are left out."""
        right = is_correct(answer.text, question.expected, question.language)
        astray = self.identification.off_target(answer.text, question.language)
        told = {} if astray is None else {"accuracy_in_language": right and not astray, "off_target": astray}
        return {"accuracy": right, **told, "cut": answer.cut}

    def export(self, folder: Path, label: str, language: str, answers: Sequence[MarkedAnswer]) -> None:
        """A line for each question, with the answer and how it fared."""
        with files.replacing(folder / f"{label}.mgsm.{language}.jsonl") as file:
            for question, text, marks in answers:
                found = {mark: marks[mark] for mark in ("off_target", "cut") if mark in marks}
                row = {
                    "id": question.id,
                    "answer": text.text,
                    "expected": question.expected,
                    "correct": marks["accuracy"],
                    **found,
                }
                file.write(files.dump_line(row))
