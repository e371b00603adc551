"""The processes of a training, as LLaMA-Factory and torchrun count them, and how they share the global batch."""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from lidr_plugin.config.schema import Config
from lidr_plugin.errors import InputError
from lidr_plugin.machine.gpus import gpus

_TRUE = ("1", "true", "yes", "y")
NEVER_PLACED = (
    "warning: USE_RAY: without a GPU here LLaMA-Factory 0.9.5 asks Ray for ten cores for each core of the cluster, and waits until "
    "nodes with so many more come"
)
"""Its `get_placement_group` is given the number of devices, which are cores then, and wants ten cores for each."""


@dataclass(frozen=True, slots=True)
class Launch:
    """The processes of one training.

    Attributes:
        gpus: GPUs of this machine that the training sees.
        per_node: processes on each machine (`NPROC_PER_NODE`, else one a GPU).
        env: what `train.env` adds to the environment.
        nodes: machines (`NNODES`).
        rank: which of them this is (`NODE_RANK`); the first keeps the results.
        ray: LLaMA-Factory's Ray launcher (`USE_RAY`) instead of torchrun.
        forced: torchrun for a single process too (`FORCE_TORCHRUN`).
    """

    gpus: int
    per_node: int
    env: Mapping[str, str] = field(default_factory=dict)
    nodes: int = 1
    rank: int = 0
    ray: bool = False
    forced: bool = False

    @property
    def world(self) -> int:
        """Processes in all."""
        return self.nodes * self.per_node

    def torchrun(self, settings: Mapping[str, object]) -> bool:
        """Whether LLaMA-Factory starts torchrun, whose command line it splits at spaces."""
        return not self.ray and (self.forced or self.gpus > 1 or "deepspeed" in settings)

    def environment(self, settings: Mapping[str, object]) -> Mapping[str, str]:
        """What a training adds to the environment; on one GPU LLaMA-Factory refuses DeepSpeed where torchrun is not forced."""
        return {"FORCE_TORCHRUN": "1", **self.env} if "deepspeed" in settings and not self.ray else self.env

    def of_workers(self, python: Path) -> Mapping[str, object]:
        """What LLaMA-Factory's workers on Ray want: a node would take its own interpreter, which lacks LLaMA-Factory."""
        return {"ray_init_kwargs": {"runtime_env": {"py_executable": str(python)}}} if self.ray else {}

    def rows_a_step(self, settings: Mapping[str, int]) -> int:
        """The global batch of a recipe."""
        return settings["per_device_train_batch_size"] * settings["gradient_accumulation_steps"] * self.world


def launch_of(config: Config) -> Launch:
    """The processes that the configuration and this machine give its training."""
    workers = config.train.llamafactory.get("ray_num_workers", 1)
    return read_launch({key: str(value) for key, value in config.train.env.items()}, ray_workers=workers)


def read_launch(env: Mapping[str, str], *, ray_workers: int = 1) -> Launch:
    """The launch that `train.env`, over the environment of this process, describes.

    Raises:
        InputError: a number of processes is not a number, or there are several and nothing starts them.
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
    return Launch(count, per_node, env, nodes, rank, ray, forced)


def _number(env: Mapping[str, str], name: str, default: int, *, least: int = 1) -> int:
    text = env.get(name) or str(default)
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) < least:
        raise InputError(f"{name}={text[:40]!r} is no number of processes", "set it in train.env or in the environment")
    return int(text)


class Split(NamedTuple):
    """`per_device * accumulation * world` rows make one optimizer step."""

    per_device: int
    accumulation: int


def possible(global_batch: int, world: int) -> list[Split]:
    """Every way to make `global_batch` on `world` processes, the smallest per-device batch first."""
    share, rest = divmod(global_batch, world)
    if rest:
        return []
    small = [size for size in range(1, math.isqrt(share) + 1) if share % size == 0]
    return [
        Split(size, share // size) for size in dict.fromkeys([*small, *(share // size for size in reversed(small))])
    ]


def split(
    global_batch: int, world: int, *, per_device: int | None = None, accumulation: int | None = None, preferred: int = 1
) -> Split:
    """The split that the given numbers leave; with none given, the largest per-device batch up to `preferred`.

    Raises:
        InputError: there is none; the message names those that there are.
    """
    ways = possible(global_batch, world)
    if not ways:
        lower = max(n for n in range(1, min(world, global_batch) + 1) if global_batch % n == 0)
        rounded = -(-global_batch // world) * world
        raise InputError(
            f"train: a global batch of {global_batch} cannot be split over {world} processes",
            f"use {lower} of them (CUDA_VISIBLE_DEVICES), or set train.global_batch_size={rounded}",
        )
    fitting = [way for way in ways if per_device in (None, way.per_device) and accumulation in (None, way.accumulation)]
    if not fitting:
        asked = {"per_device_train_batch_size": per_device, "gradient_accumulation_steps": accumulation}
        named = ", ".join(f"{key}: {value}" for key, value in asked.items() if value is not None)
        offers = ", ".join(f"{way.per_device} x {way.accumulation}" for way in ways)
        meant = (per_device or 1) * (accumulation or 1) * world
        raise InputError(
            f"train: {named} on {world} processes does not make a global batch of {global_batch}",
            f"per-device batch x accumulation can be {offers}; or set train.global_batch_size={meant}",
        )
    if per_device is None and accumulation is None:
        return max((way for way in fitting if way.per_device <= preferred), default=fitting[0])
    return fitting[0]
