"""What the commands print: foreign text neither steers the terminal nor is taken for rich's markup, and no secret is in it."""

from typing import TYPE_CHECKING

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
