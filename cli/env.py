"""`lidr env create`: the pinned environment of a stage."""

from enum import StrEnum
from typing import Annotated

import typer

from .terminal import say


class Stage(StrEnum):
    """The stages that have an environment of their own."""

    train = "train"
    vllm = "vllm"
    eval = "eval"


def create(
    stage: Annotated[Stage, typer.Argument(help="train (LLaMA-Factory), vllm, or eval (lm-evaluation-harness).")],
    gpu: Annotated[
        bool | None, typer.Option("--gpu/--cpu", help="For which kind of machine; without it, as found.")
    ] = None,
) -> None:
    """Make the pinned environment of a stage.

    The stages cannot share one. It is made under ~/.lidr/envs (or $LIDR_HOME/envs); made before, nothing is done.
    """
    from lidr_plugin.machine import environments
    from lidr_plugin.machine.gpus import has_gpu

    wanted = has_gpu() if gpu is None else gpu
    python = environments.create(stage.value, gpu=wanted, say=say)
    say(f"{stage.value}: {python}")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("create")(create)
    app.callback()(_group)


def _group() -> None:
    """Make the pinned environments of the stages."""
