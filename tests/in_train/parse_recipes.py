"""What the installed LLaMA-Factory knows, keys and templates, and how its own parser reads recipes, the model replaced."""

import dataclasses
import json
import os
import sys
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

# As under torchrun, without which LLaMA-Factory refuses DeepSpeed.
os.environ |= {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29611"}
os.environ["DS_ACCELERATOR"] = "cpu"

import yaml
from llamafactory.data.template import TEMPLATES
from llamafactory.hparams import get_train_args
from llamafactory.hparams.parser import _TRAIN_ARGS
from llamafactory.hparams.training_args import RayArguments


def kind_of(hint: Any) -> str:
    """`bool`, `int`, `float` or the words that a field takes, null aside; empty if it takes several kinds, or others."""
    choices = [part for part in get_args(hint) if part is not NoneType]
    if get_origin(hint) is Literal:
        return "|".join(choices) if all(isinstance(part, str) for part in choices) else ""
    if choices:
        return kind_of(choices[0]) if len(choices) == 1 else ""
    if isinstance(hint, type) and issubclass(hint, Enum):
        return "|".join(str(part.value) for part in hint)
    return hint.__name__ if hint in (bool, int, float) else ""


def main(model: str, *recipes: str) -> None:
    hints = {kind: get_type_hints(kind) for kind in (*_TRAIN_ARGS, RayArguments)}
    fields = [(field.name, kind) for kind in hints for field in dataclasses.fields(kind) if field.init]
    keys = {name: kind_of(hints[kind][name]) for name, kind in fields}
    templates = sorted(TEMPLATES)
    found = {}
    for recipe in recipes:
        settings = yaml.safe_load(Path(recipe).read_text())
        settings |= {"model_name_or_path": model, "use_cpu": True, "ddp_backend": "gloo"}
        _, data, training, finetuning, _ = get_train_args(settings)
        found[recipe] = {
            "stage": finetuning.stage,
            "type": finetuning.finetuning_type,
            "beta": finetuning.pref_beta,
            "ftx": finetuning.pref_ftx,
            "lr": training.learning_rate,
            "accumulation": training.gradient_accumulation_steps * training.per_device_train_batch_size,
            "zero": training.hf_deepspeed_config.config["zero_optimization"]["stage"] if training.deepspeed else 0,
            "template": data.template,
        }
    print("FOUND " + json.dumps({"keys": keys, "templates": templates, "recipes": found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
