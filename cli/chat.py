"""`lidr chat`: the base and the trained model of a run, side by side."""

import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .terminal import cell, say

if TYPE_CHECKING:
    from rich.table import Table

    from lidr_plugin.rounds.chat import Conversation, Reply

_COMMANDS = "/system TEXT, /save FILE, /clear, /quit"
_COLUMN = 50
"""Characters that a model's answers need to stand beside another's."""


def chat(
    run_dir: Annotated[Path, typer.Argument(help="The output_dir of a trained run, or a round of one.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Overrides: engine.backend=transformers")
    ] = None,
    language: Annotated[
        str | None, typer.Option("--language", help="Default: the run's first that is not dominant.")
    ] = None,
) -> None:
    """Talk to the base and the trained model, side by side.

    By the run's engine, languages and wording of prompts; an answer in another language has a note. Each line is a message or one
    of /system TEXT (without TEXT: none), /save FILE, /clear and /quit. Without a terminal the lines are read from standard input,
    and exit status 1 says that one of them failed. Of a server at an address, eval.models names the models. Ctrl-C ends it.
    """
    from rich.console import Console

    from lidr_plugin.errors import LidrError, RunError
    from lidr_plugin.rounds.chat import conversation
    from lidr_plugin.run_directory import RunDirectory

    failed = False
    with conversation(RunDirectory(run_dir), overrides or [], language, lambda line: say(line, err=True)) as talk:
        if on_terminal := _on_terminal():
            say(_COMMANDS, err=True)
        for line in _lines(on_terminal):
            if line.startswith("/"):
                try:
                    if _ended(talk, line):
                        break
                except LidrError as error:
                    say(f"error: {error.message}", err=True)
                    failed = True
            else:
                with Console(stderr=True).status("") if on_terminal else nullcontext():
                    replies = talk.ask(line.strip())
                _show(replies)
                failed |= any(reply.failed for reply in replies)
    if failed and not on_terminal:
        raise RunError("not every line could be done", "what went wrong is told at its place")


def _on_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def _lines(on_terminal: bool) -> Iterator[str]:
    """Lines with something in them, as they are typed or come."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    if on_terminal:
        with suppress(ImportError):
            import_module("readline")  # gives `input` its line editing
    with suppress(EOFError):
        for line in iter(_typed, None) if on_terminal else sys.stdin or ():
            if line.strip():
                yield line.rstrip()
        return
    say("")


def _typed() -> str:
    from lidr_plugin.machine import interrupts

    with interrupts.awake():
        return input("> ")


def _ended(talk: "Conversation", line: str) -> bool:
    """Does what a command says; whether that was the last one."""
    from lidr_plugin.errors import InputError

    name, *rest = line.split(maxsplit=1)
    match name:
        case "/quit":
            return True
        case "/clear":
            talk.clear()
        case "/system":
            talk.system = "".join(rest) or None
        case "/save" if rest:
            path = Path(os.path.expanduser(rest[0]))
            talk.save(path)
            say(f"wrote {path}", err=True)
        case _:
            raise InputError(f"{line}: there are {_COMMANDS}; a message that begins with / needs a space before it")
    return False


def _show(replies: Sequence["Reply"]) -> None:
    """Side by side where there is room for it, else one below the other."""
    from rich.console import Console

    console = Console()
    if sys.stdout.isatty() and console.width >= _COLUMN * len(replies):
        return console.print(columns(replies))
    for label, text, notes, _ in replies:
        say("\n".join(filter(None, (f"{label}:", text, *_bracketed(notes)))) + "\n")


def columns(replies: Sequence["Reply"]) -> "Table":
    """A column for each model."""
    from rich.table import Table

    table = Table(box=None, expand=True, pad_edge=False, padding=(0, 2, 1, 0))
    for reply in replies:
        table.add_column(cell(f"{reply.label}:"), ratio=1, overflow="fold")
    table.add_row(*(cell("\n".join(filter(None, (text, *_bracketed(notes))))) for _, text, notes, _ in replies))
    return table


def _bracketed(notes: Sequence[str]) -> list[str]:
    return [f"({note})" for note in notes]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("chat")(chat)
