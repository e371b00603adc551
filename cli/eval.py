"""`lidr eval`: models side by side, on what they were not trained on."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lidr_plugin.evaluation.intervals import percent

if TYPE_CHECKING:
    from rich.table import Table

_COLUMNS = {
    "mgsm": {
        "accuracy": "accuracy",
        "accuracy_in_language": "in its\nlanguage",
        "off_target": "off\ntarget",
        "cut": "cut",
    },
    "prompts": {
        "response_level": "right\nlanguage",
        "line_level": "in every\nline",
        "degenerate": "endless\nrepetition",
        "cut": "cut",
        "repeated": "repeated\n4-grams",
    },
}
_VERDICTS = {
    "win": "win",
    "tie": "tie",
    "lose": "lose",
    "win_rate": "win\nrate",
    "consistent": "orders\nagree",
    "first_position": "for the\nfirst placed",
}
"""The results that are shown, by their names in results.json, and their heads."""


def evaluate(
    config: Annotated[Path, typer.Argument(help="The configuration, as `lidr init` writes it.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Overrides: eval.limit=50")
    ] = None,
) -> None:
    """MGSM, language fidelity and a judge's verdicts on one model or several, with 95 % intervals, and an export for alpaca_eval.

    All answers go through the run's store: interrupted, the same command goes on, and nothing is asked twice.
    """
    from rich.console import Console

    import lidr_plugin
    from lidr_plugin.config.file import load

    done = lidr_plugin.evaluate(load(config, overrides or []))
    console = Console(width=None if sys.stdout.isatty() else 120)
    for bench, columns in _COLUMNS.items():
        rows = {label: found[bench] for label, found in done.results.items() if bench in found}
        if rows:
            console.print(_table(f"{bench}: percent, with 95 % intervals", columns, rows))
    if versus := done.head_to_head:
        title = f"against {versus['against']}, judged by {versus['judge']} in both orders: percent, with 95 % intervals"
        console.print(_table(title, _VERDICTS, versus["results"]))
        if versus["warning"]:
            typer.echo(f"warning: {versus['warning']}")
        if versus["cost"]:
            typer.echo(f"the judge cost {versus['cost']:g}")
        if not versus["complete"]:
            typer.echo(
                "eval.judge.max_cost was reached, and not every pair was judged; with a higher one the same command goes on"
            )
    if tasks := {label: found["lm_eval"] for label, found in done.results.items() if "lm_eval" in found}:
        console.print(_tasks(tasks))
    for line in done.skipped:
        typer.echo(f"lm-eval: {line}")
    typer.echo(f"answers and results: {done.folder}")


def _table(title: str, columns: dict[str, str], rows: dict[str, Any]) -> "Table":
    """Rows by model and language; a share with its interval, another number as it is."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for head in ("", "model", *columns.values()):
        table.add_column(head, justify="left" if head in ("", "model") else "right")
    for label, by_language in rows.items():
        for code, result in by_language.items():
            table.add_row(code, label, *(_cell(result[name]) for name in columns))
    return table


def _tasks(found: dict[str, Any]) -> "Table":
    """lm-eval's metrics by task and model, in percent with their standard errors."""
    from rich.table import Table

    table = Table(title="lm-eval: percent, with standard errors", title_justify="left", box=None, pad_edge=False)
    for head in ("task", "metric", *found):
        table.add_column(head, justify="left" if head in ("task", "metric") else "right")
    for task, metrics in next(iter(found.values())).items():
        for metric in metrics:
            values = (results[task][metric] for results in found.values())
            table.add_row(task, metric, *(f"{100 * x['value']:.1f} ± {100 * (x['stderr'] or 0):.1f}" for x in values))
    return table


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{100 * value:.1f}"
    if isinstance(value, tuple):
        return f"{100 * value[0]:.1f} ± {100 * value[1]:.1f}"
    return percent(value)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("eval")(evaluate)
