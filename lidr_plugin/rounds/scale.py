"""A build spread over many GPUs: hours, shards, disk."""

from collections.abc import Sequence
from typing import NamedTuple

from lidr_plugin.completions.engines.base import backend_of
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.estimate import Disk, Estimate, Speed, in_bytes, in_hours
from lidr_plugin.machine.gpus import Gpu
from lidr_plugin.prompts.sources import is_numbered, prompt_files
from lidr_plugin.training.speed import by_arithmetic, speed_of

_SHARDS_A_WORKER = 4
"""So that the last workers do not wait long for the slowest."""
_MERGED_A_SECOND, _COUNTED_A_SECOND = 200_000_000, 20_000_000
"""Bytes of a dataset that is copied, and of one whose rows are counted anew; docs/scale.md has the measurements."""


class Spread(NamedTuple):
    """A build on so many workers, each with an engine on GPUs of its own.

    Attributes:
        speed: of one engine.
        hours: until all shards are built, if none waits.
        gpu_hours: the same times the GPUs at work.
        prompts: of a shard.
        shard: bytes of its files.
        disk: of all shards and of what the merge writes.
        merge_speed: bytes a second.
    """

    gpus: int
    workers: int
    speed: Speed
    hours: float
    gpu_hours: float
    shards: int
    prompts: int
    shard: Disk
    disk: int
    requests_per_second: float
    merge_speed: int
    merge_hours: float


def shards_for(config: Config, prompts: int, workers: int) -> int:
    """How many shards `lidr build-pairs --ray` makes for so many workers."""
    return min(prompts, config.cluster.shards or _SHARDS_A_WORKER * max(1, workers))


def spread(config: Config, build: Estimate, cards: Sequence[Gpu]) -> Spread | None:
    """A build on all these GPUs; None where their speed cannot be told."""
    # A server that is there already may be anywhere: what it was measured at says nothing of these GPUs.
    own = backend_of(config.engine) == "vllm"
    speed = speed_of(config, cards) if own else by_arithmetic(config, cards)
    if speed is None or not cards:
        return None
    each = max(1, round(config.cluster.gpus_per_worker or config.engine.gpus))
    workers = max(1, min(len(cards) // each, config.cluster.workers or len(cards)))
    seconds = build.completion_tokens / (speed.tokens_per_second * workers)
    numbered = len(prompt_files(config)[config.dominant_language]) if is_numbered(config) else 0
    shards = max(1, numbered or shards_for(config, build.prompts, workers))
    gpus = min(len(cards), each * workers)
    return Spread(
        gpus=gpus,
        workers=workers,
        speed=speed,
        hours=seconds / 3600,
        gpu_hours=seconds / 3600 * gpus,
        shards=shards,
        prompts=-(-build.prompts // shards),
        shard=Disk(build.disk.store // shards, build.disk.dataset // shards),
        disk=build.disk.store + 2 * build.disk.dataset,
        requests_per_second=build.requests / seconds if seconds else 0.0,
        merge_speed=(merged := _COUNTED_A_SECOND if config.family == "rank" else _MERGED_A_SECOND),
        merge_hours=build.disk.dataset / merged / 3600,
    )


def words(found: Spread, told: Speed | None = None) -> list[str]:
    """The same for people, with what was assumed.

    Args:
        told: the engine's speed that they have read of already.
    """
    speed = found.speed
    assumed = [] if speed == told else [f"an engine makes {speed.tokens_per_second:,.0f} tokens/s, {speed.source}"]
    merge = f"{in_hours(found.merge_hours)} at {in_bytes(found.merge_speed)}/s"
    size = in_bytes(sum(found.shard))
    return [
        f"about {found.gpu_hours:,.1f} GPU hours: {in_hours(found.hours)} of {found.workers:,} engines",
        *assumed,
        f"{found.shards:,} shards of {found.prompts:,} prompts, {size} each; cluster.shards sets another number",
        f"{in_bytes(found.disk)} in all: completions, and the dataset in the shards and merged",
        f"about {found.requests_per_second:,.0f} requests/s; the merge takes about {merge}",
    ]
