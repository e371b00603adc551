"""Runs a command in a process group of its own and ends the whole group when lidr ends, even by `kill -9` (on Linux).

Run as a file, `python supervise.py PATIENCE COMMAND …`, so that it needs nothing but the standard library. LLaMA-Factory
starts torchrun, which starts the workers: a signal to the first process alone would leave the others holding the GPUs.
"""

import ctypes
import os
import signal
import subprocess
import sys
from types import FrameType

_PR_SET_PDEATHSIG = 1
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


_CANNOT_RUN = 126
"""What a shell says of a command that cannot be run."""


def _die_with_parent() -> None:
    """SIGTERM when the parent dies, however it dies (on Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _in_child() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    _die_with_parent()


def _interrupt(number: int, frame: FrameType | None) -> None:
    for other in _ENDING:
        signal.signal(other, signal.SIG_IGN)
    # Nothing may be waited for in here: this handler runs inside of `Popen.wait`, which holds the lock for that.
    raise InterruptedError(number)


def _end(child: "subprocess.Popen[bytes]", patience: float) -> None:
    """Ends the whole group, first kindly."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, kind)
            child.wait(patience)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue


def main(patience: float, command: list[str]) -> int:
    """The command's exit status; that of a command ended by a signal is 128 + its number, as in a shell.

    Args:
        patience: seconds between SIGTERM and SIGKILL.
    """
    parent = os.getppid()
    # Until there is a child that a signal could end.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        child = subprocess.Popen(command, start_new_session=True, preexec_fn=_in_child)  # noqa: PLW1509 (one thread)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return _CANNOT_RUN
    try:
        for number in _ENDING:
            signal.signal(number, _interrupt)
        _die_with_parent()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        if os.getppid() != parent:  # it died before it was watched
            raise InterruptedError(signal.SIGTERM)
        status = child.wait()
    except InterruptedError as interrupt:
        _end(child, patience)
        return 128 + int(interrupt.args[0])
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
