"""Splits the global batch over GPUs: per-device batch and accumulation steps."""

from typing import NamedTuple

from lidr_plugin.errors import InputError


class Split(NamedTuple):
    """`per_device * accumulation * world` pairs make one optimizer step."""

    per_device: int
    accumulation: int


def possible(global_batch: int, world: int) -> list[Split]:
    """Every way to make `global_batch` on `world` processes, the smallest per-device batch first."""
    share, rest = divmod(global_batch, world)
    if rest:
        return []
    return [Split(size, share // size) for size in range(1, share + 1) if share % size == 0]


def split(
    global_batch: int, world: int, *, per_device: int | None, accumulation: int | None, preferred: int = 1
) -> Split:
    """The split that the given numbers leave, or with none given the largest per-device batch up to `preferred`.

    Raises:
        InputError: there is none; the message names those that there are.
    """
    ways = possible(global_batch, world)
    if not ways:
        lower = max(n for n in range(1, world + 1) if global_batch % n == 0)
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
