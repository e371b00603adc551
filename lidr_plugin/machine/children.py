"""Child processes that end when lidr ends."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lidr_plugin.machine import interrupts, supervise

_PATIENCE = 10.0
"""Seconds between SIGTERM and SIGKILL: enough for a training to close its files."""


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


def ended(command: list[str], log: Path, *, folder: Path, env: Mapping[str, str]) -> int:
    """Runs a command that writes to `log` and gives its exit status."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file, running(command, stdout=file, stderr=file, cwd=folder, env=env) as child:
        return child.wait()
