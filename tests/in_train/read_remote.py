"""Reads a dataset from a Hub with LLaMA-Factory's own code, as `dataset_dir: REMOTE:user/repo` has it."""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "0"  # which tests set otherwise; read at the import

from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
from llamafactory.data.loader import _get_merged_dataset
from llamafactory.hparams import get_train_args
from llamafactory.model import load_tokenizer


def main(model: str, repository: str, name: str, stage: str, folder: str) -> None:
    given = {
        "model_name_or_path": model,
        "template": "qwen",
        "stage": stage,
        "do_train": True,
        "finetuning_type": "lora",
        "dataset_dir": f"REMOTE:{repository}",
        "dataset": name,
        "output_dir": folder,
        "cutoff_len": 512,
        "bf16": False,
        "report_to": "none",
    }
    model_args, data_args, training_args, *_ = get_train_args(given)
    kind = "rm" if stage == "dpo" else "sft"
    aligned = _get_merged_dataset(data_args.dataset, model_args, data_args, training_args, stage=kind)
    tokenizer = load_tokenizer(model_args)
    template = get_template_and_fix_tokenizer(tokenizer["tokenizer"], data_args)
    encoded = get_dataset(template, model_args, data_args, training_args, stage=kind, **tokenizer)["train_dataset"]
    print("FOUND " + json.dumps({"rows": list(aligned), "encoded": len(encoded), "keys": sorted(encoded[0])}))


if __name__ == "__main__":
    main(*sys.argv[1:])
