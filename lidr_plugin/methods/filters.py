"""The filters: pure functions from a candidate to nothing or the reason why it becomes no row."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from lidr_plugin.config.schema import Config
from lidr_plugin.methods.base import Preference, Reason, Row
from lidr_plugin.prompts.prompt_set import PromptSet
from lidr_plugin.text import numbers
from lidr_plugin.text.language import LanguageGate

Filter = Callable[[Row], str | None]
"""Nothing, or the reason why a row is dropped: one of `Reason`, or a word of one's own."""

_NGRAM = 8
_FEWEST_UNITS = 40
_REPEATED_NGRAMS = 0.4
_REPEATED_LINES = 0.4
_LONGEST_WORD = 60
_DENSE = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")


REASONS: Mapping[str, str] = {
    Reason.TRANSLATION_FAILED: "no usable translation came back",
    Reason.TRUNCATED: "the chosen text, or its source, was cut at max_tokens",
    Reason.IDENTICAL: "chosen equals rejected",
    Reason.OFF_TARGET: "chosen is in another language",
    Reason.REPETITION: "chosen repeats itself without end",
    Reason.LENGTH_RATIO: "chosen and rejected differ too much in length",
    Reason.EMPTY: "an answer is empty",
    Reason.TRANSLATION_PROMPT: "the prompt asks for a translation itself",
    Reason.ANSWER: "the final answer is not as answer_filter wants it",
    Reason.REQUEST_FAILED: "a request failed for good",
}
"""Each reason in words."""


def weigh(row: Row, filters: Sequence[Filter]) -> str | None:
    """The reason of the first filter that gives one."""
    for check in filters:
        if reason := check(row):
            return reason
    return None


def request_failed(row: Row) -> Reason | None:
    """A request that the candidate needs failed for good."""
    return Reason.REQUEST_FAILED if any(text.failed == Reason.REQUEST_FAILED for text in row.texts) else None


def truncated(row: Row) -> Reason | None:
    """The text to learn, or the one that it was translated from, stopped at max_tokens. A cut rejected text does no harm."""
    return Reason.TRUNCATED if row.source.cut or row.target.cut else None


def usable(row: Row) -> str | None:
    """A text is missing: a prompt or a translation that failed, or an answer without a word."""
    for text in row.texts:
        if text.failed:
            return text.failed
    # The source may be empty where nothing was asked after it.
    return None if all(text.text for text in row.texts[1:]) else Reason.EMPTY


def identical(row: Row) -> Reason | None:
    """Chosen equals rejected: nothing to learn."""
    return Reason.IDENTICAL if isinstance(row, Preference) and row.chosen.text == row.rejected.text else None


def off_target(gate: LanguageGate) -> Filter:
    """Chosen is not in the pair's language. An answer to a translation prompt, left as it is, is not asked for."""

    def check(row: Row) -> Reason | None:
        if row.answers_translation or not gate.off_target(row.target.text, row.language):
            return None
        return Reason.OFF_TARGET

    return check


def is_degenerate(text: str) -> bool:
    """Whether a text repeats itself without end: by lines, or by 8-grams of words (of characters in a very long word).

    Lines: over 40 % of the text's characters stand in lines (of eight characters or more) that stood there three times
    before. 8-grams: over 40 % of them occurred before (in scripts without spaces a unit is a character).
    """
    if len(text) < 60:
        return False
    if "\n" in text:
        lines = Counter(line for line in map(str.strip, text.split("\n")) if len(line) >= 8)
        surplus = sum((count - 3) * len(line) for line, count in lines.items() if count > 3)
        if surplus > _REPEATED_LINES * len(text):
            return True
    units = _units(text)
    if max(map(len, units), default=0) > _LONGEST_WORD:
        longest = max(units, key=len)
        if longest.isalnum() and _repeats(longest):
            return True
    return _repeats(units)


def _units(text: str) -> list[str]:
    """Words; in scripts without spaces characters."""
    dense = not text.isascii() and _DENSE.search(text)
    return _DENSE.sub(lambda match: match[0] + " ", text).split() if dense else text.split()


def repeated_share(text: str, order: int = 4) -> float:
    """The share of a text's n-grams of words (characters in scripts without spaces) that stood in it before."""
    units = _units(text)
    total = len(units) - order + 1
    return 1 - len({tuple(units[i : i + order]) for i in range(total)}) / total if total > 0 else 0.0


def _repeats(units: Sequence[str]) -> bool:
    """Whether over 40 % of the 8-grams of units occurred before."""
    total = len(units) - _NGRAM + 1
    # Every distinct unit begins an 8-gram of its own (but for the last seven), so many distinct units settle it.
    if len(units) < _FEWEST_UNITS or len(set(units)) >= (1 - _REPEATED_NGRAMS) * total + _NGRAM:
        return False
    ngrams = {tuple(units[i : i + _NGRAM]) for i in range(total)}
    return 1 - len(ngrams) / total > _REPEATED_NGRAMS


def repetition(row: Row) -> Reason | None:
    """Degenerate repetition in the chosen text."""
    return Reason.REPETITION if is_degenerate(row.target.text) else None


def length_ratio(low: float, high: float) -> Filter:
    """The length of chosen over rejected, in characters, is out of bounds."""

    def check(row: Row) -> Reason | None:
        if not isinstance(row, Preference):
            return None
        ratio = len(row.chosen.text) / len(row.rejected.text)
        return None if low <= ratio <= high else Reason.LENGTH_RATIO

    return check


def answer(*, contrast: bool) -> Filter:
    """The chosen answer is wrong; with `contrast` also: the rejected one is right."""

    def check(row: Row) -> Reason | None:
        assert row.final_answer is not None, "the method's problems() found prompts without one"
        if not numbers.is_correct(row.target.text, row.final_answer):
            return Reason.ANSWER
        if contrast and isinstance(row, Preference) and numbers.is_correct(row.rejected.text, row.final_answer):
            return Reason.ANSWER
        return None

    return check


def lacking_answers(prompts: PromptSet, answer_filter: str) -> list[str]:
    """A prompt without a final answer, where the filter needs one."""
    without = prompts.without_final_answer() if answer_filter != "none" else None
    if without is None:
        return []
    return [
        f"answer_filter: {answer_filter}: prompt {without!r} has no final answer; name the column in columns.final_answer, "
        "or set answer_filter=none"
    ]


def filters_of(config: Config) -> list[Filter]:
    """The filters of a run, in the order in which the first reason counts."""
    chosen = config.filters
    filters: list[Filter] = [request_failed]
    if chosen.truncated:
        filters.append(truncated)
    filters.append(usable)
    if chosen.identical:
        filters.append(identical)
    if chosen.off_target:
        filters.append(off_target(LanguageGate([config.dominant_language, *config.languages])))
    if chosen.repetition:
        filters.append(repetition)
    if chosen.length_ratio:
        filters.append(length_ratio(*chosen.length_ratio))
    if config.answer_filter != "none":
        filters.append(answer(contrast=config.answer_filter == "contrast"))
    return filters
