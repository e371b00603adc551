"""Reads a recipe with LLaMA-Factory's own parser and its dataset with its own loader; prints the aligned rows as JSON."""

import json
import sys

import yaml
from llamafactory.data.loader import _load_single_dataset
from llamafactory.data.parser import get_dataset_list
from llamafactory.hparams import get_train_args


def main(recipe: str, model: str) -> None:
    with open(recipe) as file:
        settings = yaml.safe_load(file)
    settings |= {"model_name_or_path": model, "bf16": False, "use_cpu": True, "preprocessing_num_workers": 1}
    model_args, data_args, training_args, finetuning_args, _ = get_train_args(settings)
    (attributes,) = get_dataset_list(data_args.dataset, data_args.dataset_dir)
    rows = _load_single_dataset(attributes, model_args, data_args, training_args)
    found = {
        "rows": [{key: row[key] for key in ("_prompt", "_response", "_system")} for row in rows],
        "pref": [finetuning_args.pref_loss, finetuning_args.pref_beta, finetuning_args.pref_ftx],
        "batch": training_args.gradient_accumulation_steps * training_args.per_device_train_batch_size,
    }
    print("FOUND " + json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
