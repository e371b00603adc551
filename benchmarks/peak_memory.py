"""`lidr plan` against the peak memory of one real training step: prints estimate, measurement and their ratio.

    PYTHONPATH=. <train python> benchmarks/peak_memory.py TRAIN_YAML [KEY=VALUE …]

The estimate is for the length that the step's batch had. On a GPU the measurement is `torch.cuda.max_memory_allocated` over
the second step (the first has no optimizer state). On a CPU, where torch keeps no peak: the tensors that are alive when that
step begins, plus the most that torch's memory profiler saw allocated above them.
"""

import gc
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import yaml
from llamafactory.train.tuner import run_exp
from torch.profiler import ProfilerActivity, profile
from transformers import AutoConfig, TrainerCallback

from lidr_plugin.training.memory import estimate, shape_of


def alive() -> int:
    """Bytes of all storages that tensors have."""
    tensors = [item for item in gc.get_objects() if isinstance(item, torch.Tensor)]
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values())


class Peak(TrainerCallback):
    """Measures the second step, and the longest rows that it saw; seconds of the last step, which nobody measures."""

    length = 0
    peak = 0
    seconds = 0.0

    def on_train_begin(self, args, state, control, model=None, **kwargs):
        def look(module, positional, named):
            if state.global_step == 1:
                self.length = max(self.length, named["input_ids"].shape[1])

        model.register_forward_pre_hook(look, with_kwargs=True)

    def on_step_begin(self, args, state, control, **kwargs):
        self.begun = time.perf_counter()
        if state.global_step != 1:
            return
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        else:
            gc.collect()
            self.before = alive()
            self.profile = profile(activities=[ProfilerActivity.CPU], profile_memory=True)
            self.profile.__enter__()

    def on_step_end(self, args, state, control, **kwargs):
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.seconds = time.perf_counter() - self.begun
        if state.global_step != 2:
            return
        if torch.cuda.is_available():
            self.peak = torch.cuda.max_memory_allocated()
            return
        self.profile.__exit__(None, None, None)
        with tempfile.TemporaryDirectory() as folder:
            self.profile.export_chrome_trace(f"{folder}/trace.json")
            events = json.loads(Path(f"{folder}/trace.json").read_text())["traceEvents"]
        seen = [e["args"] for e in events if e.get("name") == "[memory]" and e["args"].get("Device Type") == 0]
        self.peak = self.before + max(item["Total Allocated"] for item in seen)


def measure(settings: dict[str, Any], steps: int = 2) -> Peak:
    """What a training with these settings of LLaMA-Factory takes."""
    with tempfile.TemporaryDirectory() as folder:
        measured = Peak()
        beside = {"output_dir": folder, "max_steps": steps, "plot_loss": False, "save_strategy": "no"}
        run_exp(settings | beside, [measured])
    return measured


def expected(settings: dict[str, Any], length: int) -> int:
    """What `lidr plan` says of rows of this length, in bytes."""
    model = settings["model_name_or_path"]
    config = AutoConfig.from_pretrained(model)
    shape = shape_of(config.to_dict(), model)
    return estimate(shape, settings | {"cutoff_len": length}, world=1, weight_bytes=config.dtype.itemsize).total


def main(recipe: str, *overrides: str) -> None:
    settings = yaml.safe_load(Path(recipe).read_text())
    for item in overrides:
        key, _, value = item.partition("=")
        settings[key] = yaml.safe_load(value)
    measured = measure(settings)
    plan = expected(settings, measured.length)
    print(
        f"{settings['finetuning_type']}{' 4 bit' if settings.get('quantization_bit') else ''}, rows of {measured.length}: "
        f"estimated {plan / 1e6:,.1f} MB, measured {measured.peak / 1e6:,.1f} MB, ratio {plan / measured.peak:.3f}"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
