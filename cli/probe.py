"""`lidr probe`: the imbalance, measured on a sample."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from lidr_plugin.evaluation.intervals import percent


def probe(
    config: Annotated[Path, typer.Argument(help="The configuration, as `lidr init` writes it.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Overrides: engine.concurrency=64")
    ] = None,
    sample: Annotated[int, typer.Option("--sample", min=1, help="So many prompts, evenly spread.")] = 64,
) -> None:
    """The reward signal before any training: how much better one language is, and what a round could learn from it.

    Answers, their translations and a way back, by language; with eval.judge also its verdicts on chosen against rejected and a
    grade. All answers are kept: build-pairs finds them in the store.
    """
    from rich.console import Console
    from rich.table import Table

    from lidr_plugin.config.file import load
    from lidr_plugin.evaluation import probe as library

    settings = load(config, overrides or [])
    done = library.probe(settings, sample=sample)
    console = Console(width=None if sys.stdout.isatty() else 120)
    table = Table(title="answers: percent, with 95 % intervals", title_justify="left", box=None, pad_edge=False)
    graded = any(found["grade"] for found in done.found["responses"].values())
    for head in ("", "sound", "off\ntarget", "endless\nrepetition", "cut", "characters", *["grade\n0 to 10"] * graded):
        table.add_column(head, justify="right" if head else "left")
    for code, found in done.found["responses"].items():
        cells = [percent(found[name]) for name in ("sound", "off_target", "degenerate", "cut")]
        grade = ["{:.1f} ± {:.1f}".format(*found["grade"]) if found["grade"] else "none"] * graded
        table.add_row(code, *cells, f"{found['characters']:.0f}", *grade)
    console.print(table)
    console.print(_against(settings.dominant_language, done.found))
    for line in _verdict(settings.dominant_language, done.found):
        typer.echo(line)
    typer.echo(f"all numbers: {done.run.probe_json}")


def _against(dominant: str, found: dict[str, Any]) -> Any:
    from rich.table import Table

    judged = found["judged"]
    title = f"against {dominant}: translations that can be used, the way there and back, the judge on chosen"
    table = Table(title=title if judged else title[: title.rindex(",")], title_justify="left", box=None, pad_edge=False)
    heads = ("", "length\nratio", f"usable\nfrom {dominant}", f"usable\ninto {dominant}", "there and back\nchrF")
    for head in (*heads, *["chosen wins", "ties", "loses"] * bool(judged)):
        table.add_column(head, justify="right" if head else "left")
    for code in found["responses"]:
        x = found["against_dominant"].get(code)
        cells = [""] * 4
        if x:
            cells = [
                f"{x['length_ratio']:.2f}",
                percent(x["usable_from"]),
                percent(x["usable_into"]),
                f"{100 * x['round_trip']:.0f}",
            ]
        verdicts = [percent(judged[code][name]) for name in ("win", "tie", "lose")] if code in judged else []
        if x or verdicts:
            table.add_row(code, *cells, *verdicts)
    return table


def _verdict(dominant: str, found: dict[str, Any]) -> list[str]:
    best, signal = found["dominant"], found["signal"]
    by = "the judge's grades" if best["by"] == "grade" else "the share of sound answers"
    lines = [f"warning: {found['judge_warning']}"] if found["judge_warning"] else []
    lines += [f"dominant by {by}: {best['language']}{'' if best['clear'] else ', not clearly'}"]
    if best["language"] != dominant and best["clear"]:
        lines.append(f"  the configuration says dominant_language: {dominant}; pairs would prefer the weaker language")
    what = (
        "of the decided pairs the judge prefers chosen"
        if signal["kind"] == "judge"
        else "of the candidates show it without a judge"
    )
    lines.append(
        f"reward signal: {percent(signal)} % {what}; a round is worth it from {100 * signal['threshold']:.0f} on"
    )
    if not signal["worth_it"]:
        more = "" if signal["kind"] == "judge" else " that can be seen; a judge (eval.judge) sees more"
        lines.append(f"  there is little to learn{more}")
    return lines


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("probe")(probe)
