"""`lidr eval`: models side by side, on what they were not trained on."""

from pathlib import Path
from typing import Annotated

import typer

_COLUMNS = {
    "mgsm": ("accuracy", "accuracy_in_language", "off_target", "cut"),
    "prompts": ("response_level", "line_level", "degenerate", "cut"),
}


def evaluate(
    config: Annotated[Path, typer.Argument(help="The configuration, as `lidr init` writes it.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Overrides: eval.limit=50")
    ] = None,
) -> None:
    """MGSM and language fidelity of one model or several, with 95 % intervals, and an export for alpaca_eval.

    All answers go through the run's store: interrupted, the same command goes on, and nothing is asked twice.
    """
    from rich.console import Console
    from rich.table import Table

    from lidr_plugin import evaluate as library
    from lidr_plugin.configfile import load

    done = library.evaluate(load(config, overrides or []))
    console = Console()
    for bench, columns in _COLUMNS.items():
        if not any(bench in found for found in done.results.values()):
            continue
        table = Table(title=f"{bench}: percent, with 95 % intervals", title_justify="left", box=None, pad_edge=False)
        for name in ("", "model", *columns):
            table.add_column(name.replace("_", " "), justify="left" if name in ("", "model") else "right")
        for label, found in done.results.items():
            for code, shares in found[bench].items():
                cells = (shares[name] for name in columns)
                table.add_row(
                    code,
                    label,
                    *(f"{100 * s['share']:.1f} ({100 * s['low']:.0f}-{100 * s['high']:.0f})" for s in cells),
                )
        console.print(table)
    typer.echo(f"answers and results: {done.folder}")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("eval")(evaluate)
