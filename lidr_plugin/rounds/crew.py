"""The workers that build the shards of a run, and what each is at; who places them is told only to start and to end one."""

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lidr_plugin.completions.progress import say
from lidr_plugin.dataset.shards import Shard
from lidr_plugin.errors import InputError, LidrError, RunError

KEPT = "every finished completion is kept; the same command goes on from there"
_TRIES = 5
"""Times that a shard may fail without its worker's death, as by a server that is away, or by the lock of a worker that dies."""
_DEATHS = 20
"""Times that a shard's worker may die: machines that are lent for a while are taken back often, but not so often."""
_PAUSE = 5.0
"""Seconds before a shard that failed is begun again, twice as many each time. They are 75 in all, for a node that is cut off holds
the locks of its shards until it finds out, after a minute by Ray's settings."""


class Failure(NamedTuple):
    """Why a shard could not be built, in a form that keeps its way between processes.

    Attributes:
        final: whether another try cannot help.
        waits: whether all that is wrong is that other shards are not so far.
    """

    message: str
    hint: str
    final: bool
    status: int
    waits: bool = False

    def error(self) -> LidrError:
        """As it was."""
        return (InputError if self.status == InputError.exit_status else RunError)(self.message, self.hint)


class Progress(NamedTuple):
    """A worker's answers so far, and their tokens."""

    answers: int = 0
    tokens: int = 0


@dataclass
class Crew:
    """The workers, and what each is at.

    Attributes:
        at: by the reference of its answer, a worker and its shard; None while it starts.
        idle: workers that wait for a shard.
        asleep: shards that failed, each with the time from which on it may be begun again.
        waiting: shards that can go on when all are so far; each has `waited` once.
        failed_starts: of workers, one after the other.
    """

    start: Callable[[], Any]
    end: Callable[[Any], object]
    todo: deque[Shard]
    done: int
    at: dict[Any, tuple[Any, Shard | None]] = field(default_factory=dict)
    idle: list[Any] = field(default_factory=list)
    asleep: list[tuple[float, Shard]] = field(default_factory=list)
    waiting: list[Shard] = field(default_factory=list)
    waited: set[Shard] = field(default_factory=set)
    tries: Counter[Shard] = field(default_factory=Counter)
    deaths: Counter[Shard] = field(default_factory=Counter)
    failed_starts: int = 0

    @property
    def workers(self) -> list[Any]:
        """All that are there, or about to be."""
        return [*self.idle, *(worker for worker, _ in self.at.values())]

    def hand_out(self, most: int) -> None:
        """Gives shards to those who are there, and starts others, up to so many; a shard never waits for a start."""
        now = time.monotonic()
        self.todo.extendleft(shard for due, shard in self.asleep if due <= now)
        self.asleep = [(due, shard) for due, shard in self.asleep if due > now]
        if not (self.todo or self.asleep or any(shard for _, shard in self.at.values())):
            self.todo.extend(self.waiting)
            self.waiting = []
        while self.todo and self.idle:
            worker, shard = self.idle.pop(), self.todo.popleft()
            self.at[worker.build.remote(shard)] = worker, shard
        starting = sum(shard is None for _, shard in self.at.values())
        for _ in range(min(len(self.todo) - starting, most - len(self.workers))):
            worker = self.start()
            self.at[worker.progress.remote()] = worker, None

    def answered(self, reference: Any, answer: Progress | Failure | None) -> None:
        """Takes what a worker answered. Raises what no further try can change."""
        worker, shard = self.at.pop(reference)
        if shard is None:
            self.failed_starts = 0
        if not isinstance(answer, Failure):
            self.idle.append(worker)
            self.done += shard is not None
            return
        assert shard is not None
        if answer.waits and shard not in self.waited:
            self.waited.add(shard)
            self.idle.append(worker)
            self.waiting.append(shard)
            return
        self.end(worker)  # another one may fare better elsewhere
        self.tries[shard] += 1
        if answer.final or self.tries[shard] == _TRIES:
            raise answer.error()
        say(f"{answer.message}; it is begun again")
        self.asleep.append((time.monotonic() + _PAUSE * 2 ** (self.tries[shard] - 1), shard))

    def died(self, reference: Any, why: str) -> None:
        """Another one goes on from the shard's store. Raises `RunError` where that happens again and again."""
        worker, shard = self.at.pop(reference)
        self.end(worker)  # it may only be out of reach
        if shard is None:
            self.failed_starts += 1
            if self.failed_starts == _TRIES:
                raise RunError(f"--ray: no worker starts: {why}", "every node needs the same lidr and Ray")
            return
        self.deaths[shard] += 1
        if self.deaths[shard] == _DEATHS:
            raise RunError(f"shard {shard}: its workers died {_DEATHS} times, the last: {why}", KEPT)
        say(f"a worker died in shard {shard}; another one goes on from its store")
        self.todo.appendleft(shard)
