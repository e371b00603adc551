"""What a method makes of a prompt: texts, rows, and what became none."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from lidr_plugin.prompts.prompt import PromptText


class Reason(StrEnum):
    """Why a candidate became no pair (contract, section 4)."""

    TRANSLATION_FAILED = "translation_failed"
    TRUNCATED = "truncated"
    IDENTICAL = "identical"
    OFF_TARGET = "off_target"
    REPETITION = "repetition"
    LENGTH_RATIO = "length_ratio"
    EMPTY = "empty"
    TRANSLATION_PROMPT = "translation_prompt"
    ANSWER = "answer"
    REQUEST_FAILED = "request_failed"


class Text(NamedTuple):
    """A text that the model wrote (a response or a translation), or the reason why there is none.

    Attributes:
        text: what there is of it, without tags and thoughts.
        cut: whether it stopped at `max_tokens`.
        failed: why it cannot be used; None if it can.
    """

    text: str
    cut: bool = False
    failed: Reason | None = None


class Preference(NamedTuple):
    """A possible pair, with what the filters need to know about it.

    Attributes:
        source: the passage that `chosen` was translated from; `chosen` itself where it is a response.
        answers_translation: whether the prompt asks for a translation and `chosen` is left untranslated.
    """

    id: str
    language: str
    prompt: PromptText
    chosen: Text
    rejected: Text
    chosen_source: str
    rejected_source: str
    source: Text
    answers_translation: bool = False
    final_answer: str | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    """A candidate that became no pair."""

    candidate: Preference
    reason: Reason


class Outcome(NamedTuple):
    """All that one prompt came to: its pairs and its rejected candidates, in their final order."""

    position: int
    pairs: tuple[Preference, ...]
    rejections: tuple[Drop, ...]
