"""The filters: pure functions from a candidate to nothing or the reason why it becomes no pair."""

from collections.abc import Callable

from lidr_plugin.config.schema import Config
from lidr_plugin.methods.base import Preference, Reason
from lidr_plugin.text import numbers
from lidr_plugin.text.language import LanguageGate
from lidr_plugin.text.repetition import is_degenerate

Filter = Callable[[Preference], Reason | None]


def request_failed(candidate: Preference) -> Reason | None:
    """A request that the candidate needs failed for good."""
    failed = (candidate.source.failed, candidate.chosen.failed, candidate.rejected.failed)
    return Reason.REQUEST_FAILED if Reason.REQUEST_FAILED in failed else None


def truncated(candidate: Preference) -> Reason | None:
    """Chosen, or the text that it was translated from, stopped at max_tokens. A cut rejected text does no harm."""
    return Reason.TRUNCATED if candidate.source.cut or candidate.chosen.cut else None


def usable(candidate: Preference) -> Reason | None:
    """A text is missing: a prompt or a translation that failed, or an answer without a word."""
    failed = candidate.source.failed or candidate.chosen.failed or candidate.rejected.failed
    if failed:
        return failed
    return None if candidate.chosen.text and candidate.rejected.text else Reason.EMPTY


def identical(candidate: Preference) -> Reason | None:
    """Chosen equals rejected: nothing to learn."""
    return Reason.IDENTICAL if candidate.chosen.text == candidate.rejected.text else None


def off_target(gate: LanguageGate) -> Filter:
    """Chosen is not in the pair's language. An answer to a translation prompt, left as it is, is not asked for."""

    def check(candidate: Preference) -> Reason | None:
        if candidate.answers_translation or not gate.off_target(candidate.chosen.text, candidate.language):
            return None
        return Reason.OFF_TARGET

    return check


def repetition(candidate: Preference) -> Reason | None:
    """Degenerate repetition in the chosen text."""
    return Reason.REPETITION if is_degenerate(candidate.chosen.text) else None


def length_ratio(low: float, high: float) -> Filter:
    """The length of chosen over rejected, in characters, is out of bounds."""

    def check(candidate: Preference) -> Reason | None:
        ratio = len(candidate.chosen.text) / len(candidate.rejected.text)
        return None if low <= ratio <= high else Reason.LENGTH_RATIO

    return check


def answer(*, contrast: bool) -> Filter:
    """The chosen answer is wrong; with `contrast` also: the rejected one is right."""

    def check(candidate: Preference) -> Reason | None:
        assert candidate.final_answer is not None
        if not numbers.is_correct(candidate.chosen.text, candidate.final_answer):
            return Reason.ANSWER
        if contrast and numbers.is_correct(candidate.rejected.text, candidate.final_answer):
            return Reason.ANSWER
        return None

    return check


def build_filters(config: Config) -> list[Filter]:
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
