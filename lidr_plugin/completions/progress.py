"""Counts what a run does, and shows it."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, ProgressColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

from lidr_plugin.errors.terminal import one_line, plain

_BINS = 120
_LINE_EVERY = 30.0
_SILENCE = 60.0
"""Seconds without an answer after which the user is told; again after twice as many, and so on."""


def say(line: str) -> None:
    """Tells the user something once, on a line of its own; a live bar stays below it."""
    print(plain(line), file=sys.stderr, flush=True)


@dataclass
class Tally:
    """How many scores came from engines and from the store, and how many failed for good.

    Attributes:
        apart: of those from engines, texts that were made tokens apart from their chat.
    """

    generated: int = 0
    reused: int = 0
    failed: int = 0
    apart: int = 0


@dataclass
class Meter:
    """Counters of a run. `timeline` has completion tokens by time; its bins double in width when they are used up.

    Attributes:
        generated, reused, failed: completions.
        opening: engines that are being started.
        waiting: requests that engines have.
        heard: when the last answer came, or the first request was sent after all had been answered.
        logs: of each server that lidr started, what it wrote last.
    """

    generated: int = 0
    reused: int = 0
    failed: int = 0
    scores: Tally = field(default_factory=Tally)
    opening: int = 0
    waiting: int = 0
    heard: float = 0.0
    logs: list[Callable[[], str]] = field(default_factory=list)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    started: float = field(default_factory=time.monotonic)
    bin_seconds: float = 1.0
    timeline: list[int] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def tokens_per_second(self) -> float:
        """Completion tokens of this run by its seconds."""
        return self.completion_tokens / self.seconds if self.seconds else 0.0

    @property
    def made(self) -> str:
        """What came from engines, in words."""
        scores = f" and {self.scores.generated} new scores" if self.scores.generated else ""
        return f"{self.generated} new completions{scores}"

    def fail(self, *, score: bool) -> None:
        """Counts a request that failed for good."""
        if score:
            self.scores.failed += 1
        else:
            self.failed += 1

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While an engine has a request."""
        if not self.waiting:
            self.heard = time.monotonic()
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1
            self.heard = time.monotonic()

    def add(self, prompt_tokens: int, completion_tokens: int) -> None:
        """Counts a completion that came from an engine."""
        self.generated += 1
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens
        while (place := int(self.seconds / self.bin_seconds)) >= _BINS:
            self.timeline = [sum(self.timeline[i : i + 2]) for i in range(0, len(self.timeline), 2)]
            self.bin_seconds *= 2
        self.timeline += [0] * (place + 1 - len(self.timeline))
        self.timeline[place] += completion_tokens


