"""`lidr store`: looks after the completions of a run."""

from pathlib import Path
from typing import Annotated

import typer

RunArgument = Annotated[Path, typer.Argument(metavar="RUN_DIR", help="The run's directory (output_dir).")]


def verify(run_dir: RunArgument) -> None:
    """Check the store: the file itself, and every completion against its request."""
    from lidr_plugin.completions.store import Store
    from lidr_plugin.errors import StoreError
    from lidr_plugin.run_directory import RunDirectory

    path = RunDirectory(run_dir).store
    with Store(path, read_only=True) as store:
        damage = store.verify()
        if damage:
            listed = "\n".join(f"  {line}" for line in damage[:20])
            raise StoreError(f"{path} is damaged:\n{listed}", "lidr store export saves what can be read")
        typer.echo(f"{path}: {len(store):,} completions, all well")


def export(
    run_dir: RunArgument,
    target: Annotated[Path, typer.Argument(metavar="FILE", help="JSONL, one completion a line.")],
) -> None:
    """Write all completions with their requests as JSON lines, ordered by key."""
    from lidr_plugin import files
    from lidr_plugin.completions.store import Store, entry_json
    from lidr_plugin.run_directory import RunDirectory

    with Store(RunDirectory(run_dir).store, read_only=True) as store, files.replacing(target) as file:
        file.writelines(files.dump_line(entry_json(entry)) for entry in store.entries())
    typer.echo(f"wrote {target}")


def import_(
    run_dir: RunArgument,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="What `lidr store export` wrote.", exists=True)],
) -> None:
    """Add exported completions to a run's store; those that are there stay as they are."""
    from lidr_plugin.completions.store import Store, read_entries
    from lidr_plugin.run_directory import RunDirectory

    run = RunDirectory(run_dir)
    with run.locked(), Store(run.store) as store:
        added = store.put_many(read_entries(source))
        typer.echo(f"{added:,} completions added, {len(store):,} in {run.store}")


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("verify")(verify)
    app.command("export")(export)
    app.command("import")(import_)
