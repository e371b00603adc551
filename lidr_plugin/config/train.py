"""The section `train`."""

import difflib
import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lidr_plugin.config.section import HOW, Number, PathText
from lidr_plugin.machine.environments import llamafactory_kinds, llamafactory_names

_NOT_HERE = {
    "model_name_or_path": "set it at the top of the file: the model that answers is the model that is trained",
    "template": "set it at the top of the file",
    "output_dir": "set output_dir at the top of the file; training writes to its checkpoint/",
    "adapter_name_or_path": "a round starts from merged weights: with an adapter here LLaMA-Factory would take the "
    "adapter-free base as the reference; set model_name_or_path to the merged model",
    "create_new_adapter": "a round starts from merged weights; there is no adapter to add one to",
}
"""LLaMA-Factory's keys that are set elsewhere, or not at all."""
_WHOLE = {
    "per_device_train_batch_size": 10_000_000,
    "gradient_accumulation_steps": 10_000_000,
    "cutoff_len": 100_000_000,
    "lora_rank": 1_000_000,
    "save_total_limit": 1_000_000,
    "ray_num_workers": 99_999,
}
"""Whole numbers of LLaMA-Factory that lidr reckons with, and the most that they may be."""
_TEXTS = ("stage", "finetuning_type", "dataset", "dataset_dir")
_NEVER_NULL = (*_TEXTS, "cutoff_len", "num_train_epochs")


def _misfit(key: str, value: Any) -> str:
    """Why lidr cannot reckon with a value of LLaMA-Factory's; empty if it can."""
    found = f", found {repr(value)[:40]}"
    if value is None:
        return "a recipe needs it; leave it out for its default" if key in _NEVER_NULL else ""
    if key == "dataset" and isinstance(value, list) and value:
        return "" if all(isinstance(name, str) and name for name in value) else f"expected names of datasets{found}"
    if key in _TEXTS:
        return "" if isinstance(value, str) and value else f"expected text{found}"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if key == "num_train_epochs":
        return "" if number and 0 < value <= 1e6 else f"expected a number up to a million{found}"
    if key in _WHOLE:
        whole = number and isinstance(value, int) and 1 <= value <= _WHOLE[key]
        return "" if whole else f"expected a whole number from 1 to {_WHOLE[key]:,}{found}"
    wanted = _unlike(llamafactory_kinds().get(key, ""), value)
    return f"expected {wanted}{found}" if wanted else ""


def _unlike(kind: str, value: Any) -> str:
    """What LLaMA-Factory wants where a value is of another kind; empty if it is right. LLaMA-Factory itself does not look."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match kind:
        case "bool":
            return "" if isinstance(value, bool) else "true or false"
        case "int":
            return "" if number and isinstance(value, int) else "a whole number"
        case "float":
            return "" if number and (isinstance(value, int) or math.isfinite(value)) else "a number"
    return f"one of {kind.replace('|', ', ')}" if kind and value not in kind.split("|") else ""


_IN_ORDER = "not with stage: kto, whose rows stand in an order in which no two neighbours have one prompt"


class Train(BaseModel):
    """How the dataset is trained on. Any other key is passed to LLaMA-Factory unchanged."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    method: Literal["full", "lora", "qlora"] = "lora"
    """How it is trained: `full`, `lora` or `qlora`. (`sft_baseline` is short for `method: alignment` with `full`.)"""
    global_batch_size: int | None = Field(default=None, ge=1, le=10_000_000)
    """Rows per step, over all GPUs. Null: the paper's 16 (instruction), 64 (math) or 128 (SFT rows)."""
    stop_at_shift: Number | None = Field(default=None, gt=0, le=1000)
    """Ends the training as soon as the model's log-probabilities have moved by so much, in root mean square, on rows of
    `eval_dataset` or else of the dataset: what `lidr train` tells at its end. In a small model 0.25 to 0.4 helped and 0.8 did harm.
    Null: all steps are done."""
    drop_over_cutoff: bool = False
    """Leaves out rows longer than `cutoff_len` tokens, which LLaMA-Factory would cut off; they are listed beside the dataset."""
    allow_template_mismatch: bool = False
    """Builds and trains even if LLaMA-Factory's template and the model's chat template, or the engine and the train environment,
    give different tokens."""
    merge_dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """Type of the weights in `model/`. bfloat16 rounds small updates away; `lidr train` says how much."""
    python: PathText | None = Field(default=None, json_schema_extra=HOW)
    """Python interpreter that has LLaMA-Factory. Null: that of `lidr env create train`."""
    env: dict[str, str | int] = Field(default={}, json_schema_extra=HOW)
    """Environment variables of `llamafactory-cli`, such as `{NNODES: 2, NODE_RANK: 0, MASTER_ADDR: 10.0.0.1}`."""

    @property
    def llamafactory(self) -> dict[str, Any]:
        """The keys that are not lidr's; null removes a key of the recipe."""
        return dict(self.model_extra or {})

    def _reordering(self) -> list[str]:
        """The keys that are set and would bring the rows of a training into another order, or leave some out."""
        keys = ("dataset", "val_size", "streaming", "max_samples", "preprocessing_batch_size")
        found = [key for key in keys if self.llamafactory.get(key)]
        if (self.llamafactory.get("preprocessing_num_workers") or 1) != 1:
            found.append("preprocessing_num_workers")
        return [*found, *(["drop_over_cutoff"] if self.drop_over_cutoff else [])]

    @model_validator(mode="after")
    def _known(self) -> "Train":
        known, owned = llamafactory_names("keys"), set(type(self).model_fields)
        problems = [f"{key}: {why}" for key, why in _NOT_HERE.items() if key in self.llamafactory]
        for key in self.llamafactory:
            if key not in known:
                near = difflib.get_close_matches(key, [*known, *owned], 1, 0.6)
                nearest = f"; did you mean {near[0]}?" if near else ""
                problems.append(f"{key}: neither lidr nor LLaMA-Factory knows this key{nearest}")
        problems += [f"{key}: {why}" for key, value in self.llamafactory.items() if (why := _misfit(key, value))]
        odd = next((name for name in self.env if not name or "=" in name), None)
        if odd is not None:
            problems.append(f"env: {odd!r} is no name of an environment variable")
        if self.llamafactory.get("quantization_bit") and self.method == "full":
            problems.append("quantization_bit: full training needs unquantised weights; set method: qlora")
        if self.llamafactory.get("stage") == "kto":
            problems += [f"{key}: {_IN_ORDER}" for key in self._reordering()]
        if problems:
            raise ValueError("\n".join(problems))
        return self
