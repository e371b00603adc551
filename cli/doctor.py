"""`lidr doctor`: what this machine has, what is wrong with it, and the fix."""

from pathlib import Path
from typing import Annotated

import typer


def doctor(
    config: Annotated[Path | None, typer.Argument(help="Also check this configuration.")] = None,
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Overrides.")] = None,
) -> None:
    """Check interpreters, environments, versions, GPUs and, given a configuration, what its run needs."""
    from rich.console import Console
    from rich.table import Table

    from lidr_plugin.configfile import load
    from lidr_plugin.doctor import check_config, check_machine

    findings = check_machine()
    if config is not None:
        findings += check_config(load(config, overrides or []))
    table = Table(show_header=False, box=None)
    for finding in findings:
        mark = {"ok": "[green]ok[/]", "note": "[cyan]note[/]", "wrong": "[red]wrong[/]"}[finding.level]
        table.add_row(mark, finding.what, finding.found + (f"\n-> {finding.fix}" if finding.fix else ""))
    Console().print(table)
    if any(finding.level == "wrong" for finding in findings):
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("doctor")(doctor)
