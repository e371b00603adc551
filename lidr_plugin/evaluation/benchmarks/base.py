"""What a benchmark is, and the questions and answers that it is made of."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias

from lidr_plugin.config.schema import Columns
from lidr_plugin.errors import InputError
from lidr_plugin.methods.base import Text
from lidr_plugin.prompts.files import Extent
from lidr_plugin.prompts.prompt_set import PromptSet

Marks: TypeAlias = Mapping[str, bool | int | float]
"""What is found in one answer, by name: yes or no, a count, or a measure; `intervals.summary` says what many come to."""


class Question(NamedTuple):
    """One question in one language; `text` is the user turn, `expected` the right answer where there is one.

    Attributes:
        bare: the question without the words by which the benchmark asks it; empty: it has no such words.
    """

    id: str
    language: str
    text: str
    expected: str = ""
    bare: str = ""


class MarkedAnswer(NamedTuple):
    """A model's answer to a question, and what the benchmark found in it."""

    question: Question
    text: Text
    marks: Marks


class Benchmark(Protocol):
    """Questions in several languages, and what can be said of each answer by itself.

    Attributes:
        name: as in results.json.
        heads: by mark, the head of its column in a table.
    """

    @property
    def name(self) -> str: ...
    @property
    def heads(self) -> Mapping[str, str]: ...

    def questions(self, languages: Sequence[str]) -> Sequence[Question]:
        """The questions in those of the languages that there are. Raises `InputError` if they cannot be read."""

    def marks(self, question: Question, answer: Text) -> Marks:
        """What is found in an answer; the same marks for all answers in a language."""

    def export(self, folder: Path, label: str, language: str, answers: Sequence[MarkedAnswer]) -> None:
        """Writes a model's answers in one language beside the results; `label` is the model's."""


def read_questions(files: Mapping[str, Path], columns: Columns, limit: int | None, *, by_row: bool) -> list[Question]:
    """The questions of files, by language: the first in all languages, then the second.

    Raises:
        InputError: a file is not there, or something is wrong in it.
    """
    if absent := [f"{path}: no such file" for path in files.values() if not os.path.isfile(path)]:
        raise InputError.of(absent, "the files of lidr eval")
    sources = {code: [path] for code, path in files.items()}
    with PromptSet(sources, columns, by_row=by_row, extent=Extent(limit=limit)) as prompts:
        return [
            Question(x.id, code, text.joined, x.final_answer or "") for x in prompts for code, text in x.texts.items()
        ]
