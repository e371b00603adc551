"""Puts a recipe together from its layers (`recipes/layers.yaml`): LLaMA-Factory's keys with the paper's settings."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from lidr_plugin import files
from lidr_plugin.config.schema import Config
from lidr_plugin.errors import InputError
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training.batch import split
from lidr_plugin.training.processes import Launch, read_launch

METHODS = ("full", "lora", "qlora")
_TEMPLATES = (
    ("llama-3.1", "llama3"),
    ("llama-3", "llama3"),
    ("llama-2", "llama2"),
    ("qwen3-4b-instruct", "qwen3_nothink"),
    ("instruct-2507", "qwen3_nothink"),
    ("thinking-2507", "qwen3"),
    ("qwen3", "qwen3"),
    ("qwen2", "qwen"),
    ("qwen1.5", "qwen"),
    ("gemma-3", "gemma3"),
    ("gemma-2", "gemma2"),
    ("gemma", "gemma"),
    ("mistral-small", "mistral_small"),
    ("mistral", "mistral"),
    ("mixtral", "mistral"),
    ("phi-4", "phi4"),
    ("phi-3", "phi"),
    ("aya", "cohere"),
    ("command-r", "cohere"),
    ("granite-3", "granite3"),
    ("smollm", "smollm"),
    ("falcon", "falcon"),
    ("olmo", "olmo"),
)
"""Part of a model's name to LLaMA-Factory's template; the first match counts."""

Settings = dict[str, Any]
Stage: TypeAlias = Literal["dpo", "sft"]


def propose_template(model: str) -> str | None:
    """LLaMA-Factory's template for a model family, by its name; None if the name tells nothing."""
    name = model.rstrip("/").rsplit("/", maxsplit=1)[-1].lower()
    return next((template for part, template in _TEMPLATES if part in name), None)


class Composed(NamedTuple):
    """LLaMA-Factory's keys that the method and the task decide, and the pairs of one step."""

    settings: Settings
    global_batch: int


@cache
def layers() -> Mapping[str, Any]:
    """The content of `recipes/layers.yaml`."""
    from ruamel.yaml import YAML

    text = (resources.files("lidr_recipes") / "layers.yaml").read_text()
    loaded: Mapping[str, Any] = YAML(typ="safe", pure=True).load(text)
    return loaded


def compose(stage: Stage, method: str, task: str) -> Composed:
    """Base, task, method and stage, laid over each other; what is in capitals is worked out and taken away."""
    parts = layers()
    settings = {**parts["base"], **parts["tasks"][task], **parts["methods"][method]}
    if stage == "sft":
        settings = {key: value for key, value in {**settings, **parts["sft"]}.items() if not key.startswith("pref_")}
    settings["learning_rate"] = settings.pop("LEARNING_RATE")[method]
    return Composed(settings, settings.pop("GLOBAL_BATCH"))


def deepspeed_file(name: str) -> Path:
    """The shipped DeepSpeed configuration `zero2`, `zero3` or `zero3_offload`."""
    return Path(str(resources.files("lidr_recipes") / "deepspeed" / f"{name}.json"))


def launch_of(config: Config) -> Launch:
    """The processes that the configuration and this machine give its training."""
    workers = config.train.llamafactory.get("ray_num_workers", 1)
    return read_launch({key: str(value) for key, value in config.train.env.items()}, ray_workers=workers)


def train_settings(config: Config, run: RunDirectory, launch: Launch, *, dataset: str, stage: Stage) -> Settings:
    """The keys of `train.yaml`, with absolute paths, so that it works from any folder. `train:` keys come last and win.

    Args:
        dataset: the name in `data/dataset_info.json` of what is trained on.
        stage: LLaMA-Factory's, by the dataset's rows.

    Raises:
        InputError: the global batch cannot be split over the processes of the launch, or a file is not there.
    """
    composed, given = (
        compose(stage, config.train.method, config.task),
        config.train.llamafactory,
    )
    paths: Settings = {
        "model_name_or_path": _local(config.model_name_or_path),
        "trust_remote_code": config.trust_remote_code,
        "dataset_dir": str(run.data.absolute()),
        "dataset": dataset,
        "template": config.template or propose_template(config.model_name_or_path) or "default",
        "enable_thinking": config.generation.thinking,
        "output_dir": str(run.checkpoint.absolute()),
        "overwrite_cache": True,
    }
    settings = paths | composed.settings | {"seed": config.generation.seed}
    if not Path(config.model_name_or_path).expanduser().is_dir():
        settings["model_revision"] = config.model_revision
    if not launch.gpus and not launch.ray:
        settings["use_cpu"] = True
        settings.pop("deepspeed", None)
    settings |= given
    preferred = settings.pop("per_device_train_batch_size")
    ways = split(
        config.train.global_batch_size or composed.global_batch,
        launch.world,
        per_device=given.get("per_device_train_batch_size"),
        accumulation=given.get("gradient_accumulation_steps"),
        preferred=preferred,
    )
    settings |= {"per_device_train_batch_size": ways.per_device, "gradient_accumulation_steps": ways.accumulation}
    if isinstance(settings.get("deepspeed"), str):
        settings["deepspeed"] = _deepspeed(settings["deepspeed"], quantised=bool(settings.get("quantization_bit")))
    return {key: value for key, value in settings.items() if value is not None}


