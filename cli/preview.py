"""A few prompts and what became of them, in the terminal: `lidr build-pairs --preview`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lidr_plugin.errors.terminal import one_line

from .terminal import coloured, say, say_json, several

if TYPE_CHECKING:
    from lidr_plugin.methods.base import Drop, Outcome, Row


def show_outcomes(outcomes: "Sequence[Outcome]", *, as_json: bool) -> None:
    """Shows each prompt's rows, then its candidates that became none, with their reasons."""
    if as_json:
        from lidr_plugin.dataset.rows import drop_json, row_json

        rows = [row_json(row, None) for outcome in outcomes for row in outcome.rows]
        say_json({"rows": rows, "rejected": [drop_json(drop) for outcome in outcomes for drop in outcome.drops]})
        return
    for outcome in outcomes:
        for row in outcome.rows:
            _show_row(row)
        for drop in outcome.drops:
            _show_drop(drop)
    kept, dropped = sum(len(x.rows) for x in outcomes), sum(len(x.drops) for x in outcomes)
    counts = f"{several(kept, 'row')}, {several(dropped, 'candidate')} left out"
    say(f"\n{several(len(outcomes), 'prompt')}: {counts}; only completions were written")


def _show_row(row: "Row") -> None:
    from lidr_plugin.methods.base import Preference

    say(f"\n--- {one_line(row.id)} [{row.language}]")
    say(row.prompt.joined)
    if isinstance(row, Preference):
        _show_text(f"chosen, {row.chosen_source}", row.chosen.text, "green")
        _show_text(f"rejected, {row.rejected_source}", row.rejected.text, "red")
    else:
        _show_text(f"output, {row.output_source}", row.output.text, "green")


def _show_text(name: str, text: str, colour: str) -> None:
    import typer

    typer.echo(coloured(f"[{one_line(name)}]", colour))
    say(text)


def _show_drop(drop: "Drop") -> None:
    row = drop.row
    say(
        f"\n--- {one_line(row.id)} [{row.language}]: left out, {one_line(str(drop.reason))} ({one_line(row.target_source)})"
    )
    if row.target.text:
        say(row.target.text)
