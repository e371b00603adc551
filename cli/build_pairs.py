"""`lidr build-pairs`: from parallel prompts to a preference dataset."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lidr_plugin.errors.terminal import one_line

from .preview import show_outcomes
from .ray import WithAddress
from .signals import signal_lines, signal_table
from .terminal import AsJson, cell, say, say_json, several

if TYPE_CHECKING:
    from lidr_plugin.completions.requests import Request
    from lidr_plugin.config.schema import Config
    from lidr_plugin.dataset.build import Built
    from lidr_plugin.dataset.dryrun import DryRun


def build_pairs(
    config: Annotated[Path, typer.Argument(help="The configuration, as `lidr init` writes it.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Overrides: engine.concurrency=64")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, show what would be sent, and send and write nothing.")
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option("--shard", metavar="K/N", help="Only slice K (from 0) of N, in shards/K-of-N; then `lidr merge`."),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option("--ray", metavar="[ADDRESS]", help="Build in shards on a Ray cluster, this machine's by default."),
    ] = None,
    preview: Annotated[
        int | None,
        typer.Option(
            "--preview", metavar="N", help="Take N prompts to their pairs, and show them; only completions are kept."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make preference pairs in LLaMA-Factory's format.

    Responses, self-translations, filters, dataset, report. Every completion is stored the moment it arrives.
    Interrupted or killed, the same command goes on from there.
    """
    import lidr_plugin

    settings = lidr_plugin.load(config, *(overrides or []))
    if preview is not None:
        if dry_run or shard or ray:
            raise lidr_plugin.InputError(
                "--preview goes without --dry-run, --shard and --ray", "lidr build-pairs CONFIG --preview 3"
            )
        show_outcomes(lidr_plugin.preview(settings, prompts=preview), as_json=as_json)
        return
    if dry_run:
        show_dry_run(lidr_plugin.dry_run(settings, shard=shard), as_json=as_json)
        return
    if ray and shard:
        raise lidr_plugin.InputError("--shard and --ray: which?", "--ray builds all shards, and merges them")
    command = shlex.join(["lidr", "build-pairs", str(config), *(overrides or [])])
    built = _on_ray(settings, ray, command) if ray else lidr_plugin.build_pairs(settings, shard=shard)
    say_json(built.report) if as_json else show_built(built)


def _on_ray(settings: "Config", address: str, command: str) -> "Built":
    from lidr_plugin.rounds.cluster import build_on_ray

    return build_on_ray(settings, address, command=command)


def show_built(built: Any) -> None:
    """Shows the counts of a run, and where its files are."""
    from rich.console import Console
    from rich.table import Table

    from lidr_plugin.evaluation.results import verdicts_in

    report, console = built.report, Console()
    verdicts = verdicts_in(report)
    table = Table(title=several(report["prompts"], "prompt"), title_justify="left")
    table.add_column("")
    codes = list(report["pairs"])
    for code in codes:
        table.add_column(cell(code), justify="right")
    table.add_row("candidates", *(f"{report['candidates'][code]:,}" for code in codes))
    for reason, counts in report["rejected"].items():
        table.add_row(cell(f"  {reason}"), *(f"-{counts[code]:,}" if code in counts else "" for code in codes))
    table.add_row("pairs", *(f"{report['pairs'][code]:,}" for code in codes), style="bold")
    console.print(table)
    if verdicts:
        console.print(signal_table(verdicts))
    for name, mixed in report.get("mix_in", {}).items():
        say(f"of these, {one_line(name)}: {sum(mixed['pairs'].values()):,} pairs")
    done = report["completions"]
    console.print(
        f"{done['generated']:,} completions generated, {done['reused']:,} reused, {done['failed']:,} failed; "
        f"{report['seconds']:.1f} s, {report['tokens_per_second']:.0f} tokens/s",
        highlight=False,
    )
    if marks := report.get("marks"):
        say(f"marked by a person: {marks.get('bad', 0):,} left out as bad, {marks.get('swap', 0):,} swapped")
    if any((scores := report["scores"]).values()):
        line = f"{scores['generated']:,} scores made, {scores['reused']:,} reused, {scores['failed']:,} failed"
        console.print(line, highlight=False)
    run = built.run
    for name, path in (("dataset", run.data), ("report", run.report_html), ("recipe", run.train_yaml)):
        say(f"{name:8} {path}")
    for line in signal_lines(verdicts):
        say(line)
    for note in report["notes"]:
        typer.echo(f"warning: {note}", err=True)
    if not sum(report["pairs"].values()):
        say(f"warning: no pair was kept; {run.rejected} has every candidate with its reason", err=True)


def show_dry_run(dry: "DryRun", *, as_json: bool) -> None:
    """Shows what a run would send.

    Raises:
        EngineError: a server that should run is not there.
    """
    _tell_dry_run(dry) if as_json else _say_dry_run(dry)
    if dry.server_problem:
        raise dry.server_problem


def _say_dry_run(dry: "DryRun") -> None:
    from lidr_plugin.dataset.estimate import words

    scores = f" and {several(dry.scores, 'score')}" if dry.scores else ""
    say(f"{several(dry.prompts, 'prompt')}; at most {several(dry.requests, 'request')}{scores}, second tries aside")
    say(f"{dry.stored} are in {dry.run.store} already")
    for line in words(dry.estimate) if dry.estimate else ():
        say(line)
    for request in dry.examples:
        _show_request(request)
    say("\nnothing was sent and nothing was written")


def _tell_dry_run(dry: "DryRun") -> None:
    examples = [{**x._asdict(), **_sampling(x)} for x in dry.examples]
    problem = dry.server_problem and {"message": dry.server_problem.message, "hint": dry.server_problem.hint}
    say_json({**dry._asdict(), "run": dry.run.path, "examples": examples, "server_problem": problem})


def _sampling(request: "Request") -> dict[str, Any]:
    from dataclasses import asdict

    from lidr_plugin.completions.requests import Chat

    return {"sampling": asdict(request.sampling)} if isinstance(request, Chat) else {}


def _show_request(request: "Request") -> None:
    from lidr_plugin.completions.requests import Chat

    if isinstance(request, Chat):
        say(f"\n--- a request ({one_line(request.row)}), max_tokens {request.sampling.max_tokens}")
    else:
        say(f"\n--- a score ({one_line(request.row)}): {request.kind}")
    for message in request.messages:
        say(f"[{message.role}]\n{message.content}")
    if isinstance(request, Chat) and request.prefill:
        say(f"[assistant, begun]\n{request.prefill}")
    elif not isinstance(request, Chat):
        say(f"[assistant]\n{request.text}")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("build-pairs", cls=WithAddress)(build_pairs)
