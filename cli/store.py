"""`lidr store`: looks after the completions of a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from lidr_cli.terminal import say

RunArgument = Annotated[Path, typer.Argument(metavar="RUN_DIR", help="The run's directory (output_dir).")]


def verify(run_dir: RunArgument) -> None:
    """Check the file, and every completion against its request."""
    from lidr_plugin.completions.store import Store
    from lidr_plugin.errors import StoreError
    from lidr_plugin.run_directory import RunDirectory

    path = RunDirectory(run_dir).store
    with Store(path, read_only=True) as store:
        damage = store.verify()
        if damage:
            listed = "\n".join(f"  {line}" for line in damage[:20])
            raise StoreError(f"{path} is damaged:\n{listed}", "lidr store export saves what can be read")
        say(f"{path}: {len(store):,} completions, all well")


def export(
    run_dir: RunArgument,
    target: Annotated[Path, typer.Argument(metavar="FILE", help="JSONL, one completion a line.")],
) -> None:
    """Write all completions with their requests as JSON lines.

    Ordered by key; of a damaged store what can be read.
    """
    from lidr_plugin.completions.store import Store
    from lidr_plugin.completions.store import export as library
    from lidr_plugin.errors import RunError, StoreError
    from lidr_plugin.run_directory import RunDirectory

    path = RunDirectory(run_dir).store
    with Store(path, read_only=True) as store:
        try:
            done = library(store, target)
        except OSError as error:
            raise RunError(f"{error.filename or target}: {error.strerror}", "name another FILE") from None
    if done.damaged:
        lost = f"{len(done.lost):,} cannot be read (rows {_ranges(done.lost)})" if done.lost else "none is lost"
        raise StoreError(
            f"{path} is damaged: {done.written:,} completions could be read and are in {target}; {lost}",
            f"move the store away, then: lidr store import {run_dir} {target}; what is missing is asked for again",
        )
    say(f"wrote {target}")


def _ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers, as `3-7, 9`; the first ten runs of them."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return ", ".join("-".join(map(str, run)) for run in runs[:10]) + (", …" if len(runs) > 10 else "")


def import_(
    run_dir: RunArgument,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="What `lidr store export` wrote.", exists=True)],
) -> None:
    """Add exported completions to a run's store.

    Those that are there stay as they are.
    """
    from lidr_plugin.completions.store import Store, read_entries
    from lidr_plugin.run_directory import RunDirectory

    run = RunDirectory(run_dir)
    with run.locked(), Store(run.store) as store:
        added = store.put_many(read_entries(source))
        say(f"{added:,} completions added, {len(store):,} in {run.store}")


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("verify")(verify)
    app.command("export")(export)
    app.command("import")(import_)
