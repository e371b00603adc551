"""A deterministic engine without a model, for tests."""

import asyncio
from collections.abc import Callable
from typing import Self

from lidr_plugin.completions.requests import Chat, Completion
from lidr_plugin.errors import RequestError
from tests.support import model

Answer = Callable[[Chat], Completion | None]


class Fake:
    """Answers with a pure function of the request; None fails the request for good.

    Attributes:
        seen: the requests that were answered, in order.
    """

    def __init__(self, answer: Answer, *, delay: Callable[[Chat], float] = lambda _: 0.0) -> None:
        self._answer = answer
        self._delay = delay
        self.seen: list[Chat] = []
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
