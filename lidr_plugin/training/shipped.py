"""The shipped recipes: their names, and copies of them."""

import shutil
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from lidr_plugin.errors import InputError


class Recipe(NamedTuple):
    """A shipped recipe. `name` is its path without the ending; `about` the first line of its head."""

    name: str
    path: Path
    about: str


def shipped() -> list[Recipe]:
    """All recipes, by name."""
    root = Path(str(files("lidr_recipes")))
    found = sorted(path for path in root.rglob("*.yaml") if path.parent != root)
    return [
        Recipe(str(path.relative_to(root).with_suffix("")), path, path.read_text().partition("\n")[0].lstrip("# "))
        for path in found
    ]


def copy(name: str, target: Path) -> list[Path]:
    """Copies a recipe, and the DeepSpeed file that it names beside it; returns what was written.

    Raises:
        InputError: no recipe has that name, or a file would be overwritten.
    """
    name = name.removesuffix(".yaml")
    recipe = next((recipe for recipe in shipped() if recipe.name == name), None)
    if recipe is None:
        raise InputError(f"no recipe {name!r}", "`lidr recipes ls` shows their names")
    if target.is_dir() or target.suffix not in (".yaml", ".yml"):
        target = target / f"{recipe.path.parent.name}-{recipe.path.name}"
    text, copies = recipe.path.read_text(), [target]
    lines = text.splitlines()
    named = next((line.partition(": ")[2] for line in lines if line.startswith("deepspeed: ")), None)
    if named:
        copies.append(target.parent / Path(named).name)
        text = text.replace(f"deepspeed: {named}", f"deepspeed: {copies[1]}")
    text = text.replace(f"recipes/{recipe.name}.yaml", str(target))
    if there := [path for path in copies if path.exists()]:
        raise InputError(f"{there[0]} exists", "lidr overwrites nothing here; name another place")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    if named:
        shutil.copyfile(recipe.path.parent.parent / "deepspeed" / Path(named).name, copies[1])
    return copies