class Silence:
    """Tells that no answer comes, more and more rarely, and what the servers that lidr started wrote last."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._next = _SILENCE

    def look(self) -> None:
        """Tells it if it is time to."""
        meter = self._meter
        silent = time.monotonic() - meter.heard if meter.waiting and not meter.opening else 0.0
        if silent < _SILENCE:
            self._next = _SILENCE
        elif silent >= self._next:
            self._next *= 2
            words = "".join(f"; the server's log says: {line}" for log in meter.logs if (line := log()))
            say(f"no answer for {silent:.0f} s ({meter.waiting} waiting){words}")


class _Bar:
    """A live bar on a terminal; elsewhere nothing, so that a line can be printed now and then (`due`)."""

    def __init__(self, description: str, total: float | None, numbers: str, *columns: ProgressColumn) -> None:
        shown = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), *columns)
        numbers_column = TextColumn("{task.fields[numbers]}", markup=False)
        self._progress = Progress(*shown, numbers_column, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task(description, total=total, numbers=numbers)
        self._live: Live | None = self._progress.live if sys.stderr.isatty() else None
        self._next_line = 0.0

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def due(self) -> bool:
        """Whether it is time for a line; then the next is due a while later."""
        if time.monotonic() < self._next_line:
            return False
        self._next_line = time.monotonic() + _LINE_EVERY
        return True


class Display(_Bar):
    """Shows prompts done, requests, tokens/s and the time left; what the meter counted before is another's work.

    Args:
        what: one word for the work, or the model that does it.
        prompts: how many there are.
        requests: how many they need at most, second tries aside.
    """

    def __init__(self, what: str, meter: Meter, prompts: int, requests: int) -> None:
        self._what = what = one_line(what, 40)
        super().__init__(what, 1.0, "", TimeRemainingColumn())
        self._meter = meter
        self._prompts = prompts
        self._requests = max(requests, 1)  # a mix of questions asks nothing
        self._before = self._answered()
        self._started = time.monotonic()
        self._silence = Silence(meter)
        self.due()  # the first line after a while

    def _answered(self) -> tuple[int, int]:
        """Completions and scores, from engines and from the store."""
        meter = self._meter
        return meter.generated + meter.scores.generated, meter.reused + meter.scores.reused

    def update(self, done: int) -> None:
        """`done` prompts are settled."""
        meter = self._meter
        self._silence.look()
        numbers = f"{meter.generated} generated, {meter.reused} reused, {meter.failed} failed"
        if scores := sum((meter.scores.generated, meter.scores.reused, meter.scores.failed)):
            numbers += f", {scores} scores ({meter.scores.reused} reused, {meter.scores.failed} failed)"
        if meter.opening:
            numbers += ", starting the engine"
        if meter.completion_tokens:
            numbers += f", {meter.tokens_per_second:.0f} tokens/s"
        # Prompts end in order, long after their first answers; so the work done is told by the requests.
        generated, reused = (now - before for now, before in zip(self._answered(), self._before, strict=True))
        share = max(done / self._prompts, min(0.99, (generated + reused) / self._requests))
        if self._live:
            self._progress.update(self._task, completed=share, numbers=f"{done}/{self._prompts}, {numbers}")
        elif self.due():
            gained = share - reused / self._requests  # what came from the store says nothing about the time
            left = (
                f", about {(time.monotonic() - self._started) / gained * (1 - share):.0f} s left" if gained > 0 else ""
            )
            print(f"{self._what}: {done}/{self._prompts}, {numbers}{left}", file=sys.stderr, flush=True)


class ShardsDisplay(_Bar):
    """Shows the shards of a run that many workers build: those done, the workers, tokens/s and the time left.

    Args:
        requests: that they need at most, second tries aside.
    """

    def __init__(self, shards: int, requests: int) -> None:
        super().__init__("shards", 1.0, "", TimeRemainingColumn())
        self._shards = shards
        self._requests = max(requests, 1)
        self._started = time.monotonic()
        self.due()

    def update(self, done: int, workers: int, made: Sequence[tuple[int, int]]) -> None:
        """So many shards are done, so many workers are at one; each that there was has made answers and tokens."""
        answers, tokens = (sum(numbers) for numbers in zip(*made, strict=True)) if made else (0, 0)
        share = max(done / self._shards, min(0.99, answers / self._requests))
        rate = tokens / max(time.monotonic() - self._started, 1e-9)
        numbers = f"{done}/{self._shards}, {workers} workers, {answers} generated, {rate:.0f} tokens/s"
        if self._live:
            self._progress.update(self._task, completed=share, numbers=numbers)
        elif self.due():
            print(f"shards: {numbers}", file=sys.stderr, flush=True)


@asynccontextmanager
async def kept_up(show: Callable[[], None]) -> AsyncIterator[None]:
    """Calls `show` some times a second while the block runs, also while no answer comes, and at its end."""

    async def again() -> None:
        while True:
            show()
            await asyncio.sleep(0.2)

    showing = asyncio.create_task(again())
    try:
        yield
    finally:
        showing.cancel()
        show()


class Steps(_Bar):
    """Shows a training's steps, loss, accuracy and the time left."""

    def __init__(self) -> None:
        super().__init__("train", None, "loading")

    def update(self, line: Mapping[str, Any]) -> None:
        """A line of LLaMA-Factory's `trainer_log.jsonl`."""
        step, steps = (x if isinstance(x := line.get(f"{of}_steps"), int) else 0 for of in ("current", "total"))
        names = {
            "loss": "loss",
            "eval_loss": "held-out loss",
            "accuracy": "reward accuracy",
            "lr": "lr",
            "shift": "moved",
        }
        numbers = [f"{name} {x:.4g}" for key, name in names.items() if isinstance(x := line.get(key), int | float)]
        numbers.append(f"{line.get('elapsed_time', '')} gone, {line.get('remaining_time', '')} left")
        text = f"step {step}/{steps}, " + ", ".join(numbers)
        if self._live:
            self._progress.update(self._task, total=steps or None, completed=step, numbers=plain(text))
        elif self.due() or step == steps:
            print(plain(text), file=sys.stderr, flush=True)
