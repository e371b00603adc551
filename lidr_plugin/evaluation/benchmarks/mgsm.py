"""MGSM (Shi et al. 2022, arXiv 2210.03057): grade-school mathematics in eleven languages, zero-shot, in the chat template.

The answer is asked for in the question's language, with its last line after a word of that language, as in OpenAI's
simple-evals; the wording is lidr's own.
"""

import csv
from collections.abc import Sequence
from typing import NamedTuple

from lidr_plugin import files
from lidr_plugin.errors import InputError
from lidr_plugin.evaluation.intervals import Share
from lidr_plugin.machine import hub
from lidr_plugin.machine.environments import home
from lidr_plugin.text.language import LanguageGate
from lidr_plugin.text.numbers import is_correct

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
HUB = "hub:"
"""Before the name of a dataset on the Hub, in `eval.mgsm`."""


def question(text: str, language: str) -> str:
    """The user turn for a question."""
    word, request = _WORDING[language]
    return f"{request}\n{word}: 42\n\n{text}"


def final_part(answer: str, language: str) -> str:
    """What stands after the last answer word, where that holds a number; else the whole answer."""
    word, _ = _WORDING[language]
    _, found, after = answer.rpartition(word)
    first = next((line for line in after.split("\n") if any(c.isdecimal() for c in line)), "") if found else ""
    return first or answer


class Item(NamedTuple):
    """One answer and how it fared."""

    id: str
    answer: str
    expected: str
    correct: bool
    off_target: bool
    cut: bool


class Score(NamedTuple):
    """A language's result. `off_target` is the paper's "Off-tag": answers clearly in another language than the question's."""

    accuracy: Share
    accuracy_in_language: Share
    off_target: Share
    cut: Share


def judge(id: str, answer: str, expected: str, language: str, gate: LanguageGate, *, cut: bool) -> Item:
    """Scores one answer; numbers compare as numbers, in any digits."""
    return Item(
        id=id,
        answer=answer,
        expected=expected,
        correct=is_correct(final_part(answer, language), expected),
        off_target=gate.off_target(answer, language),
        cut=cut,
    )


def score(items: Sequence[Item]) -> Score:
    """The shares of a language's items."""
    n = len(items)
    return Score(
        accuracy=Share(sum(item.correct for item in items), n),
        accuracy_in_language=Share(sum(item.correct and not item.off_target for item in items), n),
        off_target=Share(sum(item.off_target for item in items), n),
        cut=Share(sum(item.cut for item in items), n),
    )


def from_hub(repository: str, codes: Sequence[str]) -> str:
    """The path, with `{language}` in it, of JSON lines of `query` and `response`; what is there is not made again.

    Args:
        repository: a dataset on the Hub with `mgsm_<language>.tsv` files of question and number, as `juletxara/mgsm`.

    Raises:
        InputError: a file could not be loaded, or is no table of questions and numbers.
    """
    folder = home() / "data" / repository.replace("/", "--")
    for code in codes:
        path = folder / f"{code}.jsonl"
        if not path.exists():
            lines = (
                files.dump_line({"query": query, "response": response}) for query, response in _table(repository, code)
            )
            files.write_text(path, b"".join(lines).decode())
    return str(folder / "{language}.jsonl")


def _table(repository: str, code: str) -> list[list[str]]:
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
