"""`lidr` as a child that is to be interrupted, and the wait for the moment to do it."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

PATIENCE = 600.0
"""Seconds after which something hangs: a slow machine, or one that does much else, must not fail a test."""

LIDR = (sys.executable, "-c", "from lidr_cli.main import main; main()")


def started(folder: Path, *arguments: str | Path, env: Mapping[str, str] | None = None) -> "subprocess.Popen[bytes]":
    """`lidr` in a session of its own; what it says on stderr is to be had by `communicate`."""
    return subprocess.Popen(
        [*LIDR, *map(str, arguments)],
        cwd=folder,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def until(there: Callable[[], bool], child: "subprocess.Popen[bytes]") -> None:
    """Waits for something while the child is alive; the child is killed if it does not come."""
    limit = time.monotonic() + PATIENCE
    while not there():
        if child.poll() is not None or time.monotonic() > limit:
            child.kill()
            raise AssertionError(f"it never came to that: {child.communicate()[1].decode()}")
        time.sleep(0.01)


def killed(child: "subprocess.Popen[bytes]") -> None:
    """Ends it by `kill -9`; what it started is left to find that out."""
    child.kill()
    child.wait()
    if child.stderr:
        child.stderr.close()
