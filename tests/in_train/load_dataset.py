"""Reads recipes with LLaMA-Factory's own parser and their datasets with its own loader; prints the aligned rows as JSON."""

import json
import sys
from typing import Any

import yaml
from llamafactory.data.loader import _load_single_dataset
from llamafactory.data.parser import get_dataset_list
from llamafactory.hparams import get_train_args


def read(recipe: str, model: str) -> dict[str, Any]:
    """The rows of a recipe's dataset, and what the recipe makes of the training."""
    with open(recipe) as file:
        settings = yaml.safe_load(file)
    settings |= {"model_name_or_path": model, "bf16": False, "use_cpu": True, "preprocessing_num_workers": 1}
    model_args, data_args, training_args, finetuning_args, _ = get_train_args(settings)
    rows = [
        row
        for attributes in get_dataset_list(data_args.dataset, data_args.dataset_dir)
        for row in _load_single_dataset(attributes, model_args, data_args, training_args)
    ]
    return {
        "rows": [{key: row[key] for key in ("_prompt", "_response", "_system")} for row in rows],
        "pref": [finetuning_args.pref_loss, finetuning_args.pref_beta, finetuning_args.pref_ftx],
        "batch": training_args.gradient_accumulation_steps * training_args.per_device_train_batch_size,
    }


def main(model: str, *recipes: str) -> None:
    print("FOUND " + json.dumps([read(recipe, model) for recipe in recipes]))


if __name__ == "__main__":
    main(*sys.argv[1:])
