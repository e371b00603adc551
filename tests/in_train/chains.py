"""Trains recipes one after another in one process, as LLaMA-Factory does, and merges each with lidr's own script.

A recipe may start from the model that the one before it left. For pairs, `log 2` and the NLL term are told apart: `alone` is
the first loss without the NLL of the chosen texts, and `nll` is that NLL, worked out with transformers alone: the mean over
rows of -log pi(chosen | prompt) / |chosen|, with the tokens of the tokenizer's chat template.
"""

import contextlib
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
import yaml
from llamafactory.train.tuner import run_exp
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from lidr_plugin.training.inside import merge


def trained(settings: dict[str, Any], output: Path, **changes: Any) -> list[float]:
    """The losses of a training."""
    run_exp({**settings, "output_dir": str(output), **changes})
    lines = map(json.loads, (output / "trainer_log.jsonl").read_text().splitlines())
    return [line["loss"] for line in lines if "loss" in line]


def nll(settings: dict[str, Any], rows: list[dict[str, str]]) -> float:
    """Of the chosen texts, by the model that a training starts from."""
    four = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
    )
    quantised = {"quantization_config": four} if "quantization_bit" in settings else {}
    folder = settings["model_name_or_path"]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **quantised)
    model.train()  # as in training: in evaluation bitsandbytes packs its weights for the CPU; there is no dropout here
    values = []
    for row in rows:
        prompt = "\n".join(part for part in (row["instruction"], row["input"]) if part)
        begun = f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
        head = tokenizer.encode(begun, add_special_tokens=False)
        answer = tokenizer.encode(row["chosen"] + "<|im_end|>\n", add_special_tokens=False)
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([head + answer])).logits[0].float()
        logps = logits[len(head) - 1 : -1].log_softmax(-1).gather(1, torch.tensor(answer)[:, None])
        values.append(-logps.mean().item())
    return sum(values) / len(values)


def merged(settings: dict[str, Any], rows: list[dict[str, str]], model: Path) -> dict[str, Any]:
    """Runs lidr's script and puts the model where the next round looks for it; what the script found."""
    texts = [f"{row['instruction']}\n{row.get('chosen') or row['output']}" for row in rows[:4]]
    target = model.with_name(".model.unproved")
    job = {"settings": settings, "target": str(target), "dtype": "float32", "probes": texts, "probe_tokens": 64}
    sys.stdin, output = io.StringIO(json.dumps(job)), io.StringIO()
    with contextlib.redirect_stdout(output):
        merge.main()
    os.replace(target, model)
    found: dict[str, Any] = json.loads(output.getvalue().rpartition("LIDR ")[2])
    return found


def main(*recipes: str) -> None:
    found = []
    for recipe in map(Path, recipes):
        settings = yaml.safe_load(recipe.read_text())
        dataset = Path(settings["dataset_dir"]) / f"{settings['dataset']}.jsonl"
        rows = [json.loads(line) for line in dataset.read_text().splitlines()]
        pairs: dict[str, Any] = {}
        if settings["stage"] == "dpo":
            (alone,) = trained(settings, recipe.parent / "alone", pref_ftx=0.0, max_steps=1)
            pairs = {"alone": alone, "nll": nll(settings, rows)}
        losses = trained(settings, Path(settings["output_dir"]))
        proof = merged(settings, rows, recipe.parent / "model")
        batch = settings["per_device_train_batch_size"] * settings["gradient_accumulation_steps"]
        found.append({**pairs, "losses": losses, "proof": proof, "rows": len(rows), "rows_a_step": batch})
    print("FOUND " + json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
