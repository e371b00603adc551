"""`lidr report`: the page of a run and its rounds, rendered again."""

from pathlib import Path
from typing import Annotated

import typer

from .terminal import AsJson, say, say_json


def report(
    run_dir: Annotated[Path, typer.Argument(help="The output_dir of a run, or of `lidr iterate`.")],
    as_json: AsJson = False,
) -> None:
    """Render a run's page again, from whatever the run has.

    report.html, report.md and report.json. After build-pairs it shows the pairs, after train the curves too, after eval
    the results; each of them renders it itself.
    """
    import lidr_plugin

    written = lidr_plugin.report(run_dir)
    if as_json:
        return say_json({path.suffix[1:]: path for path in written})
    for path in written:
        say(path)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("report")(report)
