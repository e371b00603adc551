"""Recipes: LLaMA-Factory's keys with the paper's settings, put together from `recipes/layers.yaml`."""

import difflib
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from lidr_plugin import files
from lidr_plugin.config.methods import Stage
from lidr_plugin.config.presets import PRESETS
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.kto import kto_name
from lidr_plugin.dataset.views import copies_of
from lidr_plugin.errors import InputError
from lidr_plugin.machine.environments import llamafactory_names
from lidr_plugin.machine.inputs import read_json
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training.datasets import joined, names_in
from lidr_plugin.training.processes import Launch, launch_of, split
from lidr_plugin.training.shipped import SHIPPED, word

Settings: TypeAlias = dict[str, Any]
"""The content of a `train.yaml`, under LLaMA-Factory's names."""


class Composed(NamedTuple):
    """The settings that stage, method and task decide, and the rows of one step."""

    settings: Settings
    global_batch: int


@cache
def layers() -> Mapping[str, Any]:
    """The content of `recipes/layers.yaml`."""
    from ruamel.yaml import YAML

    loaded: Mapping[str, Any] = YAML(typ="safe", pure=True).load(SHIPPED / "layers.yaml")
    return loaded


def propose_template(model: str) -> str | None:
    """LLaMA-Factory's template for a model, by its name; None if the name tells nothing."""
    name = model.rstrip("/").rsplit("/", maxsplit=1)[-1].lower()
    return next((template for part, template in layers()["templates"].items() if part in name), None)


def compose(stage: Stage, how: str, task: str, method: str = "imbalance") -> Composed:
    """The layers over each other: base, task, how (`full`, `lora`, `qlora`), for SFT rows the baseline's, then the method's."""
    parts = layers()
    settings = {**parts["base"], **parts["tasks"][task], **parts["methods"][how]}
    if stage == "sft":
        settings = {key: value for key, value in {**settings, **parts["sft"]}.items() if not key.startswith("pref_")}
    settings |= parts["presets"][method]
    adapter = settings.pop("ADAPTER", {})
    settings |= adapter if how != "full" else {}
    settings["learning_rate"] = settings.pop("LEARNING_RATE")[how]
    return Composed(settings, settings.pop("GLOBAL_BATCH"))


def train_settings(config: Config, run: RunDirectory, launch: Launch, *, stage: Stage) -> Settings:
    """The content of `train.yaml`, with absolute paths, so that it works from any folder. Keys under `train:` win.

    Raises:
        InputError: the global batch cannot be split over the processes of the launch, a file is not there, or KTO is to be
            trained on what are no pairs.
    """
    composed = compose(stage, config.train.method, config.task, _layer(config, stage))
    given = config.train.llamafactory
    folder = Path(os.path.expanduser(config.model_name_or_path))
    settings: Settings = {
        "model_name_or_path": str(folder.absolute()) if os.path.isdir(folder) else config.model_name_or_path,
        "trust_remote_code": config.trust_remote_code,
        "dataset_dir": str(run.data.absolute()),
        "dataset": config.alpaca_name,
        "template": config.template or propose_template(config.model_name_or_path) or "default",
        "enable_thinking": config.generation.thinking,
        "output_dir": str(run.checkpoint.absolute()),
        "overwrite_cache": True,
        **composed.settings,
        "seed": config.generation.seed,
    }
    if not os.path.isdir(folder):
        settings["model_revision"] = config.model_revision
    if not launch.gpus and not launch.ray:
        settings["use_cpu"] = True
        settings.pop("deepspeed", None)
    settings |= given
    if settings["stage"] == "kto":
        settings |= _for_kto(config, stage)
    if (copies := copies_of(run, config.alpaca_name)) != 1:
        # So that there are as many steps as with one row for each pair.
        settings["num_train_epochs"] = round(settings["num_train_epochs"] / copies, 4)
    settings["dataset"] = joined(settings["dataset"])
    batch = split(
        config.train.global_batch_size or composed.global_batch,
        launch.world,
        per_device=given.get("per_device_train_batch_size"),
        accumulation=given.get("gradient_accumulation_steps"),
        preferred=composed.settings["per_device_train_batch_size"],
    )
    settings |= {"per_device_train_batch_size": batch.per_device, "gradient_accumulation_steps": batch.accumulation}
    if isinstance(settings.get("deepspeed"), str):
        settings["deepspeed"] = _deepspeed(settings["deepspeed"], quantised=bool(settings.get("quantization_bit")))
    return {key: value for key, value in settings.items() if value is not None}


