"""How much memory a vLLM server on a CPU gets for its cache of keys and values.

Left to itself it takes 92 % of the machine's memory, whatever else needs some, and then the machine swaps or stands still.
"""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lidr_plugin.errors import EngineError, InputError
from lidr_plugin.machine import hub
from lidr_plugin.machine.inputs import read_json

VARIABLE = "VLLM_CPU_KVCACHE_SPACE"
"""vLLM's environment variable for the size, in whole GiB."""

_GIB = 1 << 30
_SHARE = 0.6
"""Of what weights and vLLM itself leave free: the rest is for activations, for lidr, and for whoever else works here."""
_ITSELF = 2 * _GIB
"""Bytes of vLLM's three processes without weights, as measured with 0.32."""
_SEQUENCES = 128
"""vLLM's own `max_num_seqs` on a CPU."""
_LARGEST = 1 << 40
"""No number of a real model's config.json is larger."""
_BYTES = {"float32": 4, "float": 4, "fp8": 1, "fp8_e4m3": 1, "fp8_e5m2": 1, "int8": 1}
"""Of one number, by the name of its type; two for the others."""


class Shape(NamedTuple):
    """What a model needs memory for; 0 where that is not known.

    Attributes:
        token: bytes of the keys and values of one token.
        length: tokens of the longest sequence.
        weights: bytes of the weights.
    """

    token: int
    length: int
    weights: int


class Cache(NamedTuple):
    """The cache that a server gets, in GiB, for so many sequences at once; `words` say why."""

    gib: int
    sequences: int
    words: str


def left_to_vllm(args: Mapping[str, Any]) -> bool:
    """Whether the server's arguments say themselves how much memory it may take."""
    return any(args.get(name) is not None for name in ("kv_cache_memory_bytes", "gpu_memory_utilization"))


def cache_of(model: str, revision: str, args: Mapping[str, Any], *, concurrency: int, free: int) -> Cache:
    """The cache for a model.

    Args:
        args: of the server, names with underscores.
        concurrency: requests that it gets at once.
        free: bytes of memory that are free.

    Raises:
        EngineError: there is not enough for one sequence of the greatest length.
    """
    sequences = min(_number(args.get("max_num_seqs")) or _SEQUENCES, concurrency)
    return sized(shape_of(model, revision, args), sequences=sequences, free=free)


def sized(shape: Shape, *, sequences: int, free: int) -> Cache:
    """What all sequences need at their greatest length, as far as the memory goes; all that can be had if that is not known.

    Raises:
        EngineError: it does not go as far as one.
    """
    spare = max(0, int(_SHARE * (free - shape.weights - _ITSELF)))
    one = shape.token * shape.length
    memory = f"{_gib(free)} of memory are free, of which the weights take {_gib(shape.weights)}"
    if max(one, _GIB) > spare:
        raise EngineError(
            f"vLLM on the CPU: its cache needs {_gib(max(one, _GIB))} for one sequence"
            f"{f' of {shape.length:,} tokens' if one else ''}, and {_gib(spare)} can be had: {memory}",
            f"{_shorter(shape, spare)}; engine.env={{{VARIABLE}: N}} takes N GiB all the same",
        )
    wanted = one * sequences or spare
    gib = min(max(1, math.ceil(wanted / _GIB)), spare // _GIB)
    need = (
        f"{sequences:,} sequences of {shape.length:,} tokens need {_gib(wanted)}" if one else "its needs are not known"
    )
    words = f"vLLM on the CPU: a cache of {gib} GiB ({need}; {memory}); engine.env={{{VARIABLE}: N}} sets another size"
    return Cache(gib, sequences, words)


def _shorter(shape: Shape, spare: int) -> str:
    """What would fit; lengths in steps of 1,024 tokens, such as people set."""
    fits = spare // shape.token // 1024 * 1024 if shape.token and spare >= _GIB else 0
    shorter = f"engine.args.max_model_len={fits} fits, or " if fits else ""
    return f"{shorter}take a smaller model, or free some memory"


def _gib(size: int) -> str:
    return f"{size / _GIB:.1f} GiB"


def shape_of(model: str, revision: str, args: Mapping[str, Any]) -> Shape:
    """By the model's config.json, the files beside it, and the server's arguments."""
    path = _config_file(model, revision)
    config = _object(path) if path else {}
    inner = config.get("text_config")
    text = inner if isinstance(inner, dict) else config
    stored = _bytes_of(text.get("dtype") or text.get("torch_dtype"), 2)
    computed = _bytes_of(args.get("dtype"), stored)
    token = _layers(text) * _numbers_a_layer(text) * _bytes_of(args.get("kv_cache_dtype"), computed)
    given = args.get("max_model_len")
    length = _number(text.get("max_position_embeddings") if given is None else given)
    return Shape(token, length, _weights(path.parent) * computed // stored if path else 0)


def _config_file(model: str, revision: str) -> Path | None:
    own = Path(os.path.expanduser(model)) / "config.json"
    if os.path.isfile(own):
        return own
    try:
        return hub.download(model, "config.json", key="model_name_or_path", revision=revision)
    except InputError:  # vLLM, which will ask for it too, says it in its own words
        return None


def _object(path: Path) -> dict[str, Any]:
    try:
        found = read_json(path)
    except InputError:
        return {}
    return found if isinstance(found, dict) else {}


def _layers(text: Mapping[str, Any]) -> int:
    """Layers that keep keys and values: not those of a linear attention or a state space."""
    kinds = text.get("layer_types")
    if isinstance(kinds, list) and kinds:
        return sum("attention" in str(kind) and "linear" not in str(kind) for kind in kinds)
    return _number(text.get("num_hidden_layers"))


def _numbers_a_layer(text: Mapping[str, Any]) -> int:
    """Of keys and values, for one token; DeepSeek's kind of attention (MLA) keeps one compressed vector for both."""
    if rank := _number(text.get("kv_lora_rank")):
        return rank + _number(text.get("qk_rope_head_dim"))
    heads = _number(text.get("num_attention_heads"))
    size = _number(text.get("head_dim")) or (_number(text.get("hidden_size")) // heads if heads else 0)
    return 2 * (_number(text.get("num_key_value_heads")) or heads) * size


def _number(value: Any) -> int:
    """A size; 0 for what cannot be one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LARGEST else 0


def _bytes_of(kind: Any, default: int) -> int:
    """Bytes of a number of this type; `default` where it is left open."""
    return default if kind in (None, "auto") else _BYTES.get(str(kind), 2)


def _weights(folder: Path) -> int:
    """Bytes of the weights' files: safetensors, or what there is in place of them."""
    try:
        sizes = [(path.suffix, path.stat().st_size) for path in folder.iterdir() if path.suffix in hub.WEIGHT_FILES]
    except OSError:
        return 0
    safe = sum(size for suffix, size in sizes if suffix == ".safetensors")
    return safe or sum(size for _, size in sizes)
