"""What each training method needs on the given GPUs: memory, batch, steps, time, disk. `lidr plan`, as one call."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.views import rows_of, stage_on_disk
from lidr_plugin.errors import InputError
from lidr_plugin.machine import hub
from lidr_plugin.machine.gpus import Gpu, gpus
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training.batch import split
from lidr_plugin.training.memory import Memory, Shape, estimate, shape_of
from lidr_plugin.training.processes import Launch
from lidr_plugin.training.recipe import METHODS, Settings, compose, layers

CONTEXT = 700 << 20
"""Bytes that the driver, cuBLAS and NCCL take beside torch's own."""
_FLOPS = {"B200": 2250, "H200": 989, "H100": 989, "A100": 312, "L40": 181, "4090": 165, "A6000": 155, "L4": 121}
_FLOPS |= {"5090": 210, "3090": 71, "A10": 125, "T4": 65, "V100": 125}
"""Dense bf16 (or fp16) TFLOP/s by a part of the GPU's name, from the makers' data sheets."""
_UTILISATION = 0.3
_CHARACTERS_A_TOKEN = 3.5


class Row(NamedTuple):
    """One method on the given GPUs."""

    method: str
    sharding: str
    settings: Settings
    memory: Memory
    fits: bool | None
    processes: int
    steps: int
    hours: float | None
    disk: int


class Plan(NamedTuple):
    """What the table shows."""

    shape: Shape
    gpus: list[Gpu]
    pairs: int
    rows: list[Row]


def parse_gpus(text: str) -> list[Gpu]:
    """`8x80` or `1x24`: so many GPUs with so many GB each.

    Raises:
        InputError: it is written otherwise.
    """
    match = re.fullmatch(r"(\d+)x(\d+(?:\.\d+)?)(?:GB|G)?", text.strip(), re.IGNORECASE)
    if not match or not int(match[1]):
        raise InputError(f"--gpus {text}: write how many and how many GB each has, as 8x80 or 1x24")
    return [Gpu("", int(float(match[2]) * (1 << 30)))] * int(match[1])


def architecture(model: str, revision: str) -> tuple[Mapping[str, Any], str]:
    """The model's `config.json` and where it was found: a directory, the Hub's cache, the recipes, or the Hub.

    Raises:
        InputError: it is nowhere, or no JSON object.
    """
    path = Path(model).expanduser() / "config.json"
    if path.is_file():
        return _json(path), str(path)
    if hub.is_path(model):
        raise InputError(
            f"model_name_or_path: {model}: no directory with a config.json",
            "name a directory; its config.json is enough, no weights are needed",
        )
    if (cached := hub.cached(model, "config.json", revision=revision)) is not None:
        return _json(cached), str(cached)
    for layer in layers()["models"].values():
        if layer["model_name_or_path"] == model:
            return layer["ARCHITECTURE"], "the recipes"
    fetched = hub.download(model, "config.json", key="model_name_or_path", revision=revision)
    return _json(fetched), str(fetched)


def _json(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON: {error}", "is the download whole? fetch it again") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected an object, found a {type(found).__name__}")
    return found


def plan(config: Config, given: list[Gpu] | None) -> Plan:
    """Every method on the given GPUs, or on those of this machine.

    Raises:
        InputError: the model's shape cannot be told, or there is no GPU and none was given.
    """
    found, where = architecture(config.model_name_or_path, config.model_revision)
    shape = shape_of(found, where)
    cards = given or gpus()
    pairs, longest = _dataset(config)
    rows = [
        row
        for method in METHODS
        for zero in (("", "zero2", "zero3", "zero3_offload") if method == "full" else ("",))
        if (row := _row(config, shape, cards, pairs, longest, method, zero))
    ]
    return Plan(shape, cards, pairs, rows)


def _dataset(config: Config) -> tuple[int, int]:
    """Pairs, and the mean tokens of a row by its characters; of a dataset that is not built yet, nothing is known."""
    run = RunDirectory(Path(config.output_dir).expanduser())
    if not run.dataset(config.dataset_name).exists():
        return 0, 0
    texts = [
        (len(row["instruction"]) * 2 + len(row["chosen"]) + len(row["rejected"]))
        if "chosen" in row
        else len(row["instruction"]) + len(row["output"])
        for row in rows_of(run, config.dataset_name)
    ]
    return len(texts), int(sum(texts) / max(len(texts), 1) / _CHARACTERS_A_TOKEN)


def _row(config: Config, shape: Shape, cards: list[Gpu], pairs: int, tokens: int, method: str, zero: str) -> Row | None:
    composed = compose(stage_on_disk(config, RunDirectory(Path(config.output_dir).expanduser())), method, config.task)
    own = config.train.llamafactory if method == config.train.method else {}
    settings = {**composed.settings, **{key: value for key, value in own.items() if value is not None}}
    world = max(len(cards), 1)
    launch = Launch(env={}, gpus=len(cards), nodes=1, rank=0, per_node=world, ray=False, forced=False)
    if zero in ("zero2", "zero3") and world == 1:
        return None
    batch = config.train.global_batch_size or composed.global_batch
    while batch % launch.world:
        launch = replace(launch, per_node=launch.per_node - 1)
    ways = split(
        batch, launch.world, per_device=None, accumulation=None, preferred=settings["per_device_train_batch_size"]
    )
    settings |= {"per_device_train_batch_size": ways.per_device, "gradient_accumulation_steps": ways.accumulation}
    memory = estimate(shape, settings, world=launch.world, zero=zero)
    least = min((card.memory for card in cards), default=0)
    steps = int(-(-pairs // batch) * settings["num_train_epochs"])
    return Row(
        method=method,
        sharding=zero,
        settings=settings,
        memory=memory,
        fits=memory.total + CONTEXT <= least if cards else None,
        processes=launch.world,
        steps=steps,
        hours=_hours(shape, settings, cards, pairs * tokens, launch.world),
        disk=disk_needed(shape, settings),
    )


def _hours(shape: Shape, settings: Settings, cards: list[Gpu], tokens: int, world: int) -> float | None:
    """By arithmetic: 2 FLOP a parameter and token forward, twice that backward, and the recomputed and reference passes."""
    speed = next((rate for name, rate in _FLOPS.items() if cards and name in cards[0].name), None)
    if speed is None or not tokens:
        return None
    passes = 1 + 1 + 2 + (1 if settings["stage"] == "dpo" else 0)
    work = 2 * shape.parameters * tokens * passes * settings["num_train_epochs"]
    return float(work / (speed * 1e12 * _UTILISATION * world) / 3600)


def disk_needed(shape: Shape, settings: Settings) -> int:
    """Bytes of the checkpoints that are kept (one more while it is written), the last weights, and `model/`."""
    n, kept = shape.parameters, int(settings.get("save_total_limit") or 3) + 1
    if settings["finetuning_type"] == "lora":
        adapter = shape.adapter(settings.get("lora_rank", 8))
        return kept * 12 * adapter + 4 * adapter + 2 * n
    return kept * 14 * n + 4 * n + 2 * n
