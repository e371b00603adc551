"""Many requests to one model through the store, with a bar, and if wanted with a cap on what they cost."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from lidr_plugin.completions.client import Client, Missing, Model
from lidr_plugin.completions.progress import Display, Meter, kept_up
from lidr_plugin.completions.requests import Chat, Completion, Failure
from lidr_plugin.completions.store import Store
from lidr_plugin.errors import LidrError

_TEMPLATE_TOKENS = 64
"""Tokens at most that a chat template adds to a request."""


class Budget:
    """What requests cost, and a cap that is never passed, whatever is in flight.

    Before a request is sent, the most that it can cost is put aside: a token for each of its bytes, and all new tokens.

    Args:
        prompt_price: of a million prompt tokens.
        completion_price: of a million completion tokens.
        cap: None: none.

    Attributes:
        spent: so far, completions from the store included.
        exhausted: whether a request was not sent because of the cap.
    """

    def __init__(self, prompt_price: float, completion_price: float, cap: float | None) -> None:
        self._prices = prompt_price / 1e6, completion_price / 1e6
        self._cap = float("inf") if cap is None else cap
        self._reserved = 0.0
        self._changed = asyncio.Condition()
        self.spent = 0.0
        self.exhausted = False

    def price(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Of so many tokens."""
        return prompt_tokens * self._prices[0] + completion_tokens * self._prices[1]

    def count(self, completion: Completion) -> None:
        """A completion that was paid before."""
        self.spent += self.price(completion.prompt_tokens, completion.completion_tokens)

    async def pay(self, request: Chat, send: Callable[[], Awaitable[Completion]]) -> Completion | None:
        """Sends the request if there is room for it, if need be after others have come back; None if there is not."""
        size = sum(len(message.content.encode()) for message in request.messages) + _TEMPLATE_TOKENS
        most = self.price(size, request.sampling.max_tokens)
        async with self._changed:
            await self._changed.wait_for(lambda: self._fits(most) or not self._reserved or self.exhausted)
            if self.exhausted or not self._fits(most):
                self.exhausted = True
                self._changed.notify_all()
                return None
            self._reserved += most
        try:
            completion = await send()
            self.count(completion)
            return completion
        finally:
            async with self._changed:
                self._reserved = max(0.0, self._reserved - most)
                self._changed.notify_all()

    def _fits(self, most: float) -> bool:
        return self.spent + self._reserved + most <= self._cap


async def ask(
    store: Store, lane: Model, requests: Sequence[Chat], what: str, *, budget: Budget | None = None
) -> list[Completion | None]:
    """The answers of one engine, which is opened if anything is missing and closed at the end; see `answers`."""
    meter = Meter()
    generator = Client(store, {request.weights: lane for request in requests[:1]}, meter)
    try:
        return await answers(generator, meter, requests, what, budget=budget)
    finally:
        await generator.close()


async def answers(
    generator: Client, meter: Meter, requests: Sequence[Chat], what: str, *, budget: Budget | None = None
) -> list[Completion | None]:
    """The answers in the order of the requests; what is in the store is not asked. None: the budget had no room for it.

    Args:
        what: a word for the bar.

    Raises:
        RunError: a request failed for good; what was answered is kept.
    """
    done = 0

    async def send(item: Missing) -> Completion:
        answer = await generator.complete(item)
        assert not isinstance(answer, Failure), "a lane without allowed failures raises"
        return answer

    async def one(item: Completion | Missing) -> Completion | None:
        nonlocal done
        if isinstance(item, Completion):
            answer: Completion | None = item
        else:
            answer = await (budget.pay(item.request, lambda: send(item)) if budget else send(item))
        done += 1
        return answer

    with Display(what, meter, max(1, len(requests)), max(1, len(requests))) as display:
        found = generator.stored(requests)
        for item in found:
            if budget and isinstance(item, Completion):
                budget.count(item)
        try:
            async with kept_up(lambda: display.update(done)), asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(item)) for item in found]
        except* LidrError as errors:
            raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
