"""The filters: pure functions from a candidate to nothing or the reason why it becomes no row.

They are of two kinds. A `TextFilter` looks at the text to learn alone, so a method that ranks texts can ask it of each, before
there is a pair. All others look at a pair.
"""

import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from lidr_plugin.config.schema import Config
from lidr_plugin.methods.base import Preference, Reason, Row
from lidr_plugin.methods.translation_fidelity import loss
from lidr_plugin.prompts.prompt_set import PromptSet
from lidr_plugin.text import numbers
from lidr_plugin.text.language import LanguageGate
from lidr_plugin.text.mixed_script import is_mixed
from lidr_plugin.text.repetition import is_degenerate
from lidr_plugin.text.visible import is_blank

_SHOWN = 5
"""Unreadable final answers that are named."""

Filter = Callable[[Row], str | None]
"""Nothing, or the reason why a row is dropped: one of `Reason`, or a word of one's own."""


@dataclass(frozen=True, slots=True)
class TextFilter:
    """A filter that reads no more of a row than its prompt, its target and what that came from."""

    check: Filter

    def __call__(self, row: Row) -> str | None:
        """Of a row, as every filter."""
        return self.check(row)


class Kinds(NamedTuple):
    """The filters of a run by what they look at, each in their order."""

    of_texts: Sequence[Filter]
    of_pairs: Sequence[Filter]

    @classmethod
    def of(cls, filters: Sequence[Filter]) -> "Kinds":
        """Sorts them; one whose kind is not known is asked of pairs."""
        return cls(
            [check for check in filters if isinstance(check, TextFilter)],
            [check for check in filters if not isinstance(check, TextFilter)],
        )


REASONS: Mapping[str, str] = {
    Reason.TRANSLATION_FAILED: "no usable translation came back",
    Reason.TRUNCATED: "the chosen text, or its source, was cut at max_tokens",
    Reason.IDENTICAL: "chosen equals rejected",
    Reason.OFF_TARGET: "chosen is in another language",
    Reason.MIXED_SCRIPT: "a word of chosen is in a script that does not belong there",
    Reason.REPETITION: "chosen repeats itself without end",
    Reason.LENGTH_RATIO: "chosen and rejected differ too much in length",
    Reason.EMPTY: "an answer is empty",
    Reason.TRANSLATION_PROMPT: "the prompt asks for a translation itself",
    Reason.ANSWER: "the final answer is not as answer_filter wants it",
    Reason.REQUEST_FAILED: "a request failed for good",
    Reason.NO_CONTRAST: "no answer of the prompt is better than another, or nothing tells the languages of two apart",
    Reason.UNFAITHFUL: "chosen is no translation of its source: something is lost, or it is one of the request",
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
    for text in row.texts:
        if text.failed == Reason.REQUEST_FAILED:
            return Reason.REQUEST_FAILED
    return None


def truncated(row: Row) -> Reason | None:
    """The text to learn, or the one that it was translated from, stopped at max_tokens. A cut rejected text does no harm."""
    return Reason.TRUNCATED if row.source.cut or row.target.cut else None


def usable(row: Row) -> str | None:
    """A text is missing: a prompt or a translation that failed, or an answer without a word."""
    texts = row.texts
    for text in texts:
        if text.failed:
            return text.failed
    for text in texts[1:]:  # the source may be empty where nothing was asked after it
        if is_blank(text.text):
            return Reason.EMPTY
    return None


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


def mixed_script(row: Row) -> Reason | None:
    """A word of the chosen text is in a script that does not belong there."""
    if row.answers_translation or not is_mixed(row.target.text, row.language, row.prompt.joined):
        return None
    return Reason.MIXED_SCRIPT


def repetition(row: Row) -> Reason | None:
    """Degenerate repetition in the chosen text, unless the prompt asks for it."""
    return Reason.REPETITION if is_degenerate(row.target.text, row.prompt.joined) else None


def length_ratio(low: float, high: float) -> Filter:
    """The length of chosen over rejected, in characters, is out of bounds."""

    def check(row: Row) -> Reason | None:
        if not isinstance(row, Preference):
            return None
        ratio = len(row.chosen.text) / len(row.rejected.text)
        return None if low <= ratio <= high else Reason.LENGTH_RATIO

    return check


def fidelity(row: Row) -> Reason | None:
    """The text to learn is a translation that lost something of its source, or one of lidr's own request."""
    made, _, languages = row.target_source.partition(":")
    if made != "translation":
        return None
    origin, _, target = languages.partition("->")
    origin, target = origin.partition("#")[0], target.partition("+")[0]
    lost = row.target.echo or loss(row.source.text, row.target.text, origin, target)
    return Reason.UNFAITHFUL if lost else None


def answer(row: Row) -> Reason | None:
    """The text to learn gives a wrong final answer, or none. A method that needs the right one refuses prompts without it."""
    if row.final_answer is None:
        return None
    return None if numbers.is_correct(row.target.text, row.final_answer, row.language) else Reason.ANSWER


def contrast(row: Row) -> Reason | None:
    """The rejected text gives the right final answer."""
    if not isinstance(row, Preference) or row.final_answer is None:
        return None
    return Reason.ANSWER if numbers.is_correct(row.rejected.text, row.final_answer, row.language) else None


def lacking_answers(prompts: PromptSet, answer_filter: str) -> list[str]:
    """Prompts without a final answer that can be read as a number, where the filter needs one."""
    if answer_filter == "none":
        return []
    return without_answers(prompts, f"answer_filter: {answer_filter}", "set answer_filter=none")


def without_answers(prompts: PromptSet, key: str, otherwise: str) -> list[str]:
    """Prompts without a final answer that can be read as a number, where a key needs one; what else can be done."""
    if without := prompts.without_final_answer():
        return [
            f"{key}: prompt {without!r} has no final answer; name the column in columns.final_answer, or {otherwise}"
        ]
    return unread_answers(prompts, otherwise)


def unread_answers(prompts: PromptSet, otherwise: str) -> list[str]:
    """Final answers that are there and are no numbers; what else can be done."""
    unread = (x for x in prompts.final_answers() if not numbers.expected_number(x.answer))
    return [
        f"{x.place}: the final answer of prompt {x.id!r} is no number that can be read: {reprlib.repr(x.answer)}; "
        f"correct it, or {otherwise}"
        for x in islice(unread, _SHOWN)
    ]


def filters_of(config: Config) -> list[Filter]:
    """The filters of a run, in the order in which the first reason counts."""
    chosen = config.filters
    filters: list[Filter] = [TextFilter(request_failed)]
    if chosen.truncated:
        filters.append(TextFilter(truncated))
    filters.append(TextFilter(usable))
    if chosen.identical:
        filters.append(identical)
    if chosen.off_target:
        filters.append(TextFilter(off_target(LanguageGate([config.dominant_language, *config.languages]))))
    if chosen.mixed_script:
        filters.append(TextFilter(mixed_script))
    if chosen.repetition:
        filters.append(TextFilter(repetition))
    if chosen.length_ratio:
        filters.append(length_ratio(*chosen.length_ratio))
    if chosen.fidelity:
        filters.append(TextFilter(fidelity))
    if config.answer_filter != "none":
        filters.append(TextFilter(answer))
    if config.answer_filter == "contrast":
        filters.append(contrast)
    return filters
