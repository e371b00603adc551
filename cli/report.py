"""`lidr report`: one page over a run and its rounds."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    run_dir: Annotated[Path, typer.Argument(help="The output_dir of a run, or of `lidr iterate`.")],
) -> None:
    """One self-contained page of a run: models by language, head-to-head, pairs, training curves, answers side by side.

    Also as Markdown and JSON. It shows what is there: after build-pairs the pairs, after train the curves, after eval the rest.
    """
    from lidr_plugin.pages import write_overview

    for path in write_overview(run_dir):
        typer.echo(path)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("report")(report)
