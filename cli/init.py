"""`lidr init`: a commented configuration and sample prompts to start from."""

import os
from pathlib import Path
from typing import Annotated

import typer

from .terminal import say


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to write; made if absent.")] = Path(),
) -> None:
    """Write a commented lidr.yaml and sample prompts.

    Existing files are left alone; what an interrupted call left out is added.
    """
    from importlib import resources

    from lidr_plugin import files
    from lidr_plugin.errors import InputError, RunError

    starter = resources.files("lidr_plugin.starter")
    names = ["lidr.yaml", *(f"prompts/{path.name}" for path in (starter / "prompts").iterdir())]
    texts = {name: (starter / name).read_bytes() for name in sorted(names)}
    there = [name for name in texts if os.path.lexists(folder / name)]
    own = [name for name in there if not _holds(folder / name, texts[name])]
    if own or len(there) == len(texts):
        raise InputError(f"{folder / (own or there)[0]} is there already", "name another folder: lidr init DIR")
    for name in [name for name in texts if name not in there]:
        try:
            with files.replacing(folder / name) as file:
                file.write(texts[name])
        except OSError as error:
            raise RunError.of(error, folder / name, "the same command again writes what is missing") from None
    for name in texts:
        say(f"wrote {folder / name}")
    say(f"next: edit {folder / 'lidr.yaml'}, then lidr build-pairs {folder / 'lidr.yaml'} --dry-run")


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("init")(init)
