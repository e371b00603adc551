"""An engine that many runs share: it is opened once, on an event loop of its own."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Self, TypeVar

from lidr_plugin.completions.engines.servers import Vllm
from lidr_plugin.completions.requests import Chat, Completion, Score, Scored

_T = TypeVar("_T")


class Lent:
    """A vLLM server that outlives a run. What a run opens and closes is nothing."""

    identity = "lent"

    def __init__(self, engine: Vllm, loop: asyncio.AbstractEventLoop) -> None:
        self._engine = engine
        self._loop = loop
        self.scores = engine.scores

    async def _there(self, work: Coroutine[Any, Any, _T]) -> _T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def __aenter__(self) -> Self:
        """It is open."""
        return self

    async def complete(self, request: Chat) -> Completion:
        """The server's answer."""
        return await self._there(self._engine.complete(request))

    async def score(self, request: Score) -> Scored:
        """The server's score."""
        return await self._there(self._engine.score(request))

    async def __aexit__(self, *_: object) -> None:
        """It stays open."""


@contextmanager
def lent(engine: Vllm) -> Iterator[Lent]:
    """Opens an engine for the runs of a block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(engine.__aenter__(), loop).result()
        try:
            yield Lent(engine, loop)
        finally:
            asyncio.run_coroutine_threadsafe(engine.__aexit__(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
