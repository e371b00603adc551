"""An engine that stays open from run to run, on a thread of its own."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from lidr_plugin.completions.engines.base import Engine, scores_of
from lidr_plugin.completions.requests import Chat, Completion, Need, Score, Scored
from lidr_plugin.completions.tokens import Ids, Sample

T = TypeVar("T")


class Held:
    """Each run enters and leaves it; the engine behind it is opened once, by the first that asks, and closed by `close`.

    Attributes:
        identity: of the weights, as completions are found by it.
        answered, tokens_made: answers so far, and their tokens.
    """

    def __init__(self, engine: Engine, identity: str) -> None:
        self.identity = identity
        self.answered = self.tokens_made = 0
        self._engine: Any = engine
        self._opened = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    @property
    def scores(self) -> frozenset[Need]:
        """Those that the engine gives."""
        return scores_of(self._engine)

    async def __aenter__(self) -> Self:
        """Opens the engine the first time."""
        if not self._opened:
            await self._there(self._engine.__aenter__())
            self._opened = True
        return self

    async def complete(self, request: Chat) -> Completion:
        """The engine's answer."""
        completion: Completion = await self._there(self._engine.complete(request))
        self.answered += 1
        self.tokens_made += completion.completion_tokens
        return completion

    async def score(self, request: Score) -> Scored:
        """The engine's score."""
        scored: Scored = await self._there(self._engine.score(request))
        self.answered += 1
        return scored

    async def tokens(self, sample: Sample) -> list[Ids]:
        """As the engine reads them; empty where it cannot tell."""
        if not hasattr(self._engine, "tokens"):
            return []
        ids: list[Ids] = await self._there(self._engine.tokens(sample))
        return ids

    async def __aexit__(self, *_: object) -> None:
        """Leaves the engine open for the next run."""

    def close(self) -> None:
        """Closes the engine; whoever still waits for an answer is told that there will be none."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        # First: a server that is being stopped must not look like one that died, and be started again.
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        if self._opened:
            await self._engine.__aexit__(None, None, None)

    async def _there(self, work: Coroutine[Any, Any, T]) -> T:
        """Lets the engine's own loop do it: what it opened belongs to that one."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))
