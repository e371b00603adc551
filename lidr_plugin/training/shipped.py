"""The shipped recipes: found and copied without all that makes a recipe."""

import os
import shlex
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from lidr_plugin import files
from lidr_plugin.errors import InputError
from lidr_plugin.errors.terminal import inert

SHIPPED = Path(str(resources.files("lidr_recipes")))
"""Their folder."""


class Shipped(NamedTuple):
    """A shipped recipe. `name` is its path without the ending; `about` the first line of its head."""

    name: str
    path: Path
    about: str


def shipped() -> list[Shipped]:
    """All shipped recipes, by name."""
    return [
        Shipped(
            f"{path.parent.name}/{path.stem}", path, path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
        )
        for path in sorted(SHIPPED.glob("*/*.yaml"))
    ]


def copy_shipped(name: str, target: Path) -> list[Path]:
    """Copies a shipped recipe, and the DeepSpeed file that it names beside it; returns what was written.

    Raises:
        InputError: no recipe has that name, or a file would be overwritten.
    """
    name = name.removesuffix(".yaml")
    recipe = next((recipe for recipe in shipped() if recipe.name == name), None)
    if recipe is None:
        raise InputError(f"no recipe {name!r}", "`lidr recipes ls` shows their names")
    if os.path.isdir(target) or target.suffix not in (".yaml", ".yml"):
        target = target / f"{recipe.path.parent.name}-{recipe.path.name}"
    text, copies = recipe.path.read_text(encoding="utf-8"), [target]
    named = next((line.partition(": ")[2] for line in text.splitlines() if line.startswith("deepspeed: ")), None)
    if named:
        copies.append(target.parent / Path(named).name)
        text = text.replace(f"deepspeed: {named}", files.yaml_of({"deepspeed": str(copies[1])}).rstrip("\n"))
    text = text.replace(f"recipes/{recipe.name}.yaml", word(str(target)))
    if there := [path for path in copies if os.path.lexists(path)]:
        raise InputError(f"{there[0]} exists", "lidr overwrites nothing here; name another place")
    files.write_text(target, text)
    if named:
        files.write_text(copies[1], (SHIPPED / "deepspeed" / Path(named).name).read_text(encoding="utf-8"))
    return copies


def word(text: str) -> str:
    """A text as a word of a command that stands in a comment: quoted if need be, on one line in any case."""
    if text == inert(text) and not set(text) & {"\n", "\t"}:
        return shlex.quote(text)
    # As bash, zsh and ksh read it.
    return "$'" + "".join(c if (c.isascii() and c.isalnum()) or c in "/._-" else _escaped(c) for c in text) + "'"


def _escaped(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode(errors="surrogateescape"))
