"""Standard output and error that never stop the work: what cannot be shown is left out, and that is told at the end."""

import errno
import io
import os
import sys
from contextlib import suppress
from typing import Any


class _Terminal(io.FileIO):
    """Takes everything; `failure` is why the first of it could not be shown."""

    failure: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.failure = self.failure or error
            return memoryview(data).nbytes


class Output:
    """The streams of this process, made patient; characters that their encoding lacks are replaced."""

    def __init__(self) -> None:
        # A descriptor that the caller closed would be given to the next file that is opened.
        while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass
        os.close(number)
        self._shown = _Terminal(1, "w", closefd=False)
        sys.stdout = _text(self._shown, sys.stdout)
        sys.stderr = _text(_Terminal(2, "w", closefd=False), sys.stderr)

    def problem(self) -> str:
        """Why not all could be shown; empty if it was, or if its reader wanted no more."""
        with suppress(OSError):
            sys.stdout.flush()
        failure = self._shown.failure
        return "" if failure is None or failure.errno == errno.EPIPE else str(failure.strerror)


def _text(raw: _Terminal, before: object) -> io.TextIOWrapper:
    encoding = before.encoding if isinstance(before, io.TextIOWrapper) else "utf-8"
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, "replace", line_buffering=raw.isatty() or raw.name == 2)
