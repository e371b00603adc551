"""A skill that the user names: questions with final answers, as they are, in the chat template.

An answer that is one number compares as a number. Any other, a list of numbers too, is right if it is what the model's answer
ends with, letter case, white space and punctuation aside.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lidr_plugin import files
from lidr_plugin.config.schema import Columns, Config
from lidr_plugin.errors import InputError
from lidr_plugin.evaluation.benchmarks.base import MarkedAnswer, Marks, Question, read_questions
from lidr_plugin.methods.base import Text
from lidr_plugin.text.language import Identification
from lidr_plugin.text.numbers import is_correct


@dataclass(frozen=True, slots=True)
class Skill:
    """One entry of `eval.skills`."""

    name: str
    pattern: str
    columns: Columns
    limit: int | None
    identification: Identification
    heads: ClassVar[Mapping[str, str]] = {"accuracy": "accuracy", "off_target": "off target", "cut": "cut"}

    @classmethod
    def all_of(cls, config: Config, identification: Identification) -> "list[Skill]":
        """Those that a configuration names."""
        return [
            cls(name, str(config.folder / path), config.columns, config.eval.limit, identification)
            for name, path in config.eval.skills.items()
        ]

    def questions(self, languages: Sequence[str]) -> Sequence[Question]:
        """In those of the languages that have a file; there must be one."""
        paths = {code: Path(self.pattern.replace("{language}", code)) for code in languages}
        there = {code: path for code, path in paths.items() if path.is_file()}
        if not there:
            raise InputError(f"eval.skills.{self.name}: {self.pattern}: no such file in any language of the run")
        found = read_questions(there, self.columns, self.limit, by_row=False)
        if lacking := next((x for x in found if not x.expected.strip()), None):
            hint = "name the column in columns.final_answer"
            raise InputError(f"{there[lacking.language]}: question {lacking.id!r} has no final answer", hint)
        return found

    def marks(self, question: Question, answer: Text) -> Marks:
        """Where the language cannot be identified `off_target` is left out."""
        astray = self.identification.off_target(answer.text, question.language)
        told = {} if astray is None else {"off_target": astray}
        return {"accuracy": is_right(answer.text, question.expected, question.language), **told, "cut": answer.cut}

    def export(self, folder: Path, label: str, language: str, answers: Sequence[MarkedAnswer]) -> None:
        """A line for each question, with the answer and how it fared."""
        with files.replacing(folder / f"{label}.{self.name}.{language}.jsonl") as file:
            for question, text, marks in answers:
                row = {"id": question.id, "answer": text.text, "expected": question.expected, **marks}
                file.write(files.dump_line(row))


def is_right(answer: str, expected: str, language: str = "") -> bool:
    """Whether an answer ends as it should, or gives the number that it should."""
    if _bare(answer).endswith(_bare(expected)):
        return True
    several = ", " in expected or any(map(str.isalpha, expected))
    return not several and is_correct(answer, expected, language)


def _bare(text: str) -> str:
    """Letters and digits in small words, each after a space."""
    return " " + " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())
