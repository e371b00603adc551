"""The command's entry point: the list of commands, and the one place where errors become exit statuses."""

import signal
import sys
import tempfile
import traceback
from importlib import import_module
from types import TracebackType
from typing import Annotated, NoReturn

import typer

from lidr_plugin import __version__
from lidr_plugin.errors import LidrError
from lidr_plugin.errors.redaction import redacted
from lidr_plugin.errors.terminal import plain

app = typer.Typer(
    name="lidr",
    help="Make a language model good in every language with nothing but the model itself: preference pairs from its own "
    "language imbalance (arXiv 2410.08964), for LLaMA-Factory.",
    epilog="Begin: lidr init, then lidr build-pairs lidr.yaml --dry-run",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich takes as long to import as all the rest of `lidr --help`
    add_completion=False,
)
env_app = typer.Typer(help="Make the pinned environments of the stages.", no_args_is_help=True)
store_app = typer.Typer(help="Verify, export and import a run's completions.", no_args_is_help=True)

recipes_app = typer.Typer(help="Find and copy the shipped LLaMA-Factory recipes.", no_args_is_help=True)

_GROUPS = {"recipes": recipes_app, "env": env_app, "store": store_app}
for _command in ("init", "build_pairs", "train", "iterate", "eval", "probe", "report", "plan", "doctor", *_GROUPS):
    import_module(f"lidr_cli.{_command}").register(_GROUPS.get(_command, app))
app.add_typer(recipes_app, name="recipes")
app.add_typer(env_app, name="env")
app.add_typer(store_app, name="store")


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"lidr {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None: ...


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
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        typer.main.get_command(app)()  # not app(), which would put its own hook in the place of ours
    except LidrError as error:
        fail(error.message, error.hint, error.exit_status)
