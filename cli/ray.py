"""`--ray [ADDRESS]`: an option whose value may be left out."""

import re
from typing import Any

from typer.core import TyperCommand

_ADDRESS = re.compile(r"auto|local|ray://\S+|[\w.-]+:[0-9]+")


class WithAddress(TyperCommand):
    """Takes `--ray` without an address too, which is none of Typer's kinds of options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Puts `auto` where no address follows."""
        for place, word in reversed(list(enumerate(args))):
            following = args[place + 1] if place + 1 < len(args) else ""
            if word == "--ray" and not _ADDRESS.fullmatch(following):
                args = [*args[: place + 1], "auto", *args[place + 1 :]]
        return super().parse_args(ctx, args)
