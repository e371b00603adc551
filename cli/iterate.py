"""`lidr iterate`: rounds of probe, build, train and evaluate."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .ray import WithAddress
from .terminal import AsJson, say, say_json


class Until(StrEnum):
    """The last stage of every round."""

    build = "build"
    train = "train"
    eval = "eval"


def iterate(
    config: Annotated[Path, typer.Argument(help="The configuration, as `lidr init` writes it.")],
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Overrides: rounds=3")] = None,
    until: Annotated[Until, typer.Option("--until", help="Stop every round after this stage.")] = Until.eval,
    number: Annotated[int | None, typer.Option("--round", min=1, help="This round alone.")] = None,
    ray: Annotated[
        str | None,
        typer.Option("--ray", metavar="[ADDRESS]", help="Build in shards on a Ray cluster, this machine's by default."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Probe, build, train and evaluate, round after round.

    Each round has new prompts and the last round's model; every stage is a process of its own. Interrupted or killed,
    the same command goes on; what is finished is not repeated. A language in which pairs would do more harm than good
    is left out. A model that repeats itself, does not end or leaves its language stops the loop before it makes data.
    """
    import lidr_plugin

    settings = lidr_plugin.load(config, *(overrides or []))
    done = lidr_plugin.iterate(settings, until=until.value, only=number, ray=ray, say=lambda line: say(line, err=True))
    if as_json:
        return say_json(done)
    say(f"rounds   {settings.output_dir}")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("iterate", cls=WithAddress)(iterate)
