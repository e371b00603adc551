"""A request, its content address, and its answer; what comes by the million is a tuple, which is made faster."""

import hashlib
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

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


TOP_LOGPROBS = 20
"""Likeliest first tokens that a verdict is asked with: as many as OpenAI gives, so that A and B are seldom missing."""


class SharedChat(Chat):
    """A request that every prompt makes alike: its answer is counted once in a run."""

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


Kind: TypeAlias = Literal["logprob", "reward", "embed"]
Need: TypeAlias = Literal["logprob", "reward", "embed", "layer"]
"""What an engine must be able to do for a score; `layer`: an embedding from a hidden layer."""


class Score(NamedTuple):
    """A number about a given text, or several; no token is drawn. Everything but `row` is part of its key.

    Attributes:
        weights: the identity of the weights that give it.
        kind: `logprob`: of the text as the answer to the messages; `reward`: of a reward model for it; `embed`: the text as a
            vector.
        messages: the turns before the text. For a translation model: who is `source:deu_Latn` says the source, and
            `target:eng_Latn`, with no content, names the language of the text.
        text: the assistant's turn.
        layer: `embed`: of which hidden layer; None: the model's own embedding of the text alone.
        row: where the request comes from, for messages.
        cut: whether the text stopped at `max_tokens`; then it has no end of its turn.
    """

    weights: str
    kind: Kind
    messages: tuple[Message, ...]
    text: str
    layer: int | None = None
    row: str = ""
    cut: bool = False

    @property
    def need(self) -> Need:
        """What the engine must be able to do."""
        return "layer" if self.kind == "embed" and self.layer is not None else self.kind


class Scored(NamedTuple):
    """What a model gave for a `Score`.

    Attributes:
        values: of `logprob` the sum of the log-probabilities and the number of tokens, of `reward` one number, of `embed` all
            of a vector, which is stored with a length of 1 in half precision.
        apart: whether the text was made tokens apart from its chat, because the template rewrites that; counted, not stored.
    """

    values: tuple[float, ...]
    apart: bool = False


Request: TypeAlias = Chat | Score


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that failed for good; never stored."""

    message: str


def canonical_json(request: Request) -> bytes:
    """The canonical JSON of a request of any sort; its SHA-256 is the request's key."""
    return score_json(request) if isinstance(request, Score) else request_json(request)


def score_json(request: Score) -> bytes:
    """The canonical JSON of a score, which no chat request's can equal: it alone has a `kind`."""
    return orjson.dumps(
        {
            "cut": request.cut,
            "kind": request.kind,
            "layer": request.layer,
            "messages": [{"content": message.content, "role": message.role} for message in request.messages],
            "text": request.text,
            "weights": request.weights,
        }
    )


def request_json(request: Chat) -> bytes:
    """The canonical JSON of a chat request.

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
