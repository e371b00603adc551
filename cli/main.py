"""The command's entry point: heeds signals, and is the one place where errors become exit statuses."""

import sys
import tempfile
import traceback
from types import TracebackType
from typing import NoReturn

from lidr_plugin.errors import LidrError
from lidr_plugin.errors.redaction import redacted
from lidr_plugin.errors.terminal import plain
from lidr_plugin.machine import interrupts


def fail(message: str, hint: str, status: int) -> NoReturn:
    """Ends with a message: what happened, and what to do."""
    print(f"error: {message}", file=sys.stderr)
    for line in hint.splitlines():
        print(f"  hint: {line}", file=sys.stderr)
    sys.exit(status)


def _report_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """For what no one foresaw: a line for the user, and the traceback in a file."""
    with tempfile.NamedTemporaryFile("w", prefix="lidr-", suffix=".traceback", delete=False) as file:
        file.writelines(map(redacted, traceback.format_exception(kind, error, trace)))
    print(f"error: this is a bug in lidr: {kind.__name__}: {plain(str(error))}", file=sys.stderr)
    print(f"  hint: please report it with {file.name}; what was finished is kept", file=sys.stderr)


def main() -> None:
    """Runs `lidr`. Exit status: 0 done, 1 failed, 2 wrong input, 130 interrupted."""
    sys.excepthook = _report_bug
    with interrupts.heeded():
        try:
            import typer
            from lidr_cli.app import app

            typer.main.get_command(app)()  # not app(), which would put its own hook in the place of ours
        except LidrError as error:
            fail(error.message, error.hint, error.exit_status)
        except KeyboardInterrupt:
            fail("interrupted", "", interrupts.STATUS)
