"""Reads a recipe of the stage `kto` and its dataset with LLaMA-Factory's own code; prints each row as it is trained on."""

import json
import sys

import yaml
from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
from llamafactory.hparams import get_train_args
from llamafactory.model import load_tokenizer


def main(recipe: str, model: str) -> None:
    with open(recipe) as file:
        settings = yaml.safe_load(file)
    settings |= {"model_name_or_path": model, "bf16": False, "use_cpu": True}
    model_args, data_args, training_args, finetuning_args, _ = get_train_args(settings)
    loaded = load_tokenizer(model_args)
    tokenizer = loaded["tokenizer"]
    template = get_template_and_fix_tokenizer(tokenizer, data_args)
    read = get_dataset(template, model_args, data_args, training_args, stage=finetuning_args.stage, **loaded)

    def said(labels: list[int]) -> str:
        return str(tokenizer.decode([token for token in labels if token >= 0], skip_special_tokens=True))

    rows = [
        {
            "whole": tokenizer.decode(row["input_ids"], skip_special_tokens=True),
            "text": said(row["labels"]),
            "other": said(row["kl_labels"]),
            "good": bool(row["kto_tags"]),
        }
        for row in read["train_dataset"]
    ]
    print("FOUND " + json.dumps(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
