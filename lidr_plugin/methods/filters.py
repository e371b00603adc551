"""The filters: pure functions from a candidate to nothing or the reason why it becomes no pair."""

import re
from collections import Counter
from collections.abc import Callable, Sequence

from lidr_plugin.config.schema import Config
from lidr_plugin.methods.base import Preference, Reason
from lidr_plugin.text import numbers
from lidr_plugin.text.language import LanguageGate

Filter = Callable[[Preference], Reason | None]

_NGRAM = 8
_FEWEST_UNITS = 40
_REPEATED_NGRAMS = 0.4
_REPEATED_LINES = 0.4
_LONGEST_WORD = 60
_DENSE = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")


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
