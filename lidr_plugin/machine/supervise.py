"""Runs a command in a process group of its own and ends the whole group when lidr ends, even by `kill -9` (on Linux).

Run as a file, `python supervise.py COMMAND …`, so that it needs nothing but the standard library. LLaMA-Factory starts
torchrun, which starts the workers: a signal to the first process alone would leave the others holding the GPUs.
"""

import ctypes
import os
import signal
import subprocess
import sys
from types import FrameType

_PR_SET_PDEATHSIG = 1
_PATIENCE = 10.0
"""Seconds between SIGTERM and SIGKILL: enough for a training to close its files."""


def main(command: list[str]) -> int:
    """The command's exit status; that of a command ended by a signal is 128 + its number, as in a shell."""
    parent = os.getppid()
    child = subprocess.Popen(command, start_new_session=True)

    def end(number: int, frame: FrameType | None) -> None:
        for kind in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(child.pid, kind)
                child.wait(_PATIENCE)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the line above
            end(signal.SIGTERM, None)
    status = child.wait()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
