"""A chat request, its content address, and its answer; what comes by the million is a tuple, which is made faster."""

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

import orjson


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


class Chat(NamedTuple):
    """One resolved chat request. Everything but `row` is part of its key (see `request_json`).

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


class SharedChat(Chat):
    """A request that every prompt makes alike: its answer is remembered for the run, and counted once."""

    __slots__ = ()


class Completion(NamedTuple):
    """What a model answered, as it came.

    Attributes:
        finish_reason: `stop` or `length` (the answer was cut at `max_tokens`); any other in a store counts as cut.
        prompt_tokens, completion_tokens: 0 where the server did not say, or said what cannot be.
        prefilled: whether the server continued the prefill; if not, the answer stands alone.
        first_token: the likeliest first tokens and their log-probabilities; None if they were not asked for, or not given.
    """

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    prefilled: bool = False
    first_token: tuple[tuple[str, float], ...] | None = None

    @property
    def cut(self) -> bool:
        """Whether the model did not end the text itself."""
        return self.finish_reason != "stop"


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that failed for good; never stored."""

    message: str


def request_json(request: Chat) -> bytes:
    """The canonical JSON of a request; its SHA-256 is the request's key.

    In it: weights, messages, prefill, every sampling field, sample index. Left out: server addresses, timeouts,
    retries, concurrency, batch size, the row's name; none of them may change an answer. `top_logprobs` is in it where it
    is wanted.
    """
    sampling = request.sampling
    further = {"top_logprobs": request.top_logprobs} if request.top_logprobs else {}
    return orjson.dumps(
        {
            "max_tokens": sampling.max_tokens,
            "messages": [{"content": message.content, "role": message.role} for message in request.messages],
            "prefill": request.prefill,
            "repetition_penalty": sampling.repetition_penalty,
            "sample": request.sample,
            "seed": sampling.seed,
            "temperature": sampling.temperature,
            "thinking": sampling.thinking,
            **further,
            "top_p": sampling.top_p,
            "weights": request.weights,
        }
    )


def key_of(canonical: bytes) -> bytes:
    """The 32-byte key of a request's canonical JSON."""
    return hashlib.sha256(canonical).digest()
