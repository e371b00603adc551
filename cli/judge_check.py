"""`lidr judge-check`: how often a judge is right, in each language."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .terminal import AsJson, cell, say, say_json

if TYPE_CHECKING:
    from lidr_plugin.evaluation.judge_check import JudgeCheck


def judge_check(
    config: Annotated[Path, typer.Argument(help="The configuration, with the judge in eval.judge.")],
    preferences: Annotated[
        Path, typer.Argument(help="Rows of language, prompt, chosen and rejected (M-RewardBench's).")
    ],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Overrides: eval.judge.preset=mr3")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell how often a judge is right, in each language.

    It compares the chosen and the rejected text of every row in both orders, without knowing which is which. Whether its verdicts
    say anything becomes a number with its interval. All answers go through the run's store.
    """
    import lidr_plugin
    from lidr_plugin.evaluation.results import plain
    from lidr_plugin.run_directory import RunDirectory

    settings = lidr_plugin.load(config, *(overrides or []))
    found = lidr_plugin.judge_check(settings, preferences)
    if as_json:
        return say_json(plain(found))
    _show(found)
    say(f"every verdict: {RunDirectory.of(settings.output_dir, settings.store).path / 'judge_check.jsonl'}")


def _show(found: "JudgeCheck") -> None:
    from rich.console import Console
    from rich.table import Table

    from lidr_plugin.evaluation.intervals import percent

    table = Table(
        title=cell(f"{found.judge}: percent, with 95 % intervals"), title_justify="left", box=None, pad_edge=False
    )
    heads = [
        "",
        "rows",
        "right in\nboth orders",
        "right where\nthe orders agree",
        "first\nposition",
        "unread",
        "says something",
    ]
    for head in heads:
        table.add_column(head, justify="right" if head else "left")
    for code, x in found.languages.items():
        shares = [percent(share) for share in (x.right, x.decided, x.verdicts.first_position, x.verdicts.unread)]
        table.add_row(cell(code), f"{x.right.total:,}", *shares, cell(x.says))
    Console().print(table)
    if found.others:
        say(f"left out: rows in {', '.join(f'{code} ({n:,})' for code, n in sorted(found.others.items()))}")
    if found.cost:
        say(f"the judge cost {found.cost:g}")
    if not found.complete:
        say("eval.judge.max_cost was reached, and not every row was judged; with a higher one the same command goes on")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("judge-check")(judge_check)
