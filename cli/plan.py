"""`lidr plan`: what each training method needs, and which fit."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .terminal import AsJson, cell, say, say_json

if TYPE_CHECKING:
    from lidr_plugin.config.schema import Config
    from lidr_plugin.dataset.estimate import Estimate
    from lidr_plugin.errors import LidrError
    from lidr_plugin.training.plan import Plan


def plan(
    config: Annotated[Path, typer.Argument(help="The configuration, as `lidr init` writes it.")],
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Overrides.")] = None,
    gpus: Annotated[
        str | None,
        typer.Option("--gpus", help="So many GPUs with so many GB each, as 8x80. Default: those found here."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Estimate memory, steps, time and disk of every training, and what the build takes.

    Each training method on the given GPUs, from the model's config alone. The build with its tokens, disk, and the GPU hours and
    shards on all these GPUs.
    """
    from lidr_plugin.config.file import load
    from lidr_plugin.dataset.estimate import words
    from lidr_plugin.errors import LidrError
    from lidr_plugin.rounds import scale
    from lidr_plugin.training import plan as library

    settings = load(config, overrides or [])
    found = library.plan(settings, None if gpus is None else library.parse_gpus(gpus))
    build = _build(settings, found)
    spread = None if isinstance(build, LidrError) else scale.spread(settings, build, found.gpus)
    if as_json:
        return say_json({**found._asdict(), "build": None if isinstance(build, LidrError) else build, "spread": spread})
    _show(found)
    if isinstance(build, LidrError):
        return say(f"what the build takes is told when its input is there: {build.message}")
    for line in words(build):
        say(f"build: {line}")
    if spread:
        on = f"{spread.gpus:,} GPU{'s' if spread.gpus > 1 else ''}"
        for line in scale.words(spread, build.speed):
            say(f"build on {on}: {line}")


def _build(settings: "Config", found: "Plan") -> "Estimate | LidrError":
    """What the build takes, or why that cannot be told."""
    from lidr_plugin.errors import LidrError
    from lidr_plugin.rounds.build import estimate_of

    try:
        return estimate_of(settings, found.gpus)
    except LidrError as error:
        return error


def _show(found: "Plan") -> None:
    from rich.console import Console
    from rich.table import Table

    cards = found.gpus
    where = "no GPU found (--gpus 1x24)"
    if cards:
        where = f"{len(cards)} x {cards[0].name or 'GPU of'} {cards[0].memory / 2**30:.0f} GB"
    title = f"{found.shape.parameters / 1e9:.2f} billion parameters; {where}; GB on each GPU"
    table = Table(title=cell(title), title_justify="left", box=None, padding=(0, 1, 0, 0), pad_edge=False)
    names = ("method", "weights", "states", "ref", "activ", "logits", "peak", "fits", "batch", "steps", "disk")
    for name in names:
        table.add_column(name, justify="left" if name == "method" else "right", no_wrap=True)
    for row in found.rows:
        memory = row.memory
        states = memory.gradients + memory.optimizer
        parts = (memory.weights, states, memory.reference, memory.activations, memory.logits, memory.total)
        batch = row.settings["per_device_train_batch_size"], row.settings["gradient_accumulation_steps"], row.processes
        table.add_row(
            cell(f"{row.method} {row.sharding.removeprefix('zero3_')}".strip()),
            *(f"{size / 2**30:.1f}" for size in parts),
            {True: "yes", False: "no", None: "?"}[row.fits],
            "x".join(map(str, batch)),
            f"{row.steps:,}" if row.steps else "?",
            f"{row.disk / 2**30:.0f}",
        )
    Console().print(table)
    _notes(found)


def _notes(found: "Plan") -> None:
    """What the table leaves out."""
    lengths = ", ".join(dict.fromkeys(f"{row.method} {row.settings['cutoff_len']}" for row in found.rows))
    say(f"rows of cutoff_len tokens: {lengths}")
    say("states: gradients and optimizer; batch: per device x accumulation x processes")
    hours = [f"{row.method} {row.sharding} {row.hours:.1f} h".replace("  ", " ") for row in found.rows if row.hours]
    if hours:
        say(f"time, by arithmetic at 30 % of the GPU's speed: {', '.join(hours)}")
    spared = [
        f"{row.method} {row.sharding} {row.unreferenced / 2**30:.1f}".replace("  ", " ")
        for row in found.rows
        if row.memory.reference
    ]
    if spared:
        say(f"peak with train.pref_loss=simpo, which needs no reference model: {', '.join(spared)}")
    if not found.dataset.rows:
        say("steps and time are told when the dataset is built")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("plan")(plan)
