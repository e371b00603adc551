"""`lidr init`: a commented configuration and sample prompts to start from."""

from pathlib import Path
from typing import Annotated

import typer
from lidr_cli.terminal import say


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to write; made if absent.")] = Path(),
) -> None:
    """Write a commented lidr.yaml and sample prompts.

    Existing files are left alone.
    """
    from importlib import resources

    from lidr_plugin import files
    from lidr_plugin.errors import InputError

    starter = resources.files("lidr_plugin.starter")
    names = ["lidr.yaml", *(f"prompts/{path.name}" for path in (starter / "prompts").iterdir())]
    there = [name for name in names if (folder / name).exists()]
    if there:
        raise InputError(f"{folder / there[0]} is there already", "name another folder: lidr init DIR")
    for name in sorted(names):
        try:
            files.write_text(folder / name, (starter / name).read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"{folder / name}: {error.strerror}") from None
        say(f"wrote {folder / name}")
    say(f"next: edit {folder / 'lidr.yaml'}, then lidr build-pairs {folder / 'lidr.yaml'} --dry-run")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("init")(init)
