"""Held-out prompts: are the answers in the language that was asked for, as a whole and line by line, and do they end?

The line-level rate is that of Marchisio et al. 2024 (arXiv 2406.20052): a response passes if none of its lines is clearly in
another language.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lidr_plugin import files
from lidr_plugin.config.columns import Columns
from lidr_plugin.config.schema import Config
from lidr_plugin.errors import InputError
from lidr_plugin.evaluation.benchmarks.base import MarkedAnswer, Marks, Question, read_questions
from lidr_plugin.machine import hub
from lidr_plugin.machine.inputs import read_record
from lidr_plugin.methods.base import Text
from lidr_plugin.text.language import Identification
from lidr_plugin.text.mixed_script import is_mixed
from lidr_plugin.text.repetition import is_degenerate, repeated_share

_HUB = "hub:"


@dataclass(frozen=True, slots=True)
class Prompts:
    """Language fidelity, endless repetition and length of the answers to `eval.prompts`.

    The mark `repeated` is the share of an answer's 4-grams that stood in it before, from 0 to 1: it moves long before an answer
    counts as degenerate. `word_level` is the word-level pass rate of Marchisio et al. (arXiv 2406.20052), by scripts. `grade`
    is the judge's, of the best one, where `eval.judge.reference` wants it.
    """

    pattern: str
    columns: Columns
    limit: int | None
    identification: Identification
    name: ClassVar[str] = "prompts"
    heads: ClassVar[Mapping[str, str]] = {
        "response_level": "right language",
        "line_level": "in every line",
        "word_level": "in every word",
        "degenerate": "endless repetition",
        "cut": "cut",
        "repeated": "repeated 4-grams",
        "characters": "characters",
        "grade": "grade beside the reference",
    }

    @classmethod
    def of(cls, config: Config, identification: Identification) -> "Prompts | None":
        """As a configuration wants it; None if it does not."""
        if config.eval.prompts is None:
            return None
        wanted, columns = config.eval.prompts, config.eval.columns or config.columns
        pattern = wanted if wanted.startswith(_HUB) else str(config.folder / wanted)
        return cls(pattern, columns, config.eval.limit, identification)

    def questions(self, languages: Sequence[str]) -> Sequence[Question]:
        """The prompts as they are.

        Raises:
            InputError: a file is not there, the Hub does not give it, or something is wrong in it.
        """
        paths = {code: _file(self.pattern.replace("{language}", code)) for code in languages}
        return read_questions(paths, self.columns, self.limit, by_row=False)

    def marks(self, question: Question, answer: Text) -> Marks:
        """An empty answer is in no language, a line too short to tell in any; a language that cannot be identified has no marks."""
        text, astray = answer.text, self.identification.off_target
        found: dict[str, bool | int | float] = {}
        if (elsewhere := astray(text, question.language)) is not None:
            lines = (line for line in text.split("\n") if line.strip())
            found["response_level"] = bool(text) and not elsewhere
            found["line_level"] = bool(text) and not any(astray(line, question.language) for line in lines)
        found["word_level"] = bool(text) and not is_mixed(text, question.language, question.text)
        found |= {"degenerate": is_degenerate(text), "cut": answer.cut}
        return found | {"repeated": repeated_share(text), "characters": len(text)}

    def export(self, folder: Path, label: str, language: str, answers: Sequence[MarkedAnswer]) -> None:
        """As `alpaca_eval` reads them: a JSON list of instruction, output, generator."""
        rows = [{"instruction": x.question.text, "output": x.text.text, "generator": label} for x in answers]
        files.write_json(folder / f"{label}.alpaca_eval.{language}.json", rows)


def _file(path: str) -> Path:
    if not path.startswith(_HUB):
        return Path(path)
    owner, name, file = path.removeprefix(_HUB).split("/", 2)
    return hub.download(f"{owner}/{name}", file, key="eval.prompts", kind="dataset")


@dataclass(frozen=True, slots=True)
class _Output:
    """As `alpaca_eval` has an answer; its further keys are left aside."""

    instruction: str
    output: str


def outputs_of(config: Config, label: str, questions: Sequence[Question]) -> list[Text]:
    """Answers that others gave, from the files of `eval.outputs`, in the order of the questions.

    Raises:
        InputError: a file is not there, is no list of instructions and outputs, or lacks a prompt.
    """
    pattern = config.eval.outputs[label]
    found: dict[tuple[str, str], str] = {}
    for code in dict.fromkeys(question.language for question in questions):
        path = config.folder / pattern.replace("{language}", code)
        for row in read_record(list[_Output], path, "eval.outputs: a JSON list of instruction and output"):
            found[code, row.instruction] = row.output
    if lacking := [f"{x.id} [{x.language}]" for x in questions if (x.language, x.text) not in found]:
        raise InputError(f"eval.outputs: {pattern}: {len(lacking)} prompts have no output, the first is {lacking[0]}")
    return [Text(found[x.language, x.text]) for x in questions]
