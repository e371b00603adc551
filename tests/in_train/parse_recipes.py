"""What the installed LLaMA-Factory knows, keys and templates, and how its own parser reads recipes, the model replaced."""

import dataclasses
import json
import os
import sys
from pathlib import Path

# As under torchrun, without which LLaMA-Factory refuses DeepSpeed.
os.environ |= {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29611"}
os.environ["DS_ACCELERATOR"] = "cpu"

import yaml
from llamafactory.data.template import TEMPLATES
from llamafactory.hparams import get_train_args
from llamafactory.hparams.parser import _TRAIN_ARGS
from llamafactory.hparams.training_args import RayArguments


def main(model: str, *recipes: str) -> None:
    keys = {field.name for kind in (*_TRAIN_ARGS, RayArguments) for field in dataclasses.fields(kind) if field.init}
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
    print("FOUND " + json.dumps({"keys": sorted(keys), "templates": templates, "recipes": found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
