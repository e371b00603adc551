"""`lidr doctor`: what this machine has, what is wrong with it, and the fix."""

from pathlib import Path
from typing import Annotated

import typer

from .terminal import AsJson, coloured, say, say_json


def doctor(
    config: Annotated[Path | None, typer.Argument(help="Also check this configuration.")] = None,
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Overrides.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check environments, versions, GPUs and a configuration.

    Each finding comes with its fix. Given a configuration, also what its run needs.
    """
    from lidr_plugin.config.file import load
    from lidr_plugin.doctor import check_config, check_machine

    findings = check_machine()
    if config is not None:
        findings += check_config(load(config, overrides or []))
    if as_json:
        say_json(findings)
    colours = {"ok": typer.colors.GREEN, "note": typer.colors.CYAN, "wrong": typer.colors.RED}
    for finding in [] if as_json else findings:
        typer.echo(coloured(f"{finding.level:6}", colours[finding.level]), nl=False)
        say(f"{finding.what}: {finding.found}")
        if finding.fix:
            say(f"      -> {finding.fix}")
    if any(finding.level == "wrong" for finding in findings):
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("doctor")(doctor)
