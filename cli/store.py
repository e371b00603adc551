"""`lidr store`: looks after the completions of a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .terminal import AsJson, say, say_json

if TYPE_CHECKING:
    from lidr_plugin.completions.salvage import Lost
    from lidr_plugin.run_directory import RunDirectory

RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN_DIR", help="The run's directory (output_dir), or the file of its store.")
]


def _run_of(place: Path) -> "RunDirectory":
    """The run at a directory, or around a store's own file."""
    from lidr_plugin.run_directory import RunDirectory

    is_file = place.suffix == ".sqlite" or (place.exists() and not place.is_dir())
    return RunDirectory(place.parent, place) if is_file else RunDirectory(place)


def verify(run_dir: RunArgument, as_json: AsJson = False) -> None:
    """Check the file, and every completion and score against its request and its checksum."""
    from lidr_plugin.completions.exchange import verify as library
    from lidr_plugin.completions.store import Store
    from lidr_plugin.completions.store_errors import remedy
    from lidr_plugin.errors import StoreError

    path = _run_of(run_dir).store
    if damage := library(path):
        listed = "\n".join(f"  {line}" for line in damage[:20])
        more = f"\n  and {len(damage) - 20:,} more" if len(damage) > 20 else ""
        hint = f"lidr store export saves what can be read:\n{remedy(path)}"
        raise StoreError(f"{path} is damaged:\n{listed}{more}", hint)
    with Store(path, read_only=True) as store:
        if as_json:
            return say_json({"path": path, "completions": len(store), "scores": store.scores, "sealed": store.sealed})
        say(f"{path}: {store.contents}, all well")
        if not store.sealed:
            say("it is of version 0.1, without checksums: a changed answer cannot be told; the next run adds them")


def export(
    run_dir: RunArgument,
    target: Annotated[Path, typer.Argument(metavar="FILE", help="JSONL, one completion or score a line.")],
) -> None:
    """Write all completions and scores with their requests as JSON lines.

    Ordered by key; of a damaged store what can be read. FILE may be an earlier export, a device or a pipe; no other file is
    replaced.
    """
    from lidr_plugin.completions.exchange import export as library
    from lidr_plugin.completions.store import counted
    from lidr_plugin.errors import RunError, StoreError

    path = _run_of(run_dir).store
    try:
        done = library(path, target)
    except OSError as error:
        raise RunError.of(error, target, "name another FILE") from None
    if done.damage:
        lost = f"{len(done.lost):,} cannot be read ({_named(done.lost)})" if done.lost else "none is lost"
        raise StoreError(
            f"{path} is damaged: {counted(done.written, done.scores)} could be read and are in {target}; {lost}",
            f"mv {path} {path}.damaged\nlidr store import {run_dir} {target}\n"
            "what is missing is asked for again by the same command",
        )
    say(f"wrote {target}", err=not target.is_file())


def _named(lost: "Sequence[Lost]") -> str:
    """Rows and scores, as `rows 3-7, 9; scores 2`."""
    rows = [item.number for item in lost if item.table == "completion"]
    scores = [item.number for item in lost if item.table == "score"]
    return "; ".join(f"{name} {_ranges(numbers)}" for name, numbers in (("rows", rows), ("scores", scores)) if numbers)


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
    """Add exported completions and scores to a run's store, all of a file or none.

    Those that are there stay as they are.
    """
    from lidr_plugin.completions.exchange import load
    from lidr_plugin.completions.store import Store, counted

    run = _run_of(run_dir)
    done = load(run, source)
    with Store(run.store, read_only=True) as store:
        say(f"{counted(done.added, done.scores)} added, {store.contents} in {run.store}")
    if done.kept:
        say(f"warning: to {done.kept:,} requests the store has another answer, which stays", err=True)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("verify")(verify)
    app.command("export")(export)
    app.command("import")(import_)
