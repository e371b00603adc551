"""Renders `train.yaml`: LLaMA-Factory's keys with the paper's DPO+NLL settings."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lidr_plugin.config import Config
from lidr_plugin.rundir import RunDir

_TEMPLATES = (
    ("qwen3", "qwen3_nothink"),
    ("qwen2", "qwen"),
    ("qwen1.5", "qwen"),
    ("llama-3", "llama3"),
    ("gemma-3", "gemma3"),
    ("gemma-2", "gemma2"),
    ("gemma", "gemma"),
    ("mistral", "mistral"),
    ("phi-4", "phi4"),
)
"""Part of a model's name to LLaMA-Factory's template; the first match counts."""


def propose_template(model: str) -> str | None:
    """LLaMA-Factory's template for a model family, by its name; None if the name tells nothing."""
    name = model.rstrip("/").rsplit("/", maxsplit=1)[-1].lower()
    return next((template for part, template in _TEMPLATES if part in name), None)


def _paper(config: Config) -> dict[str, Any]:
    """Learning rate, global batch and epochs of the paper's section 4.1, by task and method."""
    if config.train.method == "sft_baseline":
        return {"learning_rate": 1.0e-5, "batch": 128, "num_train_epochs": 3.0}
    # An adapter needs about ten times the rate of full training; full training has the paper's own.
    full = config.train.method == "full"
    if config.task == "math":
        return {"learning_rate": 5.0e-6 if full else 5.0e-5, "batch": 64, "num_train_epochs": 1.0}
    return {"learning_rate": 5.0e-7 if full else 5.0e-6, "batch": 16, "num_train_epochs": 1.0}


def train_settings(config: Config, run: RunDir) -> dict[str, Any]:
    """The keys of `train.yaml`, with absolute paths, so that it works from any folder. `train:` keys come last and win."""
    paper = _paper(config)
    model = Path(config.model_name_or_path).expanduser()
    settings: dict[str, Any] = {
        "model_name_or_path": str(model.absolute()) if model.is_dir() else config.model_name_or_path,
        "trust_remote_code": config.trust_remote_code,
        "stage": "dpo",
        "do_train": True,
        "finetuning_type": "full" if config.train.method == "full" else "lora",
        "pref_beta": 0.1,
        "pref_loss": "sigmoid",
        "pref_ftx": 1.0,
        "dataset_dir": str(run.data.absolute()),
        "dataset": config.dataset_name,
        "template": config.template or propose_template(config.model_name_or_path) or "default",
        "enable_thinking": config.generation.thinking,
        "cutoff_len": 4096,
        "overwrite_cache": True,
        "preprocessing_num_workers": 4,
        "output_dir": str(run.checkpoint.absolute()),
        "logging_steps": 1,
        "save_steps": 50,
        "save_total_limit": 2,
        "plot_loss": True,
        "report_to": "none",
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": paper["batch"],
        "learning_rate": paper["learning_rate"],
        "num_train_epochs": paper["num_train_epochs"],
        "lr_scheduler_type": "cosine",
        "warmup_ratio": 0.03,
        "bf16": True,
        "seed": config.generation.seed,
    }
    if config.train.method in ("lora", "qlora"):
        settings |= {"lora_rank": 16, "lora_alpha": 32, "lora_target": "all"}
    if config.train.method == "qlora":
        settings |= {"quantization_bit": 4, "quantization_method": "bnb", "double_quantization": True}
    if config.train.method == "sft_baseline":
        settings |= {"stage": "sft", "finetuning_type": "full"}
        for key in ("pref_beta", "pref_loss", "pref_ftx"):
            del settings[key]
    return settings | (config.train.model_extra or {})


_HEAD = """\
# Made by `lidr build-pairs`: {method} training on {pairs:,} pairs, with the settings of Language Imbalance Driven
# Rewarding (arXiv 2410.08964): DPO with beta 0.1 plus the chosen text's length-normalised NLL with weight 1 (pref_ftx).
#
#   llamafactory-cli train {path}
#
# The batch is gradient_accumulation_steps x per_device_train_batch_size x GPUs: on more GPUs, divide the accumulation.
"""


def render(settings: Mapping[str, Any], *, method: str, pairs: int, path: Path) -> str:
    """The file's text, with a head that says what it is and how to run it."""
    body = yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True, width=120)
    return _HEAD.format(method=method, pairs=pairs, path=path.absolute()) + body
