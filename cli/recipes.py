"""`lidr recipes`: finds and copies the shipped recipes."""

from pathlib import Path
from typing import Annotated

import typer

from .terminal import AsJson, say, say_json


def ls(as_json: AsJson = False) -> None:
    """List the shipped LLaMA-Factory recipes."""
    from lidr_plugin.training.shipped import shipped

    if as_json:
        return say_json([{"name": recipe.name, "about": recipe.about} for recipe in shipped()])
    for recipe in shipped():
        say(f"{recipe.name:44} {recipe.about}")


def cp(
    name: Annotated[str, typer.Argument(help="A name from `lidr recipes ls`.")],
    target: Annotated[
        Path, typer.Argument(metavar="[DEST]", help="A folder, or a file name ending in .yaml.")
    ] = Path(),
) -> None:
    """Copy a recipe, and the DeepSpeed file that it names."""
    from lidr_plugin.training.shipped import copy_shipped

    for path in copy_shipped(name, target):
        say(str(path))


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("ls")(ls)
    app.command("cp")(cp)
