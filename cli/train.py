"""`lidr train`: from a preference dataset to a verified model."""

from pathlib import Path
from typing import Annotated

import typer

from .terminal import AsJson, say, say_json


def train(
    config: Annotated[Path, typer.Argument(help="The configuration, as `lidr init` writes it.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Overrides: train.method=qlora")
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Remove checkpoint/ and model/ of this run and begin anew.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, show the recipe, and train and write nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train on what build-pairs made, through llamafactory-cli.

    The adapter is merged and the result verified. Interrupted or killed, the same command goes on from the last
    checkpoint. A finished training is not repeated.
    """
    import lidr_plugin
    from lidr_plugin.config.file import load
    from lidr_plugin.training.train import dry_run as check

    def told(line: str) -> None:
        say(line, err=True)

    settings = load(config, overrides or [])
    if dry_run:
        say(check(settings, told), nl=False)
        return
    done = lidr_plugin.train(settings, restart=restart, say=told)
    if as_json:
        state = done.state.model_dump(mode="json") if done.state else {}
        return say_json({**state, "repeated": done.repeated, "model": done.run.model})
    if done.state is None:
        say("trained as a further node; the first one keeps the result")
        return
    if done.repeated:
        say("trained before with these settings; nothing to do (--restart trains anew)")
    if result := done.state.result:
        loss = "" if result.train_loss is None else f"mean loss {result.train_loss:.4f}, "
        say(f"trained  {loss}{result.train_runtime:.0f} s; {done.run.train_log}")
    if proof := done.state.merge:
        say(
            f"verified {proof.modules} modules; training moved the log-probabilities by {proof.shift:.3g}, "
            f"saving lost {proof.lost:.1%} of that"
        )
    say(f"model    {done.run.model}")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("train")(train)
