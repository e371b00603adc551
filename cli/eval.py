"""`lidr eval`: models side by side, on what they were not trained on."""

import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .terminal import AsJson, cell, say, say_json

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
    as_json: AsJson = False,
) -> None:
    """Measure models: MGSM, skills of your own, language fidelity, a judge's verdicts.

    One model or several, with 95 % intervals, and an export for alpaca_eval. All answers go through the run's store:
    interrupted, the same command goes on, and nothing is asked twice.
    """
    from rich.console import Console

    import lidr_plugin
    from lidr_plugin.config.file import load
    from lidr_plugin.evaluation.benchmarks import heads_of
    from lidr_plugin.evaluation.results import plain
    from lidr_plugin.run_directory import RunDirectory

    settings = load(config, overrides or [])
    done = lidr_plugin.evaluate(settings)
    if as_json:
        return say_json(plain(done))
    console = Console(width=None if sys.stdout.isatty() else 120)
    for name, heads in heads_of(settings.eval.skills).items():
        rows = {label: found[name] for label, found in done.results.items() if name in found}
        if rows:
            console.print(_table(name, heads, rows))
    if contest := done.head_to_head:
        rates = {label: {code: _rates(x) for code, x in found.items()} for label, found in contest.results.items()}
        console.print(_table(f"against {contest.against}, judged by {contest.judge} in both orders", _VERDICTS, rates))
        if contest.warning:
            say(f"warning: {contest.warning}")
        if contest.cost:
            say(f"the judge cost {contest.cost:g}")
        if not contest.complete:
            more = "with a higher one the same command goes on"
            say(f"eval.judge.max_cost was reached, and not every pair was judged; {more}")
    if tasks := {label: found["lm_eval"] for label, found in done.results.items() if "lm_eval" in found}:
        console.print(_tasks(tasks))
    for note in done.notes:
        say(note)
    say(f"answers and results: {RunDirectory.of(settings.output_dir, settings.store).eval_results.parent}")


def _table(title: str, heads: Mapping[str, str], rows: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> "Table":
    """Rows by model and language; a mark that nobody has gets no column."""
    there = {name for by_language in rows.values() for values in by_language.values() for name in values}
    heads = {name: head for name, head in heads.items() if name in there}
    table = _empty(f"{title}: percent, with 95 % intervals", ["", "model"], list(heads.values()))
    for label, by_language in rows.items():
        for code, values in by_language.items():
            table.add_row(cell(code), cell(label), *(cell(_value(values.get(name))) for name in heads))
    return table


def _tasks(found: Mapping[str, Mapping[str, Mapping[str, "Value"]]]) -> "Table":
    """lm-eval's metrics by task and model."""
    table = _empty("lm-eval: percent, with standard errors", ["task", "metric"], list(found))
    for task, metrics in next(iter(found.values())).items():
        for metric in metrics:
            table.add_row(
                cell(task), cell(metric), *(cell(_value(results[task][metric])) for results in found.values())
            )
    return table


def _empty(title: str, left: Sequence[str], right: Sequence[str]) -> "Table":
    from rich.table import Table

    table = Table(title=cell(title), title_justify="left", box=None, pad_edge=False)
    for head in left:
        table.add_column(cell(head))
    for head in right:
        table.add_column(cell(textwrap.fill(head, _HEAD)), justify="right")
    return table


def _rates(verdicts: "Verdicts") -> dict[str, Any]:
    found = {name: getattr(verdicts, name) for name in _VERDICTS}
    return {**found, "win_rate": f"{100 * verdicts.win_rate:.1f}"}


def _value(value: "Value | str | None") -> str:
    """A share, a mean or an estimate in percent and how sure it is, a count as it is; nothing where there is no mark."""
    from lidr_plugin.evaluation.intervals import Share, percent

    match value:
        case Share():
            return percent(value)
        case None | str():
            return value or ""
        case float():
            return f"{value:.0f}"
    number, spread = value if isinstance(value, tuple) else (value.value, value.stderr or 0)
    return f"{100 * number:.1f} ± {100 * spread:.1f}"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("eval")(evaluate)
