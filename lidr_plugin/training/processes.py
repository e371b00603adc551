"""How many processes a training has and where they run, as LLaMA-Factory and torchrun read it from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from lidr_plugin.errors import InputError
from lidr_plugin.machine.gpus import gpus

_TRUE = ("1", "true", "yes", "y")


@dataclass(frozen=True, slots=True)
class Launch:
    """The processes of one training.

    Attributes:
        env: what `train.env` adds to the environment.
        gpus: GPUs of this machine that the training sees.
        nodes: machines (`NNODES`).
        rank: which of them this is (`NODE_RANK`); the first keeps the results.
        per_node: processes on each (`NPROC_PER_NODE`, else one a GPU).
        ray: LLaMA-Factory's Ray launcher (`USE_RAY`) instead of torchrun.
    """

    env: Mapping[str, str]
    gpus: int
    nodes: int
    rank: int
    per_node: int
    ray: bool
    forced: bool

    @property
    def world(self) -> int:
        """Processes in all."""
        return self.nodes * self.per_node

    @property
    def torchrun(self) -> bool:
        """Whether LLaMA-Factory starts torchrun, which splits its command line at spaces."""
        return not self.ray and (self.forced or self.gpus > 1)


def read_launch(env: Mapping[str, str], *, ray_workers: int = 1) -> Launch:
    """The launch that `train.env`, over the environment of this process, describes.

    Raises:
        InputError: a number is none.
    """
    seen = {**os.environ, **env}
    count = len(gpus(seen))
    ray = seen.get("USE_RAY", "0").lower() in _TRUE
    per_node = ray_workers if ray else _number(seen, "NPROC_PER_NODE", max(count, 1))
    forced = seen.get("FORCE_TORCHRUN", "0").lower() in _TRUE
    if per_node > 1 and not (ray or forced or count > 1):
        raise InputError(f"train.env: NPROC_PER_NODE={per_node} without torchrun", "add FORCE_TORCHRUN: 1 to train.env")
    nodes = 1 if ray else _number(seen, "NNODES", 1)
    rank = _number(seen, "NODE_RANK", 0, least=0) if nodes > 1 else 0
    return Launch(env=env, gpus=count, nodes=nodes, rank=rank, per_node=per_node, ray=ray, forced=forced)


def _number(env: Mapping[str, str], name: str, default: int, *, least: int = 1) -> int:
    text = env.get(name) or str(default)
    if not text.isdigit() or int(text) < least:
        raise InputError(f"{name}={text!r} is no number of processes", "set it in train.env or in the environment")
    return int(text)
