"""A server that lidr started, at work and under watch: whether it still answers, and if not, what became of it."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Self, TypeVar

import aiohttp

from lidr_plugin.completions.engines.logprobs import VllmClient
from lidr_plugin.completions.engines.pooling import Pooling
from lidr_plugin.completions.requests import Chat, Completion, Score, Scored
from lidr_plugin.completions.tokens import Ids, Sample
from lidr_plugin.errors import RequestError

_Answer = TypeVar("_Answer")

_LOOK_EVERY = 1.0
_DOUBT_AFTER = 3.0
"""Seconds without an answer after which a server is asked for its health, as often as it is looked at."""
_HEALTH_SECONDS = 5.0
"""What such a question may take."""
_REFUSED_TIMES = 3
"""A process that takes no connection so often, half a second apart, is on its way out."""


class Died(Exception):
    """The server does not answer any more, and what it was asked has no answer yet; the text says what became of it."""


class Watched:
    """Asks a server that is healthy, inside of `async with`, and notices when it dies or hangs.

    Args:
        client: asks it; entered by the caller.
        url: of the server, without a path.
        ended: says how its process ended, None while it runs.
        timeout: seconds without any answer after which it hangs.
    """

    def __init__(self, client: VllmClient | Pooling, url: str, ended: Callable[[], str | None], timeout: float) -> None:
        self._client = client
        self._health = f"{url}/health"
        self._ended = ended
        self._timeout = timeout
        self._asked = 0
        self._begun = self._answered = time.monotonic()
        self._death: asyncio.Future[str]

    async def __aenter__(self) -> Self:
        self._death = asyncio.get_running_loop().create_future()
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(_HEALTH_SECONDS))
        self._watch = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watch.cancel()
        await self._session.close()

    @property
    def death(self) -> str | None:
        """What became of it; None while it is well."""
        return self._death.result() if self._death.done() else None

    async def complete(self, request: Chat) -> Completion:
        """Answers one request.

        Raises:
            RequestError: it failed for good, and the server is well.
            Died: the server is not.
        """
        return await self._answer(self._client.complete(request))

    async def score(self, request: Score) -> Scored:
        """One score. Raises as `complete` does."""
        return await self._answer(self._client.score(request))

    async def _answer(self, asked: Coroutine[Any, Any, _Answer]) -> _Answer:
        if not self._asked:
            self._begun = time.monotonic()
        self._asked += 1
        asking = asyncio.create_task(asked)
        try:
            await asyncio.wait((asking, self._death), return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                answer = asking.result()
                self._answered = time.monotonic()
                return answer
        except RequestError:
            if not await self._was_the_server():
                raise
        finally:
            self._asked -= 1
            asking.cancel()
        raise Died(await self._death)

    async def tokens(self, sample: Sample) -> list[Ids]:
        """As the server reads them."""
        return await self._client.tokens(sample) if isinstance(self._client, VllmClient) else []

    async def _look(self) -> None:
        while not self._death.done():
            await asyncio.sleep(_LOOK_EVERY)
            doubtful = self._asked and time.monotonic() - max(self._begun, self._answered) > _DOUBT_AFTER
            if doubtful or self._ended():
                await self._is_dead()

    async def _was_the_server(self) -> bool:
        """Whether a request failed because the server is dead; waits for the verdict where it has been silent for long."""
        while not await self._is_dead():
            if self._silence() < self._timeout / 2:
                return False
            await asyncio.sleep(_LOOK_EVERY / 2)
        return True

    async def _is_dead(self) -> bool:
        """Finds out, and if so what became of it."""
        for _ in range(_REFUSED_TIMES):
            if self._death.done():
                return True
            if found := self._ended():
                return self._die(found)
            if self._silence() >= self._timeout:
                return self._die(f"gave no answer for {self._timeout:g} s")
            try:
                async with self._session.get(self._health) as answer:
                    # vLLM's 503: its engine is dead, and it will soon end too.
                    return answer.status >= 500 and self._die(f"is not well (its health is {answer.status})")
            except TimeoutError:  # it may be busy, or stopped: time will tell
                return False
            except (aiohttp.ClientError, OSError):
                await asyncio.sleep(_LOOK_EVERY / 2)
        return self._die("takes no connections")

    def _silence(self) -> float:
        """Seconds without any answer, be it a refusal, since it was asked something."""
        return time.monotonic() - max(self._begun, self._answered, self._client.heard)

    def _die(self, what: str) -> bool:
        if not self._death.done():
            self._death.set_result(what)
        return True
