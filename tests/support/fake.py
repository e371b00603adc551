"""A deterministic engine without a model, for tests."""

import asyncio
from collections.abc import Callable
from typing import Self

from lidr_plugin.completions.requests import Chat, Completion, Need, Score, Scored, score_json
from lidr_plugin.errors import RequestError
from tests.support import model

Answer = Callable[[Chat], Completion | None]
Values = Callable[[Score], tuple[float, ...] | None]


def values(request: Score) -> tuple[float, ...]:
    """A score that depends on the whole request and nothing else."""
    number = model.digest(score_json(request).decode())
    if request.kind == "logprob":
        return -(number % 10_007) / 97, float(1 + len(request.text.split()))
    if request.kind == "reward":
        return ((number % 2003) / 101 - 10,)
    return tuple([1.0 + (number >> 8 * place) % 251 for place in range(4)])


class Fake:
    """Answers with a pure function of the request; None fails the request for good.

    Attributes:
        seen: the requests that were answered, in order.
        scored: the scores that were given, in order.
        scores: what scores it gives.
    """

    def __init__(
        self,
        answer: Answer,
        *,
        delay: Callable[[Chat | Score], float] = lambda _: 0.0,
        values: Values = values,
        scores: frozenset[Need] = frozenset({"logprob", "reward", "embed", "layer"}),
    ) -> None:
        self._answer = answer
        self._delay = delay
        self._values = values
        self.scores = scores
        self.seen: list[Chat] = []
        self.scored: list[Score] = []
        self.opened = False

    async def __aenter__(self) -> Self:
        """Notes that it was opened."""
        self.opened = True
        return self

    async def complete(self, request: Chat) -> Completion:
        """The function's answer, after its delay in seconds."""
        await asyncio.sleep(self._delay(request))
        answer = self._answer(request)
        if answer is None:
            raise RequestError(f"{request.row}: refused")
        self.seen.append(request)
        return answer

    async def score(self, request: Score) -> Scored:
        """The function's numbers, after its delay in seconds."""
        await asyncio.sleep(self._delay(request))
        found = self._values(request)
        if found is None:
            raise RequestError(f"{request.row}: refused")
        self.scored.append(request)
        return Scored(found)

    async def __aexit__(self, *_: object) -> None:
        """Nothing to end."""


class Speaker(Fake):
    """An engine with a name, which says what the fake server says."""

    identity = "fake"

    def __init__(self) -> None:
        super().__init__(_spoken)


def _spoken(request: Chat) -> Completion:
    text, finish = model.answer([{"role": turn.role, "content": turn.content} for turn in request.messages])
    return Completion(text, finish, 1, 1, bool(request.prefill))
