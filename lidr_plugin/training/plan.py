"""What each training method needs on the given GPUs: memory, batch, steps, time, disk. `lidr plan`, as one call."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lidr_plugin.config.methods import Stage
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.views import copies_of, rows_of, stage_on_disk
from lidr_plugin.errors import InputError
from lidr_plugin.machine import hub
from lidr_plugin.machine.gpus import Gpu, gpus
from lidr_plugin.machine.inputs import is_there, read_json
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training.memory import Memory, Shape, estimate, has_reference, shape_of
from lidr_plugin.training.processes import split
from lidr_plugin.training.recipe import Settings, compose, layers

CONTEXT = 700 << 20
"""Bytes that the driver, cuBLAS and NCCL take beside torch's own."""
_FLOPS = {"B200": 2250, "H200": 989, "H100": 989, "A100": 312, "L40": 181, "4090": 165, "A6000": 155, "L4": 121}
_FLOPS |= {"5090": 210, "3090": 71, "A10": 125, "T4": 65, "V100": 125}
"""Dense bf16 (or fp16) TFLOP/s by a part of the GPU's name, from the makers' data sheets."""
_UNNAMED = ((64, "A100"), (40, "A6000"), (20, "L4"), (0, "T4"))
"""GB, and the known GPU that one with as many or more is taken for: a slow one of its size, to be cautious."""
_UTILISATION = 0.3
"""Share of it that trainings of this kind reach, cautiously: published ones have 0.3 to 0.5."""
_MOST_GPUS = 100_000
"""More than the largest machine has."""
_CHARACTERS_A_TOKEN = 3.5
"""Between English (4 and more) and languages that tokenizers cut finely."""


class Row(NamedTuple):
    """One way of training on the given GPUs; `fits` is None where none is known, `hours` where their speed is not.

    Attributes:
        unreferenced: peak on each GPU, in bytes, with a loss that needs no reference model (`pref_loss: simpo`).
    """

    method: str
    sharding: str
    settings: Settings
    memory: Memory
    fits: bool | None
    processes: int
    steps: int
    hours: float | None
    disk: int
    unreferenced: int


class Dataset(NamedTuple):
    """Its rows, and the tokens of all of them; 0 while it is not built."""

    stage: Stage
    rows: int
    tokens: int


class Plan(NamedTuple):
    """What each way of training needs for a dataset on these GPUs."""

    shape: Shape
    gpus: list[Gpu]
    dataset: Dataset
    rows: list[Row]


def parse_gpus(text: str) -> list[Gpu]:
    """`8x80` or `1x24`: so many GPUs with so many GB each.

    Raises:
        InputError: it is written otherwise.
    """
    match = re.fullmatch(r"(\d{1,6})x(\d{1,6}(?:\.\d{1,6})?)(?:GB|G)?", text.strip(), re.IGNORECASE)
    count, memory = (int(match[1]), float(match[2])) if match else (0, 0.0)
    if not 1 <= count <= _MOST_GPUS or not memory:
        most = f"up to {_MOST_GPUS:,} of them"
        raise InputError(f"--gpus {text[:40]}: write how many and how many GB each has, as 8x80 or 1x24; {most}")
    return [Gpu("", int(memory * (1 << 30)))] * count


def architecture(model: str, revision: str) -> Mapping[str, Any]:
    """The model's `config.json`: of a directory, the recipes, the Hub's cache, or the Hub.

    Raises:
        InputError: it is nowhere, or no JSON object.
    """
    path = Path(os.path.expanduser(model)) / "config.json"
    if not is_there(path):
        if hub.is_path(model):
            raise InputError(
                f"model_name_or_path: {model}: no directory with a config.json",
                "name a directory; its config.json is enough, no weights are needed",
            )
        for layer in layers()["models"].values():
            if layer["model_name_or_path"] == model:
                known: Mapping[str, Any] = layer["ARCHITECTURE"]
                return known
        path = hub.download(model, "config.json", key="model_name_or_path", revision=revision)
    remedy = "is the download whole? fetch it again"
    found = read_json(path, remedy)
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected an object, found a {type(found).__name__}", remedy)
    return found


