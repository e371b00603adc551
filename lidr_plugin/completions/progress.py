"""Counts what a run does, and shows it."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, ProgressColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

_BINS = 120
_LINE_EVERY = 30.0


def say(line: str) -> None:
    """Tells the user something once, on a line of its own; a live bar stays below it."""
    print(line, file=sys.stderr, flush=True)


@dataclass
class Meter:
    """Counters of a run. `timeline` has completion tokens by time; its bins double in width when they are used up.

    `opening` counts the engines that are being started.
    """

    generated: int = 0
    reused: int = 0
    failed: int = 0
    opening: int = 0
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


class _Bar:
    """A live bar on a terminal; elsewhere nothing, so that a line can be printed now and then (`due`)."""

    def __init__(self, description: str, total: float | None, numbers: str, *columns: ProgressColumn) -> None:
        shown = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), *columns)
        numbers_column = TextColumn("{task.fields[numbers]}")
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
        self._what = what
        super().__init__(what, 1.0, "", TimeRemainingColumn())
        self._meter = meter
        self._prompts = prompts
        self._requests = requests
        self._before = meter.generated, meter.reused
        self._started = time.monotonic()
        self.due()  # the first line after a while

    def update(self, done: int) -> None:
        """`done` prompts are settled."""
        meter = self._meter
        numbers = f"{meter.generated} generated, {meter.reused} reused, {meter.failed} failed"
        if meter.opening:
            numbers += ", starting the engine"
        if meter.completion_tokens:
            numbers += f", {meter.tokens_per_second:.0f} tokens/s"
        # Prompts end in order, long after their first answers; so the work done is told by the requests.
        generated, reused = meter.generated - self._before[0], meter.reused - self._before[1]
        share = max(done / self._prompts, min(0.99, (generated + reused) / self._requests))
        if self._live:
            self._progress.update(self._task, completed=share, numbers=f"{done}/{self._prompts}, {numbers}")
        elif self.due():
            gained = share - reused / self._requests  # what came from the store says nothing about the time
            left = (
                f", about {(time.monotonic() - self._started) / gained * (1 - share):.0f} s left" if gained > 0 else ""
            )
            print(f"{self._what}: {done}/{self._prompts}, {numbers}{left}", file=sys.stderr, flush=True)


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
        step, steps = line.get("current_steps", 0), line.get("total_steps", 0)
        names = {"loss": "loss", "eval_loss": "held-out loss", "accuracy": "reward accuracy", "lr": "lr"}
        numbers = [f"{name} {line[key]:.4g}" for key, name in names.items() if key in line]
        numbers.append(f"{line.get('elapsed_time', '')} gone, {line.get('remaining_time', '')} left")
        text = f"step {step}/{steps}, " + ", ".join(numbers)
        if self._live:
            self._progress.update(self._task, total=steps or None, completed=step, numbers=text)
        elif self.due() or step == steps:
            print(text, file=sys.stderr, flush=True)
