"""A deterministic engine without a model, for tests."""

import asyncio
from collections.abc import Callable
from typing import Self

from lidr_plugin.completions.requests import Chat, Completion
from lidr_plugin.errors import RequestError

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