def plan(config: Config, given: list[Gpu] | None) -> Plan:
    """Every way of training on the given GPUs, or on those of this machine.

    Raises:
        InputError: the model's shape cannot be told.
    """
    model = config.model_name_or_path
    shape = shape_of(architecture(model, config.model_revision), model)
    cards = given or gpus()
    ways = [("full", zero) for zero in ("", "zero2", "zero3", "zero3_offload")] + [("lora", ""), ("qlora", "")]
    if len(cards) < 2:  # nothing to shard over
        ways = [way for way in ways if way[1] not in ("zero2", "zero3")]
    dataset = _dataset(config)
    return Plan(shape, cards, dataset, [_row(config, shape, cards, dataset, *way) for way in ways])


def _dataset(config: Config) -> Dataset:
    run = RunDirectory.of(config.output_dir, config.store)
    stage, rows, characters = stage_on_disk(config, run), 0, 0
    if is_there(run.dataset(config.alpaca_name)):
        for row in rows_of(run, config.alpaca_name):
            answers = [row[key] for key in ("chosen", "rejected", "output") if key in row]
            characters += sum(len(row["instruction"]) + len(answer) for answer in answers)
            rows += 1
    copies = copies_of(run, config.alpaca_name)
    return Dataset(stage, round(rows / copies), int(characters / copies / _CHARACTERS_A_TOKEN))


def _row(config: Config, shape: Shape, cards: list[Gpu], dataset: Dataset, method: str, zero: str) -> Row:
    composed = compose(
        dataset.stage, method, config.task, config.method if dataset.stage == config.stage else "imbalance"
    )
    given = config.train.llamafactory
    # The loss is the method's, whichever way it is trained.
    own = given if method == config.train.method else {key: x for key, x in given.items() if key == "pref_loss"}
    settings = {**composed.settings, **{key: value for key, value in own.items() if value is not None}}
    batch = config.train.global_batch_size or composed.global_batch
    world = max(n for n in range(1, min(max(len(cards), 1), batch) + 1) if batch % n == 0)
    each = split(batch, world, preferred=settings["per_device_train_batch_size"])
    settings |= {"per_device_train_batch_size": each.per_device, "gradient_accumulation_steps": each.accumulation}
    memory = estimate(shape, settings, world=world, zero=zero)
    return Row(
        method=method,
        sharding=zero,
        settings=settings,
        memory=memory,
        fits=memory.total + CONTEXT <= min(card.memory for card in cards) if cards else None,
        processes=world,
        steps=int(-(-dataset.rows // batch) * settings["num_train_epochs"]),
        hours=_hours(shape, settings, cards, dataset.tokens, world),
        disk=disk_needed(shape, settings),
        unreferenced=estimate(shape, {**settings, "pref_loss": "simpo"}, world=world, zero=zero).total,
    )


def flops_of(cards: Sequence[Gpu]) -> float | None:
    """FLOP/s of one of these GPUs by its maker's data sheet; None for one that is not known here."""
    rate = next((rate for name, rate in _FLOPS.items() if cards and name in cards[0].name), None)
    return rate * 1e12 if rate else None


def alike(card: Gpu) -> Gpu:
    """The GPU itself where its speed is known, else one that is known and has about as much memory."""
    if flops_of([card]) is not None:
        return card
    return card._replace(name=next(name for size, name in _UNNAMED if card.memory >= size * 10**9))


def _hours(shape: Shape, settings: Settings, cards: list[Gpu], tokens: int, world: int) -> float | None:
    """By arithmetic: 2 FLOP a parameter and token forward, twice that backward, and the recomputed and reference passes."""
    speed = flops_of(cards)
    if speed is None or not tokens:
        return None
    passes = 1 + 1 + 2 + has_reference(settings)
    work = 2 * shape.parameters * tokens * passes * settings["num_train_epochs"]
    return float(work / (speed * _UTILISATION * world) / 3600)


def disk_needed(shape: Shape, settings: Settings) -> int:
    """Bytes of the checkpoints that are kept (one more while it is written), the last weights, and `model/`."""
    n, kept = shape.parameters, int(settings.get("save_total_limit") or 3) + 1
    if settings["finetuning_type"] == "lora":
        adapter = shape.adapter(settings)
        return kept * 12 * adapter + 4 * adapter + 2 * n
    return kept * 14 * n + 4 * n + 2 * n
