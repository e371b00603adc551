"""An engine that stays open from shard to shard, on a thread of its own."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from lidr_plugin.completions.engines.base import Engine, scores_of
from lidr_plugin.completions.requests import Chat, Completion, Need, Score, Scored

T = TypeVar("T")


class Held:
    """Each run enters and leaves it; the engine behind it is opened once, and closed by `close`.

    Attributes:
        identity: of the weights, as completions are found by it.
        answered, tokens: completions so far, and their tokens.
    """

    def __init__(self, engine: Engine, identity: str) -> None:
        self.identity = identity
        self.answered = self.tokens = 0
        self._engine: Any = engine
        self._opened = False
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    @property
    def scores(self) -> frozenset[Need]:
        """Those that the engine gives."""
        return scores_of(self._engine)

    async def __aenter__(self) -> Self:
        """Opens the engine at the first time."""
        if not self._opened:
            await self._there(self._engine.__aenter__())
            self._opened = True
        return self

    async def complete(self, request: Chat) -> Completion:
        """The engine's answer."""
        completion: Completion = await self._there(self._engine.complete(request))
        self.answered += 1
        self.tokens += completion.completion_tokens
        return completion

    async def score(self, request: Score) -> Scored:
        """The engine's score."""
        return await self._there(self._engine.score(request))

    async def __aexit__(self, *_: object) -> None:
        """Leaves the engine open for the next run."""

    def close(self) -> None:
        """Closes the engine."""
        if self._opened:
            asyncio.run_coroutine_threadsafe(self._engine.__aexit__(None, None, None), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _there(self, work: Coroutine[Any, Any, T]) -> T:
        """Lets the engine's own loop do it: what it opened belongs to that one."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))
