"""Makes `model/` from what training left, and proves that it is what was trained.

Reads a job as JSON from its standard input and prints a line `LIDR <json>`. Logits are computed with 16-bit weights and
32-bit arithmetic, so what differs between two models is their weights and not the order of the additions.
"""

import json
import math
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from transformers import AutoModelForCausalLM, AutoTokenizer

BESIDE_WEIGHTS = ("*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken", "*.py")


class Broken(Exception):
    """The result is not what was trained."""


def folder_of(job: dict[str, Any]) -> Path:
    """The base model's directory, from the Hub's cache if need be."""
    base = Path(job["base"])
    return base if base.is_dir() else Path(snapshot_download(job["base"], revision=job["revision"]))


def load(folder: Path, dtype: torch.dtype | str, job: dict[str, Any]) -> Any:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, trust_remote_code=job["trust_remote_code"])
    model.eval()
    for module in model.modules():
        if type(module) is torch.nn.Linear:
            module.forward = exact(module)
    model.get_input_embeddings().register_forward_hook(lambda _, __, output: output.float())
    return model


def exact(module: torch.nn.Linear) -> Any:
    """The layer's product in 32 bits, one layer's weights at a time."""

    def forward(x: torch.Tensor) -> torch.Tensor:
        bias = None if module.bias is None else module.bias.float()
        return torch.nn.functional.linear(x.float(), module.weight.float(), bias)

    return forward


def logits(model: Any, probes: list[list[int]]) -> torch.Tensor:
    """Log-probabilities after every token of the probes, (tokens, vocabulary)."""
    with torch.no_grad():
        rows = [model(input_ids=torch.tensor([ids])).logits[0].float().log_softmax(-1) for ids in probes]
    return torch.cat(rows)


def divergence(p: torch.Tensor, q: torch.Tensor) -> float:
    """Mean over tokens of KL(p || q), in nats; tiny negative sums of rounding are none."""
    return max(0.0, float((p.exp() * (p - q)).sum(-1).mean()))


def agreement(base: torch.Tensor, trained: torch.Tensor, saved: torch.Tensor) -> dict[str, float]:
    """How far training moved the model, and how far the saved model is from the trained one.

    `lost` is the second over the first, by the root of the mean squared difference of the log-probabilities.
    """
    shift, error = (trained - base).pow(2).mean().sqrt().item(), (saved - trained).pow(2).mean().sqrt().item()
    return {
        "shift": shift,
        "error": error,
        "lost": error / shift if shift else math.inf,
        "kl_base_to_trained": divergence(trained, base),
        "kl_saved_to_trained": divergence(trained, saved),
    }


def merge(model: Any) -> dict[str, Any]:
    """Merges a PeftModel's adapter into its base, layer by layer.

    Returns the target modules' count, those whose adapter is zero, those whose weights did not change, and the mean share
    of changed weights and of the update that rounding kept (the projection of the change on the update).
    """
    zero, unchanged, changed, kept = [], [], [], []
    layers = [(name, layer) for name, layer in model.named_modules() if isinstance(layer, LoraLayer)]
    for name, layer in layers:
        delta = layer.get_delta_weight("default").float()
        before = layer.base_layer.weight.detach().clone()
        layer.merge()
        moved = layer.base_layer.weight.detach().float() - before.float()
        if not delta.any():
            zero.append(name)
        if not moved.any():
            unchanged.append(name)
        changed.append((moved != 0).float().mean().item())
        kept.append(((moved * delta).sum() / delta.pow(2).sum().clamp_min(1e-30)).item())
    count = max(len(layers), 1)
    return {
        "modules": len(layers),
        "zero": zero,
        "unchanged": unchanged,
        "weights_changed": sum(changed) / count,
        "update_kept": sum(kept) / count,
    }


def differing(base: Any, trained: Any) -> dict[str, Any]:
    """For full training: tensors that training left as they were."""
    old = dict(base.named_parameters())
    new = dict(trained.named_parameters())
    same = [name for name, value in new.items() if name in old and torch.equal(value.float(), old[name].float())]
    return {"modules": len(new), "zero": [], "unchanged": same}


def copy_tokenizer(source: Path, target: Path) -> None:
    """The base's tokenizer, chat template and generation settings, as they are; weights and config stay the new ones."""
    for pattern in BESIDE_WEIGHTS:
        for file in source.glob(pattern):
            if file.name != "config.json" and not file.name.endswith(".index.json"):
                shutil.copyfile(file, target / file.name)


def same_tokenizer(source: Path, target: Path, job: dict[str, Any], probes: list[str]) -> bool:
    old, new = (AutoTokenizer.from_pretrained(x, trust_remote_code=job["trust_remote_code"]) for x in (source, target))
    alike = [old.encode(text) == new.encode(text) for text in probes]
    return old.chat_template == new.chat_template and len(old) == len(new) and all(alike)


def refuse(found: dict[str, Any], job: dict[str, Any]) -> None:
    """What must not become the next round's model.

    Raises:
        Broken: with the reason.
    """
    if not found["modules"]:
        raise Broken("the adapter has no LoRA modules")
    if len(found["zero"]) == found["modules"]:
        raise Broken("the adapter is zero: training changed nothing (too few steps, or a learning rate of 0)")
    if found["unchanged"] and (job["adapter"] or len(found["unchanged"]) == found["modules"]):
        names = ", ".join(found["unchanged"][:3])
        raise Broken(f"{len(found['unchanged'])} of {found['modules']} modules have the base's weights: {names}")
    if not found["lost"] < 2.0:
        raise Broken(
            f"the saved model is farther from the trained one ({found['error']:.2g}) than the base is "
            f"({found['shift']:.2g}): the update is lost, or the adapter belongs to another base"
        )


def main() -> None:
    job = json.load(sys.stdin)
    source, target, checkpoint = folder_of(job), Path(job["target"]), Path(job["checkpoint"])
    tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=job["trust_remote_code"])
    probes = [tokenizer.encode(text)[: job["probe_tokens"]] for text in job["probes"]]
    dtype = getattr(torch, job["dtype"])
    base = load(source, dtype, job)
    before = logits(base, probes)
    if job["adapter"]:
        model = PeftModel.from_pretrained(base, checkpoint)
        trained = logits(model, probes)
        found = merge(model)
        result = model.merge_and_unload()
    else:
        result = load(checkpoint, "auto", job)
        trained = logits(result, probes)
        found = differing(base, result)
        result = result.to(dtype)
    shutil.rmtree(target, ignore_errors=True)
    result.save_pretrained(target, max_shard_size="5GB")
    copy_tokenizer(source, target)
    del base, result
    found |= agreement(before, trained, logits(load(target, dtype, job), probes))
    found["broken"] = ""
    try:
        refuse(found, job)
        if not same_tokenizer(source, target, job, job["probes"]):
            raise Broken("the tokenizer or the chat template did not come along")
    except Broken as error:
        found["broken"] = str(error)
    print("LIDR " + json.dumps(found))


if __name__ == "__main__":
    main()
