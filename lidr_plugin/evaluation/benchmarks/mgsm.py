"""MGSM (Shi et al. 2022, arXiv 2210.03057): grade-school mathematics in eleven languages, zero-shot, in the chat template.

The answer is asked for in the question's language, with its last line after a word of that language, as in OpenAI's
simple-evals; the wording is lidr's own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lidr_plugin import files
from lidr_plugin.config.schema import Columns, Config
from lidr_plugin.errors import InputError
from lidr_plugin.evaluation.benchmarks import hub
from lidr_plugin.evaluation.benchmarks.base import MarkedAnswer, Marks, Question, read_questions
from lidr_plugin.evaluation.identification import Identification
from lidr_plugin.methods.base import Text
from lidr_plugin.text.numbers import is_correct

_COLUMNS = Columns(instruction="query", final_answer="response")

_WORDING = {
    "bn": ("উত্তর", "গণিতের এই প্রশ্নটির সমাধান করো। প্রথমে ধাপগুলো বাংলায় লেখো, তারপর শেষ লাইনে শুধু সংখ্যাটি দাও, এভাবে:"),
    "de": (
        "Antwort",
        "Löse diese Aufgabe. Schreibe zuerst die Schritte auf Deutsch, dann in der letzten Zeile nur die Zahl, so:",
    ),
    "en": (
        "Answer",
        "Solve this problem. Write the steps in English first, then only the number on the last line, like this:",
    ),
    "es": (
        "Respuesta",
        "Resuelve este problema. Escribe primero los pasos en español y después, en la última línea, solo el número, así:",
    ),
    "fr": (
        "Réponse",
        "Résous ce problème. Écris d'abord les étapes en français, puis, à la dernière ligne, le nombre seul, ainsi :",
    ),
    "ja": (
        "答え",
        "次の問題を解いてください。まず途中の計算を日本語で書き、最後の行に数だけを次の形で書いてください：",
    ),
    "ru": ("Ответ", "Реши задачу. Сначала запиши шаги по-русски, затем в последней строке только число, вот так:"),
    "sw": (
        "Jibu",
        "Tatua swali hili. Andika kwanza hatua kwa Kiswahili, kisha katika mstari wa mwisho nambari tu, hivi:",
    ),
    "te": ("సమాధానం", "ఈ లెక్కను పరిష్కరించండి. ముందు దశలను తెలుగులో రాసి, చివరి పంక్తిలో సంఖ్యను మాత్రమే ఇలా ఇవ్వండి:"),
    "th": ("คำตอบ", "จงแก้โจทย์ข้อนี้ เขียนขั้นตอนเป็นภาษาไทยก่อน แล้วเขียนเฉพาะตัวเลขในบรรทัดสุดท้าย ดังนี้:"),
    "zh": ("答案", "请解答下面的题目。先用中文写出步骤，然后在最后一行只写数字，格式如下："),
}
"""For each language of MGSM the word before the answer, and the request."""

LANGUAGES = tuple(_WORDING)


def turn(text: str, language: str) -> str:
    """The user turn that asks a question."""
    word, request = _WORDING[language]
    return f"{request}\n{word}: 42\n\n{text}"


def final_part(answer: str, language: str) -> str:
    """What stands after the last answer word, where that holds a number; else the whole answer."""
    word, _ = _WORDING[language]
    _, found, after = answer.rpartition(word)
    first = next((line for line in after.split("\n") if any(c.isdecimal() for c in line)), "") if found else ""
    return first or answer


def files_of(config: Config) -> str | None:
    """Path of the questions, with `{language}` in it; loaded from the Hub where the configuration wants that. None: not wanted."""
    wanted = config.eval.mgsm
    if wanted is None:
        return None
    if wanted.startswith(hub.PREFIX):
        return hub.fetch(wanted.removeprefix(hub.PREFIX), [code for code in config.codes if code in LANGUAGES])
    return str((config.folder / wanted).absolute())


@dataclass(frozen=True, slots=True)
class Mgsm:
    """The mathematics of `eval.mgsm`. The mark `off_target` is the paper's "Off-tag".

    Attributes:
        pattern: path of the questions, with `{language}` in it.
        limit: the first so many; None: all.
    """

    pattern: str
    limit: int | None
    identification: Identification
    name: ClassVar[str] = "mgsm"
    heads: ClassVar[Mapping[str, str]] = {
        "accuracy": "accuracy",
        "accuracy_in_language": "accuracy in language",
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
            raise InputError(f"{paths[lacking.language]}: question {lacking.id} has no right answer (response)")
        return [question._replace(text=turn(question.text, question.language)) for question in found]

    def marks(self, question: Question, answer: Text) -> Marks:
        """Numbers compare as numbers, in any digits; where the language cannot be identified its marks are left out."""
        right = is_correct(final_part(answer.text, question.language), question.expected)
        astray = self.identification.off_target(answer.text, question.language)
        language = {} if astray is None else {"accuracy_in_language": right and not astray, "off_target": astray}
        return {"accuracy": right, **language, "cut": answer.cut}

    def export(self, folder: Path, label: str, language: str, answers: Sequence[MarkedAnswer]) -> None:
        """A line for each question, with the answer and how it fared."""
        with files.replacing(folder / f"{label}.mgsm.{language}.jsonl") as file:
            for question, text, marks in answers:
                rest = {name: marks[name] for name in ("off_target", "cut") if name in marks}
                row = {"id": question.id, "answer": text.text, "expected": question.expected}
                file.write(files.dump_line({**row, "correct": marks["accuracy"], **rest}))
