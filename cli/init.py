"""`lidr init`: a commented configuration and prompts to start from."""

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .terminal import say


class Task(StrEnum):
    """As the key `task`."""

    instruction = "instruction"
    math = "math"


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to write; made if absent.")] = Path(),
    model: Annotated[
        str | None, typer.Option("--model", help="Hub id or directory: fills in what can be told of it.")
    ] = None,
    languages: Annotated[
        str | None, typer.Option("--languages", help="In which it should get better: sw,yo. With --model.")
    ] = None,
    dominant: Annotated[str, typer.Option("--dominant", help="The language in which it answers best.")] = "en",
    prompts: Annotated[
        str, typer.Option("--prompts", help="A file in the dominant language, or a path with {language} in it.")
    ] = "",
    task: Annotated[Task, typer.Option("--task", help="What the prompts are.")] = Task.instruction,
) -> None:
    """Write a commented lidr.yaml, prompts, and the schema for editors.

    With --model and --languages the template, lengths and the way of training are those of the model and of the GPU that is here.
    Existing files are left alone; what an interrupted call left out is added.
    """
    from lidr_plugin.errors import InputError
    from lidr_plugin.starter.choice import Choice, chosen, starter

    if (model is None) != (languages is None):
        raise InputError(
            "--model and --languages go together", "lidr init DIR --model Qwen/Qwen2.5-0.5B-Instruct --languages sw,yo"
        )
    texts, problems = starter(), list[str]()
    if model is not None and languages is not None:
        codes = [code.strip() for code in languages.split(",") if code.strip()]
        texts, problems = chosen(Choice(model, codes, dominant, prompts, task.value))
    _write(folder, texts)
    for problem in problems:
        say(f"to see to: {problem}", err=True)
    config = folder / "lidr.yaml"
    if model is None:
        say(f"next: edit {config}, then lidr build-pairs {config} --dry-run")
    else:
        say(f"next: lidr doctor {config}, then lidr build-pairs {config} --dry-run")


def _write(folder: Path, texts: Mapping[str, bytes]) -> None:
    """What is there already stays; somebody else's file of the same name is wrong input."""
    from lidr_plugin import files
    from lidr_plugin.errors import InputError, RunError

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


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("init")(init)
