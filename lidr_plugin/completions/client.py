"""Where engine and store meet: read-through, each request once, bounded. The only such place."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from lidr_plugin.completions.budget import Budget
from lidr_plugin.completions.engines.base import Engine, Logged, Scoring
from lidr_plugin.completions.progress import Meter
from lidr_plugin.completions.requests import (
    Chat,
    Completion,
    Failure,
    Request,
    Score,
    Scored,
    SharedChat,
    canonical_json,
    key_of,
)
from lidr_plugin.completions.rows import Entry
from lidr_plugin.completions.score_rows import ScoreEntry
from lidr_plugin.completions.scores import scored
from lidr_plugin.completions.store import Store
from lidr_plugin.errors import EngineError, LidrError, RequestError, RunError
from lidr_plugin.errors.terminal import one_line


class Model(NamedTuple):
    """Whoever answers: an engine, and how many requests it gets at once.

    Attributes:
        max_failures: requests that may fail for good before the run does.
        identity: of the weights, as completions are found by it.
        budget: what its completions may cost; None: whatever they do.
        codes: what a translation model calls the run's languages; empty for a model that is asked in words.
    """

    engine: Engine
    concurrency: int
    max_failures: int
    identity: str = ""
    budget: Budget | None = None
    codes: Mapping[str, str] = MappingProxyType({})


class Missing(NamedTuple):
    """A request that the store has no answer for."""

    request: Request
    key: bytes
    canonical: bytes


@dataclass(slots=True)
class _State:
    """How it stands with a model in this run."""

    model: Model
    slots: asyncio.Semaphore
    opening: asyncio.Lock
    opened: bool = False
    failed: int = 0


class Client:
    """Answers requests from the store, and asks the engine for what is not there.

    Args:
        store: where every completion and score goes before it is handed on.
        models: by the identity of the weights, who answers.
        meter: counts completions, scores and tokens.
    """

    def __init__(self, store: Store, models: Mapping[str, Model], meter: Meter) -> None:
        self._store = store
        self._meter = meter
        self._states = {
            weights: _State(model, asyncio.Semaphore(model.concurrency), asyncio.Lock())
            for weights, model in models.items()
        }
        self._budgets = {weights: model.budget for weights, model in models.items() if model.budget}
        self._engines = AsyncExitStack()
        self._in_flight: dict[bytes, asyncio.Future[Completion | Scored | Failure]] = {}
        self._shared: set[bytes] = set()
        self._paid: set[bytes] = set()
        self._arrived: list[Entry | ScoreEntry] = []
        self._commit: asyncio.Task[None]
        self._ended: LidrError | None = None

    def stored(self, requests: Sequence[Request]) -> list[Completion | Scored | Missing]:
        """For each request its answer, if it is in the store."""
        canonical = [canonical_json(request) for request in requests]
        keys = [key_of(text) for text in canonical]
        found = self._found(requests, keys, canonical)
        answers: list[Completion | Scored | Missing] = []
        for request, key, text in zip(requests, keys, canonical, strict=True):
            if (answer := found.get(key)) is None:
                answers.append(Missing(request, key, text))
            else:
                answers.append(answer)
                self._reuse(request, key, answer)
        return answers

    def _found(
        self, requests: Sequence[Request], keys: Sequence[bytes], canonical: Sequence[bytes]
    ) -> dict[bytes, Completion | Scored]:
        """What the store has, by key."""
        scores = [key for request, key in zip(requests, keys, strict=True) if isinstance(request, Score)]
        chats = dict(zip(keys, canonical, strict=True))
        if not scores:
            return {**self._store.get_many(keys, chats)}
        for key in scores:
            chats.pop(key, None)
        return {**self._store.get_many([*chats], chats), **self._store.get_scores(scores)}

    def _reuse(self, request: Request, key: bytes, answer: Completion | Scored) -> None:
        """Counts it; a shared one the first time."""
        if isinstance(answer, Scored):
            self._meter.scores.reused += 1
            return
        budget = self._budgets.get(request.weights)
        if budget and key not in self._paid and isinstance(request, Chat):
            self._paid.add(key)
            budget.count(request, answer)
        if isinstance(request, SharedChat):
            self._meter.reused += key not in self._shared
            self._shared.add(key)
        else:
            self._meter.reused += 1

    async def complete(self, missing: Missing) -> Completion | Scored | Failure:
        """The engine's answer, stored before it is returned; equal requests in flight share one.

        Raises:
            RunError: more requests of an engine failed than may; whatever is asked after that raises it again.
            StoreError: the answer could not be stored.
        """
        if first := self._in_flight.get(missing.key):
            if isinstance(missing.request, Score):
                self._meter.scores.reused += 1
            else:
                self._meter.reused += not isinstance(missing.request, SharedChat)
            return await asyncio.shield(first)
        # An equal request was answered since the look-up.
        if stored := self._found([missing.request], [missing.key], [missing.canonical]):
            self._reuse(missing.request, missing.key, stored[missing.key])
            return stored[missing.key]
        future = self._in_flight[missing.key] = asyncio.get_running_loop().create_future()
        try:
            answer = await self._ask(missing)
        except BaseException:
            future.cancel()
            raise
        finally:
            del self._in_flight[missing.key]
        if isinstance(missing.request, SharedChat) and isinstance(answer, Completion):
            self._shared.add(missing.key)
        future.set_result(answer)
        return answer

    async def _ask(self, missing: Missing) -> Completion | Scored | Failure:
        state = self._states[missing.request.weights]
        async with state.slots:
            # Whoever waits for a slot gets it before the failure that ends the run has cancelled him.
            if self._ended:
                raise self._ended
            try:
                answer = await self._answer(state, missing.request)
                if isinstance(answer, Completion):
                    await self._keep(Entry(missing.canonical, answer))
                    self._meter.add(answer.prompt_tokens, answer.completion_tokens)
                elif isinstance(answer, Scored) and isinstance(missing.request, Score):
                    await self._keep(ScoreEntry(missing.canonical, missing.request.kind, answer))
                    self._meter.scores.generated += 1
                    self._meter.scores.apart += answer.apart
                    answer = Scored(answer.values)
            except LidrError as error:
                self._ended = error
                raise
        return answer

    async def _answer(self, state: _State, request: Request) -> Completion | Scored | Failure:
        if not state.opened:
            await self._open(state)
        try:
            with self._meter.asking():
                if isinstance(request, Score):
                    return await _scored(state.model.engine, request)
                return await self._completed(state.model, request)
        except RequestError as error:
            self._meter.fail(score=isinstance(request, Score))
            state.failed += 1
            if state.failed > state.model.max_failures:
                kept = f"{self._meter.made} are kept; the same command goes on from there"
                raise RunError(error.message, f"{error.hint}\n{kept}" if error.hint else kept) from None
            return Failure(error.message)

    async def _completed(self, model: Model, request: Chat) -> Completion:
        """The engine's answer, if there is money for it; where there is none, nothing is in flight any more."""
        if model.budget is None:
            return await model.engine.complete(request)
        answer = await model.budget.pay(request, lambda: model.engine.complete(request))
        if answer is None:
            raise RunError(
                f"max_cost: the next request could pass the {model.budget.cap:g} of {model.budget.name} "
                f"({model.budget.spent:.4g} are spent)",
                f"{self._meter.made} are kept; with a higher {model.budget.name} the same command goes on from there",
            )
        self._paid.add(key_of(canonical_json(request)))
        return answer

    async def _keep(self, entry: Entry | ScoreEntry) -> None:
        """Stores an answer. Those that arrive in the same turn of the loop share a transaction.

        A transaction for each costs as much as sending it; waiting for more than that turn would gain nothing.
        """
        self._arrived.append(entry)
        if len(self._arrived) == 1:
            self._commit = asyncio.create_task(self._commit_arrived())
        await asyncio.shield(self._commit)

    async def _commit_arrived(self) -> None:
        entries, self._arrived = self._arrived, []
        self._store.put_many(entries)

    async def _open(self, state: _State) -> None:
        """Opens the engine once, whoever comes first; the others wait for it."""
        async with state.opening:
            if self._ended:
                raise self._ended
            if not state.opened:
                self._meter.opening += 1
                await self._engines.enter_async_context(state.model.engine)
                self._meter.opening -= 1
                state.opened = True
                if isinstance(state.model.engine, Logged):
                    self._meter.logs.append(state.model.engine.last_words)

    async def close(self) -> None:
        """Closes every engine that was opened."""
        await self._engines.aclose()


async def _scored(engine: Engine, request: Score) -> Scored:
    """A score that can be one.

    Raises:
        RequestError: it failed for good, or the engine gave what is no score; that is never stored.
        EngineError: the engine gives no such scores.
    """
    if not isinstance(engine, Scoring) or request.need not in engine.scores:
        raise EngineError(f"{one_line(request.row)}: its engine gives no {request.need} scores", "ask another model")
    answer = await engine.score(request)
    try:
        return scored(request.kind, answer.values)._replace(apart=answer.apart)
    except (ValueError, TypeError, OverflowError) as error:
        hint = "nothing of it is stored; does the model suit the kind of score?"
        raise RequestError(f"{one_line(request.row)}: no {request.kind} score: {error}", hint) from None
