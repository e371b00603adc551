"""Makes `model/` from what training left, and proves that it is what was trained.

Reads a job as JSON from its standard input and prints a line `LIDR <json>`, with the fields of `state.MergeProof`. Logits are
computed with the weights as they are saved and 32-bit arithmetic: what differs between two models is their weights and not
the order of the additions.
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


def folder_of(settings: dict[str, Any]) -> Path:
    """The base model's directory, from the Hub's cache if need be."""
    name = settings["model_name_or_path"]
    return Path(name) if Path(name).is_dir() else Path(snapshot_download(name, revision=settings.get("model_revision")))


def load(folder: Path, dtype: torch.dtype | str, *, trust: bool) -> Any:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, trust_remote_code=trust)
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
    """How far training moved the model, and how far the saved model is from the trained one."""
    shift, error = ((one - other).pow(2).mean().sqrt().item() for one, other in ((trained, base), (saved, trained)))
    return {
        "shift": shift,
        "error": error,
        "lost": error / shift if shift else math.inf,
        "kl_base_to_trained": divergence(trained, base),
        "kl_saved_to_trained": divergence(trained, saved),
    }


def merge(model: Any) -> dict[str, Any]:
    """Merges a PeftModel's adapter into its base, layer by layer, and looks at what that does to the weights."""
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


def same_tokenizer(source: Path, target: Path, texts: list[str], *, trust: bool) -> bool:
    old, new = (AutoTokenizer.from_pretrained(folder, trust_remote_code=trust) for folder in (source, target))
    alike = all(old.encode(text) == new.encode(text) for text in texts)
    return old.chat_template == new.chat_template and len(old) == len(new) and alike


def fault(found: dict[str, Any], *, adapter: bool) -> str:
    """Why this must not become the next round's model; empty if it may."""
    modules, unchanged = found["modules"], found["unchanged"]
    if not modules:
        return "the adapter has no LoRA modules"
    if len(found["zero"]) == modules:
        return "the adapter is zero: training changed nothing (too few steps, or a learning rate of 0)"
    if unchanged and (adapter or len(unchanged) == modules):
        return f"{len(unchanged)} of {modules} modules have the base's weights: {', '.join(unchanged[:3])}"
    if not found["lost"] < 2.0:  # a saved base would have lost 1; and nan is no proof either
        return (
            f"the saved model is farther from the trained one ({found['error']:.2g}) than the base is "
            f"({found['shift']:.2g}): the update is lost, or the adapter belongs to another base"
        )
    return ""


def main() -> None:
    job = json.load(sys.stdin)
    settings, target, dtype = job["settings"], Path(job["target"]), getattr(torch, job["dtype"])
    source, checkpoint, trust = folder_of(settings), settings["output_dir"], settings["trust_remote_code"]
    adapter = settings["finetuning_type"] == "lora"
    tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=trust)
    probes = [tokenizer.encode(text)[: job["probe_tokens"]] for text in job["probes"]]
    base = load(source, dtype, trust=trust)
    before = logits(base, probes)
    if adapter:
        model = PeftModel.from_pretrained(base, checkpoint)
        trained = logits(model, probes)
        found = merge(model)
        result = model.merge_and_unload()
    else:
        result = load(checkpoint, "auto", trust=trust)
        trained = logits(result, probes)
        found = differing(base, result)
        result = result.to(dtype)
    shutil.rmtree(target, ignore_errors=True)
    result.save_pretrained(target, max_shard_size="5GB")
    copy_tokenizer(source, target)
    del base, result  # their memory is needed for the saved model
    found |= agreement(before, trained, logits(load(target, dtype, trust=trust), probes))
    found["broken"] = fault(found, adapter=adapter)
    if not found["broken"] and not same_tokenizer(source, target, job["probes"], trust=trust):
        found["broken"] = "the tokenizer or the chat template did not come along"
    print("LIDR " + json.dumps(found))


if __name__ == "__main__":
    main()
