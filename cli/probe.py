"""`lidr probe`: the imbalance, measured on a sample."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lidr_plugin.evaluation.intervals import percent

from .signals import signal_lines, signal_table
from .terminal import AsJson, cell, say, say_json

if TYPE_CHECKING:
    from rich.table import Table

    from lidr_plugin.evaluation.results import Probe


def probe(
    config: Annotated[Path, typer.Argument(help="The configuration, as `lidr init` writes it.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Overrides: engine.concurrency=64")
    ] = None,
    sample: Annotated[int, typer.Option("--sample", min=1, help="So many prompts, evenly spread.")] = 64,
    mexa: Annotated[
        bool,
        typer.Option(
            "--mexa", help="Look at how alike the model represents the prompts in two languages (transformers)."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure the reward signal before any training.

    How much better one language is, and what a round could learn from it: answers, their translations and a way back,
    by language; with eval.judge also its verdicts on chosen against rejected and a grade. All answers are kept:
    build-pairs finds them in the store.
    """
    from rich.console import Console

    import lidr_plugin
    from lidr_plugin.config.file import load
    from lidr_plugin.evaluation.results import plain
    from lidr_plugin.run_directory import RunDirectory

    settings = load(config, overrides or [])
    done = lidr_plugin.probe(settings, sample=sample, mexa=mexa)
    if as_json:
        return say_json(plain(done))
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(_responses(done))
    console.print(_against(settings.dominant_language, done))
    console.print(signal_table(done.verdicts))
    if done.mexa:
        console.print(_mexa(settings.dominant_language, done))
    for line in _verdict(settings.dominant_language, done):
        say(line)
    say(f"all numbers: {RunDirectory.of(settings.output_dir, settings.store).probe_json}")


def _table(title: str, heads: list[str]) -> "Table":
    from rich.table import Table

    table = Table(title=cell(title), title_justify="left", box=None, pad_edge=False)
    for head in ("", *heads):
        table.add_column(cell(head), justify="right" if head else "left")
    return table


def _responses(found: "Probe") -> "Table":
    graded = any(x.grade for x in found.responses.values())
    heads = ["sound", "off\ntarget", "endless\nrepetition", "cut", "characters", *["grade\n0 to 10"] * graded]
    table = _table("answers: percent, with 95 % intervals", heads)
    for code, x in found.responses.items():
        shares = [percent(share) if share else "" for share in (x.sound, x.off_target, x.degenerate, x.cut)]
        grade = ["{:.1f} ± {:.1f}".format(*x.grade) if x.grade else "none"] * graded
        table.add_row(cell(code), *shares, f"{x.characters:.0f}", *grade)
    return table


def _against(dominant: str, found: "Probe") -> "Table":
    title = f"against {dominant}: translations that can be used, the way there and back"
    heads = ["length\nratio", f"usable\nfrom {dominant}", f"usable\ninto {dominant}", "there and back\nchrF"]
    if found.judged:
        title, heads = f"{title}, the judge on chosen", [*heads, "chosen wins", "ties", "loses"]
    table = _table(title, heads)
    for code in found.responses:
        x, verdicts = found.against_dominant.get(code), found.judged.get(code)
        cells = [""] * 4
        if x:
            usable = percent(x.usable_from), percent(x.usable_into)
            cells = [f"{x.length_ratio:.2f}", *usable, f"{100 * x.round_trip:.0f}"]
        judged = [percent(share) for share in (verdicts.win, verdicts.tie, verdicts.lose)] if verdicts else []
        if x or verdicts:
            table.add_row(cell(code), *cells, *judged)
    return table


def _mexa(dominant: str, found: "Probe") -> "Table":
    layers = list(next(iter(found.mexa.values())).layers)
    title = f"MEXA: prompts that are closer to themselves in {dominant} than to any other, by hidden layer"
    table = _table(title, [f"layer {layer}" for layer in layers])
    for code, x in found.mexa.items():
        table.add_row(cell(code), *(percent(x.layers[layer]) if layer in x.layers else "" for layer in layers))
    return table


def _verdict(dominant: str, found: "Probe") -> list[str]:
    best, signal = found.dominant, found.signal
    by = "the judge's grades" if best.by == "grade" else "the share of sound answers"
    lines = [f"warning: {found.judge_warning}"] if found.judge_warning else []
    lines += [*found.notes, f"dominant by {by}: {best.language}{'' if best.clear else ', not clearly'}"]
    if best.language != dominant and best.clear:
        lines.append(f"  the configuration says dominant_language: {dominant}; pairs would prefer the weaker language")
    judged = signal.kind == "judge"
    what = "of the decided pairs the judge prefers chosen" if judged else "of the candidates show it without a judge"
    lines.append(f"reward signal: {percent(signal)} % {what}; a round is worth it from {100 * signal.threshold:.0f} on")
    if not signal.worth_it:
        more = "" if judged else " that can be seen; a judge (eval.judge) sees more"
        lines.append(f"  there is little to learn{more}")
    return [*lines, *signal_lines(found.verdicts)]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("probe")(probe)
