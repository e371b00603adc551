"""What requests cost, and a cap on it."""

import asyncio
from collections.abc import Awaitable, Callable

from lidr_plugin.completions.requests import Chat, Completion

_TEMPLATE_TOKENS = 64
"""Tokens at most that a chat template adds to a request."""


class Budget:
    """What requests cost, and a cap that is never passed, whatever is in flight.

    Before a request is sent, the most that it can cost is put aside: a token for each of its bytes, and all new tokens.

    Args:
        prompt_price: of a million prompt tokens.
        completion_price: of a million completion tokens.
        cap: None: none.
        name: the key that sets it, for messages.

    Attributes:
        spent: so far, completions from the store included.
        exhausted: whether a request was not sent because of the cap.
    """

    def __init__(self, prompt_price: float, completion_price: float, cap: float | None, name: str = "max_cost") -> None:
        self._prices = prompt_price / 1e6, completion_price / 1e6
        self.cap = float("inf") if cap is None else cap
        self.name = name
        self._reserved, self._in_flight = 0.0, 0
        self._changed = asyncio.Condition()
        self.spent = 0.0
        self.exhausted = False

    def price(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Of so many tokens."""
        return prompt_tokens * self._prices[0] + completion_tokens * self._prices[1]

    def count(self, request: Chat, completion: Completion) -> None:
        """A completion that was paid. Where the server did not say how many tokens it took, it counts as put aside."""
        prompt, most = _most_tokens(request)
        self.spent += self.price(completion.prompt_tokens or prompt, completion.completion_tokens or most)

    async def pay(self, request: Chat, send: Callable[[], Awaitable[Completion]]) -> Completion | None:
        """Sends the request if there is room for it, if need be after others have come back; None if there is not."""
        most = self.price(*_most_tokens(request))
        async with self._changed:
            await self._changed.wait_for(lambda: self._fits(most) or not self._in_flight or self.exhausted)
            if self.exhausted or not self._fits(most):
                self.exhausted = True
                self._changed.notify_all()
                return None
            self._reserved, self._in_flight = self._reserved + most, self._in_flight + 1
        try:
            completion = await send()
            self.count(request, completion)
            return completion
        finally:
            async with self._changed:
                self._in_flight -= 1
                # What is left of a sum after all its parts are taken away again need not be zero.
                self._reserved = max(0.0, self._reserved - most) if self._in_flight else 0.0
                self._changed.notify_all()

    def _fits(self, most: float) -> bool:
        return self.spent + self._reserved + most <= self.cap


def _most_tokens(request: Chat) -> tuple[int, int]:
    """Prompt and completion tokens that a request can take."""
    size = sum(len(message.content.encode()) for message in request.messages) + _TEMPLATE_TOKENS
    return size, request.sampling.max_tokens