def _local(model: str) -> str:
    path = Path(model).expanduser()
    return str(path.absolute()) if path.is_dir() else model


def _deepspeed(name: str, *, quantised: bool) -> str:
    shipped, path = deepspeed_file(name), Path(name).expanduser()
    if "/" not in name and shipped.is_file():
        path = shipped
    try:
        stage = json.loads(path.read_bytes())["zero_optimization"]["stage"]
    except (OSError, ValueError, TypeError, KeyError):
        raise InputError(
            f"train.deepspeed: {name}: no DeepSpeed file with zero_optimization.stage",
            "name a JSON file, or zero2, zero3 or zero3_offload",
        ) from None
    if quantised and stage == 3:
        raise InputError(
            f"train.deepspeed: {name}: QLoRA does not work under ZeRO-3: quantised weights cannot be sharded",
            "leave deepspeed out or use zero2, or take train.method=lora",
        )
    return str(path.absolute())


_HEAD = """\
# Made by lidr: {method} training on {pairs:,} pairs, with the settings of Language Imbalance Driven Rewarding
# (arXiv 2410.08964){loss}.
#
#   {launch}llamafactory-cli train {path}
#
# {batch} pairs a step: per_device_train_batch_size x gradient_accumulation_steps x {world} process{es}{machine}.
# `lidr train` makes it anew for the machine that it runs on.
"""
_LOSS = ": DPO with beta 0.1 plus the chosen text's length-normalised NLL with weight 1 (pref_ftx)"


def render(settings: Mapping[str, Any], config: Config, launch: Launch, *, pairs: int, path: Path) -> str:
    """The file's text, with a head that says what it is and how to run it."""
    each = int(settings["per_device_train_batch_size"]) * int(settings["gradient_accumulation_steps"])
    forced = "deepspeed" in settings and launch.gpus < 2 and not launch.ray
    words = dict(launch.env)
    if forced:
        words["FORCE_TORCHRUN"] = "1"
    head = _HEAD.format(
        method=config.train.method,
        pairs=pairs,
        loss=_LOSS if settings["stage"] == "dpo" else "",
        launch="".join(f"{name}={value} " for name, value in words.items()),
        path=f"'{path.absolute()}'" if " " in str(path.absolute()) else path.absolute(),
        batch=each * launch.world,
        world=launch.world,
        es="" if launch.world == 1 else "es",
        machine="" if launch.gpus else "; no GPU was found, so use_cpu is on",
    )
    return head + files.yaml_of(settings)


class Recipe(NamedTuple):
    """The content of `train.yaml` and the processes that it was worked out for."""

    settings: Settings
    launch: Launch


def recipe_for(config: Config, run: RunDirectory, stage: Stage) -> Recipe:
    """The recipe for this machine; where its GPUs do not divide the batch, for one process: it may not be the one that trains.

    Raises:
        InputError: there is no such recipe, whatever the machine.
    """
    launch = launch_of(config)
    try:
        return Recipe(train_settings(config, run, launch, dataset=config.dataset_name, stage=stage), launch)
    except InputError:
        launch = replace(launch, env={}, gpus=min(launch.gpus, 1), nodes=1, rank=0, per_node=1)
        return Recipe(train_settings(config, run, launch, dataset=config.dataset_name, stage=stage), launch)


def write_recipe(config: Config, run: RunDirectory, stage: Stage, *, rows: int) -> None:
    """Writes `train.yaml` for a dataset of so many rows."""
    settings, launch = recipe_for(config, run, stage)
    files.write_text(run.train_yaml, render(settings, config, launch, pairs=rows, path=run.train_yaml))
