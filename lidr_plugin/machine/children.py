"""Child processes that end when lidr ends."""

import sys

from lidr_plugin.machine import supervise


def guarded(command: list[str]) -> list[str]:
    """The command under `supervise.py`, which ends it and all that it started when lidr ends."""
    return [sys.executable, supervise.__file__, *command]
