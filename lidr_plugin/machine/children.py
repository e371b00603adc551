"""Child processes that end when lidr ends."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import dropwhile
from pathlib import Path
from typing import Any

from lidr_plugin.machine import interrupts, supervise

_PATIENCE = 10.0
"""Seconds between SIGTERM and SIGKILL: enough for a training to close its files."""

_AWAKE = 1.0
"""Seconds after which a wait looks whether a signal came."""


def guarded(command: list[str], *, patience: float = _PATIENCE) -> list[str]:
    """The command under `supervise.py`, which ends it and all that it started when lidr ends."""
    return [sys.executable, supervise.__file__, str(patience), *command]


@contextmanager
def running(command: list[str], *, patience: float = _PATIENCE, **options: Any) -> Iterator["subprocess.Popen[Any]"]:
    """A guarded command, which ends with the block, however that ends; the options are those of `subprocess.Popen`."""
    child: subprocess.Popen[Any] | None = None
    try:
        with interrupts.deferred():
            child = subprocess.Popen(guarded(command, patience=patience), start_new_session=True, **options)
        yield child
    finally:
        if child:
            child.terminate()
            child.wait()


def status_of(child: "subprocess.Popen[Any]") -> int:
    """The exit status of a child, once it has ended; a longer wait would not end where another thread takes a signal."""
    while True:
        with suppress(subprocess.TimeoutExpired):
            return child.wait(_AWAKE)


def said_by(child: "subprocess.Popen[str]", text: str) -> tuple[str, str]:
    """What a child says on its outputs of a text on its input; it waits as `status_of` does."""
    given: str | None = text
    while True:
        with suppress(subprocess.TimeoutExpired):
            return child.communicate(given, _AWAKE)
        given = None


def last_said(errors: str, most: int = 12) -> list[str]:
    """The end of what a child wrote before it failed; of a traceback the error alone, for frames mean nothing to the user."""
    _, crashed, end = errors.rpartition("Traceback (most recent call last):\n")
    lines = [line for line in (end if crashed else errors).splitlines() if line.strip()]
    told = list(dropwhile(lambda line: line[0].isspace(), lines)) if crashed else lines
    return (told or lines)[-most:]


def ended(command: list[str], log: Path, *, folder: Path, env: Mapping[str, str]) -> int:
    """Runs a command that writes to `log` and gives its exit status."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file, running(command, stdout=file, stderr=file, cwd=folder, env=env) as child:
        return status_of(child)
