"""The frozen records that travel between the stages; those that come by the million are tuples, which are made faster."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class PromptText(NamedTuple):
    """A prompt in one language, with LLaMA-Factory's two fields."""

    instruction: str
    input: str = ""

    @property
    def joined(self) -> str:
        """The user turn, joined as LLaMA-Factory's alpaca converter joins it."""
        return (
            f"{self.instruction}\n{self.input}" if self.instruction and self.input else self.instruction or self.input
        )


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt in every language in which the files have it; `position` counts from 0 in the dominant file."""

    position: int
    id: str
    texts: dict[str, PromptText]
    final_answer: str | None = None


class Message(NamedTuple):
    """One chat turn."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn; `max_tokens` counts new tokens."""

    temperature: float
    top_p: float
    max_tokens: int
    repetition_penalty: float
    seed: int
    thinking: bool


class Request(NamedTuple):
    """One resolved chat request. Everything but `row` is part of its key (see `hashing.request_json`).

    Attributes:
        weights: the identity of the weights that answer.
        prefill: the beginning of the assistant's turn, which the answer does not repeat.
        sample: the index among several samples of the same request.
        top_logprobs: how many of the likeliest first tokens are wanted with their log-probabilities; 0: none.
        row: where the request comes from, for messages (`alpagasus-7 [en->de]`).
    """

    weights: str
    messages: tuple[Message, ...]
    sampling: Sampling
    prefill: str = ""
    sample: int = 0
    top_logprobs: int = 0
    row: str = ""


class Completion(NamedTuple):
    """What a model answered, as it came.

    Attributes:
        finish_reason: `stop` or `length` (the answer was cut at `max_tokens`).
        prefilled: whether the server continued the prefill; if not, the answer stands alone.
        first_token: the likeliest first tokens and their log-probabilities; None if they were not asked for, or not given.
    """

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    prefilled: bool = False
    first_token: tuple[tuple[str, float], ...] | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that failed for good; never stored."""

    message: str


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


class Passage(NamedTuple):
    """A text that the model wrote (a response or a translation), or the reason why there is none.

    Attributes:
        text: what there is of it, without tags and thoughts.
        cut: whether it stopped at `max_tokens`.
        failed: why it cannot be used; None if it can.
    """

    text: str
    cut: bool = False
    failed: Reason | None = None


class Candidate(NamedTuple):
    """A possible pair, with what the filters need to know about it.

    Attributes:
        source: the passage that `chosen` was translated from; `chosen` itself where it is a response.
        answers_translation: whether the prompt asks for a translation and `chosen` is left untranslated.
    """

    id: str
    language: str
    prompt: PromptText
    chosen: Passage
    rejected: Passage
    chosen_source: str
    rejected_source: str
    source: Passage
    answers_translation: bool = False
    final_answer: str | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A candidate that became no pair."""

    candidate: Candidate
    reason: Reason


class Settled(NamedTuple):
    """All that one prompt came to: its pairs and its rejected candidates, in their final order."""

    position: int
    pairs: tuple[Candidate, ...]
    rejections: tuple[Rejection, ...]
