"""`lidr` in this process: faster than a child, and what it raises can be caught."""

from pathlib import Path

from typer.testing import CliRunner


def shown(*arguments: str | Path) -> str:
    """What the command prints to stdout; an error of lidr's is raised, not printed."""
    from lidr_cli.app import app

    done = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout
