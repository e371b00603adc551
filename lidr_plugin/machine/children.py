"""Child processes that end when lidr ends."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from lidr_plugin.machine import supervise


def guarded(command: list[str]) -> list[str]:
    """The command under `supervise.py`, which ends it and all that it started when lidr ends."""
    return [sys.executable, supervise.__file__, *command]


def ended(command: list[str], log: Path, *, folder: Path, env: Mapping[str, str]) -> int:
    """Runs a command that writes to `log` and gives its exit status; Ctrl-C ends it first."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        child = subprocess.Popen(
            guarded(command), stdout=file, stderr=file, cwd=folder, start_new_session=True, env=env
        )
        try:
            return child.wait()
        except KeyboardInterrupt:
            child.terminate()
            child.wait()
            raise
