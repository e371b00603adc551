"""One way of training a model through LLaMA-Factory: peak memory beside that of `lidr plan`, and seconds a step.

python -m benchmarks.gpu.training FOLDER/MODEL lora|qlora|full LENGTH
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from benchmarks.peak_memory import expected, measure

STEPS = 5
WAYS: dict[str, dict[str, Any]] = {
    "lora": {"finetuning_type": "lora", "lora_target": "all"},
    "qlora": {"finetuning_type": "lora", "lora_target": "all", "quantization_bit": 4, "double_quantization": True},
    "full": {"finetuning_type": "full"},
}


def settings_of(model: str, way: str, length: int, data: Path) -> dict[str, Any]:
    """As lidr's recipes have them (DPO and the NLL of the chosen text), with a pair on each GPU."""
    rows = [
        {"instruction": f"{number} " * 8, "input": "", "chosen": "a" * length, "rejected": "b" * length}
        for number in range(2 * STEPS)
    ]
    (data / "rows.json").write_text(json.dumps(rows))
    columns = {"prompt": "instruction", "query": "input", "chosen": "chosen", "rejected": "rejected"}
    (data / "dataset_info.json").write_text(
        json.dumps({"rows": {"file_name": "rows.json", "ranking": True, "columns": columns}})
    )
    return {
        **WAYS[way],
        "model_name_or_path": model,
        "stage": "dpo",
        "do_train": True,
        "pref_loss": "sigmoid",
        "pref_beta": 0.1,
        "pref_ftx": 1.0,
        "dataset_dir": str(data),
        "dataset": "rows",
        "template": "qwen3_nothink",
        "cutoff_len": length,
        "preprocessing_num_workers": 1,
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": 1,
        "learning_rate": 1.0e-6,
        "bf16": torch.cuda.is_available(),
        "report_to": "none",
        "logging_steps": STEPS,
        "disable_tqdm": True,
    }


def main(model: str, way: str, length: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_of(model, way, int(length), Path(folder))
        found = measure(settings, STEPS)
    plan = expected(settings, found.length)
    told = {"tokens_a_row": found.length, "peak_mb": found.peak / 1e6, "plan_mb": plan / 1e6, "seconds": found.seconds}
    print("FOUND", json.dumps({**told, "plan_to_peak": plan / found.peak}))


if __name__ == "__main__":
    main(*sys.argv[1:])
