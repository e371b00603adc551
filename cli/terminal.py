"""What the commands print: foreign text neither steers the terminal nor is taken for rich's markup, and no secret is in it."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lidr_plugin.errors.terminal import plain

if TYPE_CHECKING:
    from rich.text import Text


def say(line: object, *, err: bool = False, nl: bool = True) -> None:
    """Prints a line."""
    typer.echo(plain(str(line)), err=err, nl=nl)


def cell(text: str) -> "Text":
    """The text for a table of rich: a title, a head or a cell."""
    from rich.text import Text

    return Text(plain(text))


def several(count: int, thing: str) -> str:
    """In words: "1 prompt", "1,200 prompts"."""
    return f"{count:,} {thing}" + ("" if count == 1 else "s")


AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else on standard output.")]


def say_json(value: object) -> None:
    """Prints a result for programs: records and named tuples as objects, paths as text."""
    import orjson

    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
    typer.echo(orjson.dumps(_named(value), default=str, option=options).decode())


def _named(value: Any) -> Any:
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {name: _named(item) for name, item in value.items()}
    return [_named(item) for item in value] if isinstance(value, list | tuple) else value


def coloured(text: str, colour: str) -> str:
    """The text in a colour, unless `NO_COLOR` is set (https://no-color.org); where there is no terminal typer takes it away."""
    return text if os.environ.get("NO_COLOR") else typer.style(text, fg=colour)
