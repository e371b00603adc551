"""`lidr doctor`: what this machine has, what is wrong with it, and the fix."""

from pathlib import Path
from typing import Annotated

import typer

from .terminal import say


def doctor(
    config: Annotated[Path | None, typer.Argument(help="Also check this configuration.")] = None,
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Overrides.")] = None,
) -> None:
    """Check environments, versions, GPUs and a configuration.

    Each finding comes with its fix. Given a configuration, also what its run needs.
    """
    from lidr_plugin.config.file import load
    from lidr_plugin.doctor import check_config, check_machine

    findings = check_machine()
    if config is not None:
        findings += check_config(load(config, overrides or []))
    colours = {"ok": typer.colors.GREEN, "note": typer.colors.CYAN, "wrong": typer.colors.RED}
    for finding in findings:
        typer.echo(typer.style(f"{finding.level:6}", fg=colours[finding.level]), nl=False)
        say(f"{finding.what}: {finding.found}")
        if finding.fix:
            say(f"      -> {finding.fix}")
    if any(finding.level == "wrong" for finding in findings):
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("doctor")(doctor)
