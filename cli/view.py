"""`lidr view`: a run in the browser."""

from pathlib import Path
from typing import Annotated

import typer

from .terminal import say


def view(
    run_dir: Annotated[Path, typer.Argument(help="The output_dir of a run, or of `lidr iterate`.")],
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any that is free.")] = 0,
    browser: Annotated[bool, typer.Option("--browser", help="Open it in the browser, too.")] = False,
) -> None:
    """Look at a run's texts in the browser: search, compare, mark.

    Pairs, rejected candidates and the answers of an evaluation, also while the run is being written. The page is for this machine
    and for whoever has the address that is printed. Marks are kept in marks.jsonl; the next build-pairs honours them.
    Ctrl-C ends it.
    """
    from lidr_plugin.pages.view.server import serve
    from lidr_plugin.run_directory import RunDirectory

    def ready(address: str) -> None:
        typer.echo(address)  # not by `say`, which would hide the token
        say("Ctrl-C ends it", err=True)
        if browser:
            typer.launch(address)

    serve(RunDirectory(run_dir), port, ready)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("view")(view)
