"""`lidr` in the test's own process: what it prints and how it ends, without the start of an interpreter."""

import contextlib
import gc
import io
import signal
import subprocess
import sys

from lidr_cli.main import main

from lidr_plugin.machine.interrupts import SIGNALS


def in_process(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs the command; what it changes of the interpreter (arguments, hook, signal, collector) is put back."""
    output, errors = io.StringIO(), io.StringIO()
    before = sys.argv, sys.excepthook, gc.get_threshold(), [(number, signal.getsignal(number)) for number in SIGNALS]
    sys.argv = ["lidr", *arguments]
    status: object = 0
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            main()
    except SystemExit as end:
        status = end.code
    finally:
        sys.argv, sys.excepthook = before[:2]
        gc.set_threshold(*before[2])
        for number, handler in before[3]:
            signal.signal(number, handler)
    code = status if isinstance(status, int) else 0
    return subprocess.CompletedProcess(["lidr", *arguments], code, output.getvalue(), errors.getvalue())
