"""How much GPU memory a training takes, from the model's shape alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from lidr_plugin.errors import InputError

_OPTIONAL = ("head_dim", "num_key_value_heads")
_MOST = 100_000_000
"""A hundred times the largest number in a shape there is: a larger one is damage."""
_NEEDED = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size")
_GATHERED = 1_000_000_000
"""Parameters that ZeRO-3 may hold gathered at once (`stage3_max_live_parameters` of the shipped file)."""
_BUCKETS = 2 * 2 * 500_000_000
"""Bytes of ZeRO-2's reduce and gather buckets in bf16 (`reduce_bucket_size`, `allgather_bucket_size`)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A dense decoder with gated feed-forward layers: Llama, Qwen, Mistral and their kin."""

    hidden: int
    layers: int
    query: int
    key_value: int
    intermediate: int
    vocabulary: int
    tied: bool

    @property
    def linears(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of the linear layers of one block."""
        h, q, kv, m = self.hidden, self.query, self.key_value, self.intermediate
        return [(h, q), (h, kv), (h, kv), (q, h), (h, m), (h, m), (m, h)]

    @property
    def block_parameters(self) -> int:
        """Parameters of all blocks' linear layers."""
        return self.layers * sum(a * b for a, b in self.linears)

    @property
    def parameters(self) -> int:
        """All parameters; biases, which are few, left out."""
        return self.block_parameters + self.embeddings + (2 * self.layers + 1) * self.hidden

    @property
    def embeddings(self) -> int:
        """Parameters of the embedding and of the head."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    def adapter(self, settings: Mapping[str, Any]) -> int:
        """Parameters that are trained of a LoRA adapter on every linear layer, and of an embedding beside it."""
        low_rank = self.layers * int(settings.get("lora_rank", 8)) * sum(a + b for a, b in self.linears)
        return low_rank + (self.embeddings if settings.get("additional_target") else 0)


def shape_of(config: Mapping[str, Any], model: str) -> Shape:
    """The shape that a model's `config.json` tells.

    Raises:
        InputError: a number is missing, or it is a mixture of experts, for which this arithmetic does not hold.
    """
    text = config.get("text_config", config)
    config = text if isinstance(text, Mapping) else {}
    what = ""
    if missing := [key for key in _NEEDED if key not in config]:
        what = f"lacks {', '.join(missing)}"
    elif any("expert" in key for key in config):
        what = "is a mixture of experts"
    elif wrong := [key for key in (*_NEEDED, *_OPTIONAL) if not _is_size(config.get(key), key)]:
        what = "has no sensible " + ", ".join(f"{key} ({str(config.get(key))[:20]})" for key in wrong)
    if what:
        raise InputError(
            f"{model}: its config.json {what}; lidr plan knows dense decoders only",
            "measure it: a run with max_steps: 2",
        )
    heads = config["num_attention_heads"]
    width = config.get("head_dim") or config["hidden_size"] // heads
    return Shape(
        hidden=config["hidden_size"],
        layers=config["num_hidden_layers"],
        query=heads * width,
        key_value=(config.get("num_key_value_heads") or heads) * width,
        intermediate=config["intermediate_size"],
        vocabulary=config["vocab_size"],
        tied=bool(config.get("tie_word_embeddings", False)),
    )


def _is_size(value: object, key: str) -> bool:
    """Whether a number can be one of a shape; an optional one may be null."""
    if value is None:
        return key in _OPTIONAL
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST


class Memory(NamedTuple):
    """Bytes on each GPU. `logits` and all of `gradients` are not there at once, unless gradients are accumulated."""

    weights: int
    gradients: int
    optimizer: int
    reference: int
    activations: int
    logits: int
    accumulating: bool

    @property
    def total(self) -> int:
        """The peak of a step that is not the first."""
        at_the_loss = self.logits + (self.gradients if self.accumulating else 0)
        return self.weights + self.optimizer + self.reference + self.activations + max(at_the_loss, self.gradients)


def has_reference(settings: Mapping[str, Any]) -> bool:
    """Whether the loss compares the policy with a reference model; without an adapter that is a second model."""
    alone = settings.get("pref_loss") in ("simpo", "orpo")
    return settings["stage"] == "kto" or (settings["stage"] == "dpo" and not alone)


def estimate(shape: Shape, settings: Mapping[str, Any], *, world: int, zero: str = "", weight_bytes: int = 2) -> Memory:
    """Peak memory of a training with LLaMA-Factory's settings, every row of `cutoff_len` tokens.

    LLaMA-Factory trains in float32 what it trains (under DeepSpeed: bf16 with a float32 copy in the optimizer), loads the
    reference and a LoRA's base as the checkpoint has them, and recomputes each block's activations. DPO runs chosen and
    rejected as one batch, in float32 from the logits on.

    Args:
        world: processes that share what ZeRO shards.
        zero: `zero2`, `zero3`, `zero3_offload`, or empty.
        weight_bytes: bytes of a weight in the checkpoint.
    """
    lora, dpo = settings["finetuning_type"] == "lora", settings["stage"] == "dpo"
    rows, length = settings["per_device_train_batch_size"] * (2 if dpo else 1), int(settings["cutoff_len"])
    tokens = rows * length
    stream = max(2 if lora or zero else 4, weight_bytes)  # bytes of a hidden state: those of the embedding's weights
    # A block while it is recomputed: about 30 bytes for each hidden unit of a token, and 14 for each inner one.
    block = tokens * (30 * shape.hidden + 14 * shape.intermediate)
    # Policy: float32 logits and their log-softmax; beside them the reference's bf16 logits, float32 logits, log-softmax.
    logits = tokens * shape.vocabulary * (18 if has_reference(settings) else 14)
    return Memory(
        *_states(shape, settings, world=world, zero=zero, weight_bytes=weight_bytes),
        activations=shape.layers * tokens * shape.hidden * stream + 2 * rows * length * length,
        logits=max(logits, block),
        accumulating=settings["gradient_accumulation_steps"] > 1,
    )


def _states(
    shape: Shape, settings: Mapping[str, Any], *, world: int, zero: str, weight_bytes: int
) -> tuple[int, int, int, int]:
    """Weights, gradients, optimizer states (Adam: two numbers a weight, and a float32 copy of bf16 weights), reference."""
    n = shape.parameters
    if settings["finetuning_type"] == "lora":
        adapter, weights = shape.adapter(settings), weight_bytes * n
        if settings.get("quantization_bit"):
            # 4 bits a weight, and with double quantisation 0.127 bits of constants (arXiv 2305.14314, section 3).
            weights = int(shape.block_parameters * (4 + 0.127) / 8) + weight_bytes * (n - shape.block_parameters)
        return weights + 4 * adapter, 4 * adapter, 8 * adapter, 0
    reference = weight_bytes * n if has_reference(settings) else 0
    if zero == "zero2":
        return 2 * n, 2 * n // world + _BUCKETS, 12 * n // world, reference
    if zero:
        gathered = 2 * min(n, _GATHERED)
        if zero == "zero3_offload":
            return gathered, 0, 0, 0
        return 2 * n // world + gathered, 2 * n // world, 12 * n // world, reference // world
    return 4 * n, 4 * n, 8 * n, reference
