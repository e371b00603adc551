"""Responses and self-translations of many prompts at once, without barriers between the steps."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from lidr_plugin.completions.client import Client, Missing
from lidr_plugin.completions.requests import Chat
from lidr_plugin.errors import LidrError
from lidr_plugin.methods.base import Outcome
from lidr_plugin.methods.imbalance import Label, Work

_CHUNK = 256


async def run(works: Iterator[Work], generator: Client, emit: Callable[[Outcome], None], concurrency: int) -> None:
    """Brings all prompts to their end and emits them in order.

    So many prompts are under way that the engine always has more to do than it takes at once; what is finished early
    waits for those before it. Both are bounded.

    Raises:
        LidrError: of the request or the store that failed first; the others under way are cancelled.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            await _Conductor(generator, emit, tasks, 2 * concurrency + 64).conduct(works)
    except* LidrError as group:
        raise _first(group) from None


def _first(group: BaseExceptionGroup[LidrError]) -> LidrError:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


class _Conductor:
    """The loop of `run`: takes prompts in, asks for what they want, gives them out in order."""

    def __init__(
        self, generator: Client, emit: Callable[[Outcome], None], tasks: asyncio.TaskGroup, most_active: int
    ) -> None:
        self._generator = generator
        self._emit = emit
        self._tasks = tasks
        self._most_active = most_active
        self._active: set[Work] = set()
        self._done: dict[int, Outcome] = {}
        self._next = 0
        self._answered: asyncio.Queue[Work] = asyncio.Queue()

    async def conduct(self, works: Iterator[Work]) -> None:
        exhausted = False
        while not exhausted or self._active:
            room = min(_CHUNK, self._most_active - len(self._active), 8 * self._most_active - len(self._done))
            if not exhausted and room > 0:
                chunk = list(islice(works, room))
                exhausted = not chunk
                self._active.update(chunk)
                await asyncio.sleep(0)  # lets answers, time-outs and Ctrl-C come through
                self._advance(chunk)
            elif self._active:
                ready = {await self._answered.get()}
                while not self._answered.empty():
                    ready.add(self._answered.get_nowait())
                self._advance(sorted(ready, key=lambda work: work.position))
            while self._next in self._done:
                self._emit(self._done.pop(self._next))
                self._next += 1

    def _advance(self, works: Sequence[Work]) -> None:
        """Settles what can be settled from the store; asks the engine for the rest."""
        while works:
            wanted: list[tuple[Work, Label, Chat]] = []
            for work in works:
                if settled := work.settle():
                    self._done[work.position] = settled
                    self._active.discard(work)
                else:
                    wanted += [(work, label, request) for label, request in work.wanted().items()]
            found = self._generator.stored([request for _, _, request in wanted])
            further: dict[Work, None] = {}
            for (work, label, _), answer in zip(wanted, found, strict=True):
                if isinstance(answer, Missing):
                    self._tasks.create_task(self._fetch(work, label, answer))
                else:
                    work.answer(label, answer)
                    further[work] = None
            works = list(further)

    async def _fetch(self, work: Work, label: Label, missing: Missing) -> None:
        work.answer(label, await self._generator.complete(missing))
        self._answered.put_nowait(work)
