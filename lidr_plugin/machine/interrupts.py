"""Ctrl-C, SIGTERM and the end of the terminal: the first ends the work in order, and those that follow change nothing."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, nullcontext, suppress
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STATUS = 130
"""The exit status of a command that was interrupted."""

_AWAKE = 0.5
"""Seconds."""


class _State:
    """How it stands with the one interrupt of this process."""

    came = threading.Lock()  # a lock, for a second signal may come while the first is being handled
    stop: Callable[[], object] | None = None
    deferring = deferred = False

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """The handler: stops the event loop's work, or raises `KeyboardInterrupt` where there is none."""
        if not self.came.acquire(blocking=False):
            return
        if self.stop:
            self.stop()
        elif self.deferring:
            self.deferred = True
        else:
            raise KeyboardInterrupt


_state = _State()


@contextmanager
def heeded() -> Iterator[None]:
    """Turns the first signal into one `KeyboardInterrupt`. What is ignored from outside (`nohup`, a background job) stays so.

    After the block they are ignored: a process that is ending anyhow ends with its own status.
    """
    _state.came, _state.stop, _state.deferring, _state.deferred = threading.Lock(), None, False, False
    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, _state.interrupt)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, signal.SIG_IGN)


def came() -> bool:
    """Whether the process was interrupted."""
    return _state.came.locked()


def leave() -> None:
    """Ends an interrupted process, all of which is closed, without waiting for what may still compute in its threads."""
    if came():
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # the terminal may be gone
                stream.flush()
        os._exit(STATUS)


@contextmanager
def deferred() -> Iterator[None]:
    """Puts an interrupt off to the end of the block: a child that is being started has no name yet by which to end it."""
    _state.deferring = True
    try:
        yield
    finally:
        _state.deferring = False
    if _state.deferred:
        _state.deferred = False
        raise KeyboardInterrupt


@contextmanager
def awake() -> Iterator[None]:
    """Looks for an interrupt twice a second in a block that waits in C, as `input` on a terminal does.

    Such a wait ends where a signal breaks into it. One that came a moment before it began, with the prompt on the screen already,
    would not be seen until the next key.
    """
    before = signal.signal(signal.SIGALRM, lambda number, frame: None)
    signal.setitimer(signal.ITIMER_REAL, _AWAKE, _AWAKE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run(work: Coroutine[Any, Any, T], lasting: "asyncio.Runner | None" = None) -> T:
    """`asyncio.run`, where an interrupt cancels the work, which closes what it opened.

    An exception raised in the midst of the loop, as a plain handler does, can lose the wake-up of a task, and then the end
    waits for that task for ever.

    Args:
        lasting: the owner of the loop, where what this work opens is used by further work.

    Raises:
        KeyboardInterrupt: interrupted, whatever else went wrong at the end.
    """
    import asyncio  # as long to load as all the rest of what heeds a signal

    with nullcontext(lasting) if lasting else asyncio.Runner() as runner:
        loop = runner.get_loop()
        task = loop.create_task(work)

        async def whole() -> T:
            return await task

        _state.stop = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            result = runner.run(whole())
        except BaseException:
            if came():
                raise KeyboardInterrupt from None
            raise
        finally:
            _state.stop = None
    if came():  # too late for the work to notice
        raise KeyboardInterrupt
    return result
