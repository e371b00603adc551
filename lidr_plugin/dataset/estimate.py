"""What a run will take, by a sample of its prompts: tokens, hours, money."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from lidr_plugin.completions.requests import Chat, Completion, Request, Score, Scored, canonical_json, key_of
from lidr_plugin.completions.steps import Course
from lidr_plugin.completions.store import Store
from lidr_plugin.config.engine import EngineSettings
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.prepare import Prepared

_SAMPLE = 32
"""Prompts that are looked at, from the first on: those of a preview are among them."""
_ANSWER = 300
"""New tokens of an answer as long as none is known; instruction-tuned models write so many to a question on average."""
_BYTES_A_TOKEN = 4
"""Of UTF-8. It holds for English, and scripts of two and three bytes a character have as many more tokens."""
_TEMPLATE = 20
"""Tokens that a chat template adds to a request."""


class Speed(NamedTuple):
    """New tokens a second, and how that is known."""

    tokens_per_second: float
    source: str


class Estimate(NamedTuple):
    """What the whole run takes, what is in its store already included.

    Attributes:
        known: answers of the sample that are in the store; with none, lengths are assumed.
        hours: None where nothing tells the speed.
        cost: None where there is no price.
        max_cost: the cap on it.
    """

    prompt_tokens: int
    completion_tokens: int
    known: int
    answer_tokens: float
    speed: Speed | None
    hours: float | None
    cost: float | None
    max_cost: float | None


class _Seen(NamedTuple):
    """A request of the sample, with its tokens; `known` where its answer is in the store."""

    weights: str
    prompt: int
    completion: int
    known: bool


def estimate(ready: Prepared, store: Store | None, speed: Speed | None = None) -> Estimate:
    """By the requests of the first prompts, and their answers as far as the store has them."""
    seen = list(_sample(ready, store, _ANSWER))
    known = [item.completion for item in seen if item.known]
    length = sum(known) / len(known) if known else _ANSWER
    if known:
        seen = list(_sample(ready, store, round(length)))
    times = ready.requests_at_most() / len(seen) if seen else 0.0
    new = sum(item.completion for item in seen) * times
    return Estimate(
        prompt_tokens=round(sum(item.prompt for item in seen) * times),
        completion_tokens=round(new),
        known=len(known),
        answer_tokens=length,
        speed=speed,
        hours=new / speed.tokens_per_second / 3600 if speed else None,
        cost=_cost(ready, seen, times),
        max_cost=ready.config.engine.max_cost,
    )


def words(found: Estimate) -> list[str]:
    """The estimate for people, with what was assumed."""
    source = f"as {found.known:,} in the store have" if found.known else "assumed; --preview 3 measures some"
    lines = [
        f"about {found.prompt_tokens:,} prompt tokens and {found.completion_tokens:,} new tokens",
        f"with answers of {found.answer_tokens:,.0f} tokens, {source}",
    ]
    if found.speed and found.hours is not None:
        each = f"{found.speed.tokens_per_second:,.0f} tokens/s, {found.speed.source}"
        lines.append(f"about {_time(found.hours)} at {each}")
    else:
        lines.append(
            f"about {_time(found.completion_tokens / 3.6e6)} at 1,000 tokens/s; the engine's speed is not known"
        )
    if found.cost is not None:
        cap = f"; engine.max_cost is {found.max_cost:g}" if found.max_cost else ""
        lines.append(f"about {found.cost:,.2f} by the prices of the engines{cap}")
    if found.cost and found.max_cost and found.cost > found.max_cost:
        lines.append(f"engine.max_cost would end the run after about {found.max_cost / found.cost:.0%} of it")
    return lines


def _time(hours: float) -> str:
    return f"{hours:,.1f} hours" if hours >= 1 else f"{hours * 60:,.0f} minutes" if hours > 1 / 60 else "a minute"


def _cost(ready: Prepared, seen: Sequence[_Seen], times: float) -> float | None:
    prices = _prices(ready.config)
    if not any(any(pair) for pair in prices):
        return None
    own, other = prices
    policy = ready.roles["policy"].identity
    total = 0.0
    for item in seen:
        prompt, completion = own if item.weights == policy else other
        total += (item.prompt * prompt + item.completion * completion) / 1e6
    return total * times


def _prices(config: Config) -> tuple[tuple[float, float], tuple[float, float]]:
    """Of the policy, and of the translator."""

    def pair(settings: EngineSettings) -> tuple[float, float]:
        return settings.prompt_price, settings.completion_price

    return pair(config.engine), pair(config.translation.engine or config.engine)


def _sample(ready: Prepared, store: Store | None, length: int) -> Iterator[_Seen]:
    """The requests of the first prompts; one that has no answer yet gets one of that length."""
    for prompt in islice(ready.prompts, _SAMPLE):
        course = Course(ready.method.steps(prompt, ready.ask))
        while course.wanted:
            wanted, course.wanted = course.wanted, []
            known = _known([request for _, request in wanted], store)
            for (branch, request), found in zip(wanted, known, strict=True):
                if isinstance(request, Score):
                    course.answer(branch, Scored((-1.0, 1.0) if request.kind == "logprob" else (1.0,)))
                    continue
                answer = found or _made_up(request, length)
                tokens = answer.prompt_tokens or prompt_tokens(request), answer.completion_tokens or length
                yield _Seen(request.weights, *tokens, found is not None)
                course.answer(branch, answer)


def _known(requests: Sequence[Request], store: Store | None) -> list[Completion | None]:
    if store is None:
        return [None] * len(requests)
    canonical = {
        key_of(text): text for request in requests if isinstance(request, Chat) for text in [canonical_json(request)]
    }
    found = store.get_many([*canonical], canonical)
    return [found.get(key_of(canonical_json(request))) for request in requests]


def prompt_tokens(request: Chat) -> int:
    """Of a request, by its bytes."""
    size = sum(len(message.content.encode()) for message in request.messages) + len(request.prefill.encode())
    return size // _BYTES_A_TOKEN + _TEMPLATE


def _made_up(request: Chat, length: int) -> Completion:
    """An answer with so many tokens, or with as many as it may have."""
    tokens = min(length, request.sampling.max_tokens)
    # Numbered, so that it is no repetition, which methods look for.
    text = " ".join(f"w{n}" for n in range(tokens * _BYTES_A_TOKEN // 5))
    return Completion(text or "w", "stop", 0, tokens, prefilled=bool(request.prefill))
