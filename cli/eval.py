"""`lidr eval`: models side by side, on what they were not trained on."""

import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from lidr_plugin.evaluation.intervals import Value
    from lidr_plugin.evaluation.judge import Verdicts

_VERDICTS = {
    "win": "win",
    "tie": "tie",
    "lose": "lose",
    "win_rate": "win rate",
    "consistent": "orders agree",
    "first_position": "for the first placed",
}
"""What is shown of a judge's verdicts, with the heads."""
_HEAD = 12
"""Characters in a line of a column's head: a share with its interval is hardly longer."""


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
    from lidr_plugin.evaluation.benchmarks import BENCHMARKS
    from lidr_plugin.run_directory import RunDirectory

    settings = load(config, overrides or [])
    done = lidr_plugin.evaluate(settings)
    console = Console(width=None if sys.stdout.isatty() else 120)
    for benchmark in BENCHMARKS:
        rows = {label: found[benchmark.name] for label, found in done.results.items() if benchmark.name in found}
        if rows:
            console.print(_marks(benchmark.name, benchmark.heads, rows))
    if contest := done.head_to_head:
        console.print(
            _verdicts(f"against {contest.against}, judged by {contest.judge} in both orders", contest.results)
        )
        if contest.warning:
            typer.echo(f"warning: {contest.warning}")
        if contest.cost:
            typer.echo(f"the judge cost {contest.cost:g}")
        if not contest.complete:
            typer.echo(
                "eval.judge.max_cost was reached, and not every pair was judged; with a higher one the same command goes on"
            )
    if tasks := {label: found["lm_eval"] for label, found in done.results.items() if "lm_eval" in found}:
        console.print(_tasks(tasks))
    for note in done.notes:
        typer.echo(note)
    typer.echo(f"answers and results: {RunDirectory.of(settings.output_dir, settings.store).eval_results.parent}")


def _table(title: str, left: Sequence[str], right: Sequence[str]) -> "Table":
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for head in left:
        table.add_column(head)
    for head in right:
        table.add_column(textwrap.fill(head, _HEAD), justify="right")
    return table


def _marks(name: str, heads: Mapping[str, str], rows: Mapping[str, Mapping[str, Mapping[str, "Value"]]]) -> "Table":
    table = _table(f"{name}: percent, with 95 % intervals", ["", "model"], list(heads.values()))
    for label, by_language in rows.items():
        for code, marks in by_language.items():
            table.add_row(code, label, *(_cell(marks.get(mark)) for mark in heads))
    return table


def _cell(value: "Value | None") -> str:
    """A share or a mean in percent with its interval, a count as it is; nothing where a mark could not be given."""
    from lidr_plugin.evaluation.intervals import Mean, Share, percent

    if isinstance(value, Share):
        return percent(value)
    if isinstance(value, Mean):
        return f"{100 * value.value:.1f} ± {100 * value.half:.1f}"
    return f"{value:.0f}" if isinstance(value, float) else ""


def _verdicts(title: str, rows: Mapping[str, Mapping[str, "Verdicts"]]) -> "Table":
    table = _table(f"{title}: percent, with 95 % intervals", ["", "model"], list(_VERDICTS.values()))
    for label, by_language in rows.items():
        for code, found in by_language.items():
            cells = {name: _cell(getattr(found, name)) for name in _VERDICTS}
            table.add_row(code, label, *{**cells, "win_rate": f"{100 * found.win_rate:.1f}"}.values())
    return table


def _tasks(found: Mapping[str, Mapping[str, Mapping[str, "Value"]]]) -> "Table":
    """lm-eval's metrics by task and model."""
    table = _table("lm-eval: percent, with standard errors", ["task", "metric"], list(found))
    for task, metrics in next(iter(found.values())).items():
        for metric in metrics:
            table.add_row(task, metric, *(_estimate(results[task][metric]) for results in found.values()))
    return table


def _estimate(value: "Value") -> str:
    from lidr_plugin.evaluation.intervals import Estimate

    assert isinstance(value, Estimate)
    return f"{100 * value.value:.1f} ± {100 * (value.stderr or 0):.1f}"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("eval")(evaluate)
