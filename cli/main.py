"""The command's entry point: heeds signals, and is the one place where errors become exit statuses."""

import sys
import tempfile
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import NoReturn

from lidr_plugin.errors import LidrError, RunError
from lidr_plugin.errors.redaction import redacted
from lidr_plugin.errors.terminal import plain
from lidr_plugin.machine import interrupts

from .output import Output


def fail(message: str, hint: str, status: int) -> int:
    """Tells what happened and what to do; returns the exit status."""
    print(f"error: {message}", file=sys.stderr)
    for line in hint.splitlines():
        print(f"  hint: {line}", file=sys.stderr)
    return status


def _report_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """For what no one foresaw: a line for the user, and the traceback in a file."""
    found = "; ".join(f"{type(leaf).__name__}: {plain(str(leaf))}" for leaf in _leaves(error))
    print(f"error: this is a bug in lidr: {found}", file=sys.stderr)
    lines = list(map(redacted, traceback.format_exception(kind, error, trace)))
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="lidr-", suffix=".traceback", delete=False, encoding="utf-8", errors="replace"
        ) as file:
            file.writelines(lines)
        print(f"  hint: please report it with {file.name}; what was finished is kept", file=sys.stderr)
    except OSError:  # no room for it: better here than nowhere
        print("".join(lines), file=sys.stderr)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors of a group, of groups in it too."""
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _leaves(part)
    else:
        yield error


def _failure(error: BaseException) -> LidrError | None:
    """What the user is told: of several errors at once the first that lidr foresaw, else what the system said."""
    leaves = list(_leaves(error))
    for leaf in leaves:
        if isinstance(leaf, LidrError):
            return leaf
    first = leaves[0]
    if isinstance(first, OSError):
        return RunError.of(first, "the system", "what was finished is kept; the same command goes on from there")
    if isinstance(first, MemoryError):
        return RunError("the memory does not suffice", "what was finished is kept; give it more, or less to do at once")
    if isinstance(first, UnicodeEncodeError):
        text = first.object[max(0, first.start - 20) : first.end + 20]
        hint = "a file's name that is not UTF-8? rename it; in a locale without UTF-8: PYTHONUTF8=1"
        return RunError(f"{text!r} cannot be written as {first.encoding}", hint)
    return None


def _status() -> int:
    """Runs the command; the one place where an error becomes a message and an exit status."""
    try:
        import typer

        from .app import app

        typer.main.get_command(app)()  # not app(), which would put its own hook in the place of ours
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except (LidrError, OSError, MemoryError, UnicodeEncodeError, BaseExceptionGroup) as error:
        failure = _failure(error)
        if failure is None:
            raise
        return fail(failure.message, failure.hint, failure.exit_status)
    except KeyboardInterrupt:
        return fail("interrupted", "", interrupts.STATUS)
    return 0


def main() -> NoReturn:
    """Runs `lidr`. Exit status: 0 done, 1 failed, 2 wrong input, 130 interrupted."""
    sys.excepthook = _report_bug
    try:
        with interrupts.heeded():
            output = Output() if sys.stdout is sys.__stdout__ else None  # a test reads its own
            status = _status()
            if output and (problem := output.problem()) and not status:
                status = fail(f"standard output: {problem}", "what was to be written elsewhere is written", 1)
    finally:
        interrupts.leave()
    sys.exit(status)
