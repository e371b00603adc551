"""`lidr merge`: puts the shards of a run together."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from .build_pairs import show_built
from .terminal import AsJson, say_json


def merge(
    config: Annotated[Path, typer.Argument(help="The configuration that the shards were built with.")],
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Overrides.")] = None,
    parquet: Annotated[bool, typer.Option("--parquet", help="Write data/train-*.parquet too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put the shards of a run together.

    The same bytes as an unsharded run. A shard that is missing, unfinished or made with other settings is named, with the
    command that makes it.
    """
    import lidr_plugin

    settings = lidr_plugin.load(config, *(overrides or []))
    command = shlex.join(["lidr", "build-pairs", str(config), *(overrides or [])])
    built = lidr_plugin.merge(settings, parquet=parquet, command=command)
    say_json(built.report) if as_json else show_built(built)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("merge")(merge)
