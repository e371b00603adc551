"""Many generators at once, over the store and the engines, without barriers between their steps."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Generic, TypeVar

from lidr_plugin.completions.client import Client, Missing
from lidr_plugin.completions.requests import Request
from lidr_plugin.completions.steps import Branch, Course, Steps
from lidr_plugin.errors import LidrError

T = TypeVar("T")
_CHUNK = 256
"""Prompts taken in at once at most: one look-up in the store for all their requests, and the loop breathes between two."""


async def run(work: Iterable[Steps[T]], client: Client, emit: Callable[[T], None], concurrency: int) -> None:
    """Brings all generators to their end, and emits what they return in their order.

    Bounded are the requests that wait for an answer, whatever number of them one prompt has, and what is finished early and
    waits for those before it.

    Args:
        concurrency: of all engines together; a little more is asked for, so that they never wait for this loop.

    Raises:
        LidrError: of the request or the store that failed first; the others under way are cancelled.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            # Twice the concurrency: while one half is in the engine, the other waits at its door. 64 more, so that a small
            # concurrency still looks up many keys at once.
            await _Runner(client, emit, tasks, 2 * concurrency + 64).conduct(iter(work))
    except* LidrError as group:
        raise _first(group) from None


def _first(group: BaseExceptionGroup[LidrError]) -> LidrError:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


class _Runner(Generic[T]):
    """The loop of `run`: takes prompts in, asks for what they want, gives results out in order."""

    def __init__(self, client: Client, emit: Callable[[T], None], tasks: asyncio.TaskGroup, most_open: int) -> None:
        self._client = client
        self._emit = emit
        self._tasks = tasks
        self._most_open = most_open
        self._open = 0
        self._each = _CHUNK
        self._numbers: dict[Course[T], int] = {}
        self._taken = 0
        self._done: dict[int, T] = {}
        self._next = 0
        self._answered: asyncio.Queue[Course[T]] = asyncio.Queue()

    async def conduct(self, work: Iterator[Steps[T]]) -> None:
        exhausted = False
        while not exhausted or self._numbers:
            if not exhausted and (room := self._room()) > 0:
                chunk = [Course(steps) for steps in islice(work, room)]
                exhausted = not chunk
                self._numbers |= {course: self._taken + place for place, course in enumerate(chunk)}
                self._taken += len(chunk)
                # A prompt that is dropped at once wants nothing.
                self._each = max([1, *(len(course.wanted) for course in chunk)])
                await asyncio.sleep(0)  # lets answers, time-outs and Ctrl-C come through
                self._advance(chunk)
            elif self._numbers:
                ready = {await self._answered.get()}
                while not self._answered.empty():
                    ready.add(self._answered.get_nowait())
                self._advance(sorted(ready, key=self._numbers.__getitem__))
            while self._next in self._done:
                self._emit(self._done.pop(self._next))
                self._next += 1

    def _room(self) -> int:
        """How many prompts may come in: by the requests that are open, `_each` of which a prompt brings, and by what waits."""
        if not self._numbers:
            return max(1, min(_CHUNK, self._most_open // self._each))
        waiting = len(self._numbers) + len(self._done)
        # Eight times: one slow prompt at the front may hold back so many finished ones before the engine runs dry.
        return min(_CHUNK, (self._most_open - self._open) // self._each, 8 * self._most_open - waiting)

    def _advance(self, courses: Sequence[Course[T]]) -> None:
        """Answers from the store as far as that goes; asks the engine for the rest."""
        while courses:
            wanted: list[tuple[Course[T], Branch, Request]] = []
            for course in courses:
                if course.finished:
                    self._done[self._numbers.pop(course)] = course.result
                else:
                    wanted += [(course, branch, request) for branch, request in course.wanted]
                    course.wanted = []
            found = self._client.stored([request for _, _, request in wanted])
            further: dict[Course[T], None] = {}
            for (course, branch, _), answer in zip(wanted, found, strict=True):
                if isinstance(answer, Missing):
                    self._open += 1
                    self._tasks.create_task(self._fetch(course, branch, answer))
                else:
                    course.answer(branch, answer)
                    further[course] = None
            courses = list(further)

    async def _fetch(self, course: Course[T], branch: Branch, missing: Missing) -> None:
        answer = await self._client.complete(missing)
        self._open -= 1
        course.answer(branch, answer)
        self._answered.put_nowait(course)
