"""`lidr make-prompts`: prompt files that the model writes itself."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .build_pairs import show_dry_run
from .terminal import AsJson, cell, say, say_json

if TYPE_CHECKING:
    from lidr_plugin.rounds.make_prompts import MadePrompts


def make_prompts(
    config: Annotated[Path, typer.Argument(help="The configuration, as `lidr init` writes it.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Overrides: make_prompts.count=200")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, show what would be sent, and send and write nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Have the model write prompts, in every language.

    From personas, topics or prompts of yours to the files that `prompts` names: written in the dominant language, without
    those that are alike or in another language, and translated. Each row says what it was made from. All answers go through
    the run's store: interrupted, the same command goes on.
    """
    import lidr_plugin
    from lidr_plugin.rounds.make_prompts import dry_run as rehearse

    settings = lidr_plugin.load(config, *(overrides or []))
    if dry_run:
        show_dry_run(rehearse(settings), as_json=as_json)
        return
    made = lidr_plugin.make_prompts(settings)
    say_json(made.report) if as_json else _show(made, list(settings.codes))


def _show(made: "MadePrompts", codes: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    report = made.report
    table = Table(title=f"{report['asked']:,} asked for", title_justify="left")
    for head in ("", *codes):
        table.add_column(cell(head), justify="right" if head else "left")
    for reason, counts in report["rejected"].items():
        table.add_row(cell(f"  {reason}"), *(f"-{counts[code]:,}" if code in counts else "" for code in codes))
    table.add_row("prompts", *(f"{report['prompts']:,}" for _ in codes), style="bold")
    Console().print(table)
    done = report["completions"]
    say(f"{done['generated']:,} completions generated, {done['reused']:,} reused, {done['failed']:,} failed")
    for code, path in made.files.items():
        say(f"{code:8} {path}")
    say(f"rejected {made.rejected}")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("make-prompts")(make_prompts)