def _for_kto(config: Config, stage: Stage) -> Settings:
    """What changes where single texts are trained on: no loss of pairs, and nothing that changes their order."""
    if stage != "dpo":
        raise InputError("train.stage: kto needs pairs", f"method: {config.method} makes none; leave train.stage out")
    gone = (
        "pref_loss",
        "val_size",
        "eval_strategy",
        "eval_steps",
        "load_best_model_at_end",
        "preprocessing_num_workers",
    )
    kept = {"dataset": kto_name(config.alpaca_name)}
    return {**{key: None for key in gone if key not in config.train.llamafactory}, **kept}


def _deepspeed(name: str, *, quantised: bool) -> str:
    """The absolute path of a DeepSpeed file, which may be a shipped one, by its name without the ending."""
    shipped_file, path = SHIPPED / "deepspeed" / f"{name}.json", Path(os.path.expanduser(name))
    if "/" not in name and os.path.isfile(shipped_file):
        path = shipped_file
    try:
        stage = read_json(path)["zero_optimization"]["stage"]
    except (InputError, TypeError, KeyError, IndexError):
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


def render(settings: Settings, config: Config, launch: Launch, *, rows: int, path: Path) -> str:
    """The text of `train.yaml`, with a head that says what it is and how to run it."""
    kind = "pairs" if settings["stage"] == "dpo" else "rows"
    variables = "".join(f"{word(name)}={word(value)} " for name, value in launch.environment(settings).items())
    place, count = word(str(path.absolute())), len(names_in(settings)) - 1
    others = f" and those of {count} more dataset{'s' * (count > 1)}" if count else ""
    target = config.train.stop_at_shift
    watched = (
        f"# `lidr train` ends it early, at train.stop_at_shift: {target:g}; llamafactory-cli alone does not.\n"
        if target
        else ""
    )
    head = f"""\
# Made by lidr: {config.train.method} training on {rows:,} {kind}{others}, with the settings of
# {_source(config)}{_loss(settings)}.
#
#   {variables}llamafactory-cli train {place}
#
# {launch.rows_a_step(settings)} {kind} a step: per_device_train_batch_size x gradient_accumulation_steps x processes \
({launch.world}{"" if launch.gpus else "; no GPU was found, so use_cpu is on"}).
{watched}# `lidr train` makes it anew for the machine that it runs on.
"""
    return head + files.yaml_of(settings)


def _layer(config: Config, stage: Stage) -> str:
    """The preset whose layer holds for the rows; a method of one's own may make others than the configuration's."""
    return config.method if stage == config.stage else "imbalance"


def _source(config: Config) -> str:
    paper = PRESETS[config.method].paper
    return paper if layers()["presets"][config.method] else PRESETS["imbalance"].paper


def _loss(settings: Settings) -> str:
    """The loss of a training on pairs, in words."""
    if settings["stage"] != "dpo":
        return ""
    beta = f"beta {settings['pref_beta']:g}"
    if settings["pref_loss"] == "simpo":
        return f"; SimPO with {beta} and gamma {settings['simpo_gamma']:g}: no reference model"
    weight = settings["pref_ftx"]
    nll = f" plus the chosen text's length-normalised NLL with weight {weight:g} (pref_ftx)" if weight else ""
    return f"; {'DPO' if settings['pref_loss'] == 'sigmoid' else settings['pref_loss']} with {beta}{nll}"


def _check_template_name(config: Config) -> None:
    """A name that is nearly one of LLaMA-Factory's is a slip; any other may be of a newer version, or one's own."""
    name, names = config.template or "", llamafactory_names("templates")
    if not name or name in names or config.train.allow_template_mismatch:
        return
    if near := difflib.get_close_matches(name.lower(), names, 1, 0.8):
        hint = f"template: {propose_template(config.model_name_or_path) or near[0]}"
        raise InputError(
            f"template: {name}: LLaMA-Factory has none of this name", f"{hint}\nlidr doctor compares the tokens"
        )


def recipe_for(config: Config, run: RunDirectory, stage: Stage, *, rows: int = 0) -> str:
    """The text of `train.yaml` for this machine, or for one process if its GPUs do not divide the batch: another may train.

    Raises:
        InputError: there is no such recipe, whatever the machine.
    """
    _check_template_name(config)
    launch = launch_of(config)
    try:
        settings = train_settings(config, run, launch, stage=stage)
    except InputError:
        launch = Launch(gpus=min(launch.gpus, 1), per_node=1)
        settings = train_settings(config, run, launch, stage=stage)
    return render(settings, config, launch, rows=rows, path=run.train_yaml)
