"""Where engine and store meet: read-through, each request once, bounded. The only such place."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lidr_plugin.completions.engines.base import Engine
from lidr_plugin.completions.progress import Meter
from lidr_plugin.completions.requests import Chat, Completion, Failure, key_of, request_json
from lidr_plugin.completions.store import Entry, Store
from lidr_plugin.errors import RequestError, RunError


class Model(NamedTuple):
    """Whoever answers: an engine, and how many requests it gets at once.

    Attributes:
        max_failures: requests that may fail for good before the run does.
        identity: of the weights, as completions are found by it.
    """

    engine: Engine
    concurrency: int
    max_failures: int
    identity: str = ""


class Missing(NamedTuple):
    """A request that the store has no completion for."""

    request: Chat
    key: bytes
    canonical: bytes


class Client:
    """Answers requests from the store, and asks the engine for what is not there.

    Args:
        store: where every completion goes the moment it arrives.
        lanes: by the identity of the weights, who answers.
        meter: counts completions and tokens.
    """

    def __init__(self, store: Store, lanes: Mapping[str, Model], meter: Meter) -> None:
        self._store = store
        self._lanes = lanes
        self._meter = meter
        self._slots = {weights: asyncio.Semaphore(lane.concurrency) for weights, lane in lanes.items()}
        self._opening = {weights: asyncio.Lock() for weights in lanes}
        self._opened: set[str] = set()
        self._flying: dict[bytes, asyncio.Future[Completion | Failure]] = {}

    def stored(self, requests: Sequence[Chat]) -> list[Completion | Missing]:
        """For each request its completion, if it is in the store."""
        canonical = [request_json(request) for request in requests]
        keys = [key_of(text) for text in canonical]
        found = self._store.get_many(keys)
        self._meter.reused += sum(key in found for key in keys)
        return [
            found.get(key) or Missing(request, key, text)
            for request, key, text in zip(requests, keys, canonical, strict=True)
        ]

    async def complete(self, missing: Missing) -> Completion | Failure:
        """The engine's answer, stored before it is returned; equal requests in flight share one.

        Raises:
            RunError: more requests failed than may.
            StoreError: the completion could not be stored.
        """
        if flying := self._flying.get(missing.key):
            self._meter.reused += 1
            return await asyncio.shield(flying)
        if stored := self._store.get_many([missing.key]):  # its twin came in since the look-up
            self._meter.reused += 1
            return stored[missing.key]
        future = self._flying[missing.key] = asyncio.get_running_loop().create_future()
        try:
            answer = await self._ask(missing)
        except BaseException:
            future.cancel()
            raise
        finally:
            del self._flying[missing.key]
        future.set_result(answer)
        return answer

    async def _ask(self, missing: Missing) -> Completion | Failure:
        weights = missing.request.weights
        lane = self._lanes[weights]
        async with self._slots[weights]:
            if weights not in self._opened:
                async with self._opening[weights]:
                    if weights not in self._opened:
                        self._meter.opening += 1
                        await lane.engine.open()
                        self._meter.opening -= 1
                        self._opened.add(weights)
            try:
                completion = await lane.engine.complete(missing.request)
            except RequestError as error:
                self._meter.failed += 1
                if self._meter.failed > lane.max_failures:
                    kept = f"{self._meter.generated} new completions are kept; the same command goes on from there"
                    raise RunError(error.message, f"{error.hint}\n{kept}" if error.hint else kept) from None
                return Failure(error.message)
            self._store.put_many([Entry(missing.canonical, completion)])
        self._meter.add(completion.prompt_tokens, completion.completion_tokens)
        return completion

    async def close(self) -> None:
        """Closes every engine."""
        for lane in self._lanes.values():
            await lane.engine.close()
