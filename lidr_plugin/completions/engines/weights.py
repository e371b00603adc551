"""The identity of who answers, in completion keys: what tells M0's completions from M1's."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from lidr_plugin.completions.engines.base import backend_of
from lidr_plugin.completions.engines.fingerprint import fingerprint, sha256_of
from lidr_plugin.config.engine import EngineSettings
from lidr_plugin.errors import InputError
from lidr_plugin.machine import hub

DECIDING = frozenset(
    # The numbers that are computed with: rounding moves every logit.
    "dtype quantization quantization_config kv_cache_dtype kv_cache_dtype_skip_layers lora_dtype mamba_cache_dtype "
    "mamba_ssm_cache_dtype "
    # Other weights than the model's: adapters, other revisions, random ones (load_format: dummy), a file of arguments.
    "model revision code_revision enable_lora lora_modules load_format config "
    # Another architecture around the same weights.
    "hf_config_path hf_overrides config_format model_impl model_class_overrides rope_scaling rope_theta "
    "disable_sliding_window "
    # What the model reads of a request.
    "tokenizer tokenizer_mode tokenizer_revision chat_template chat_template_content_format default_chat_template_kwargs "
    # How tokens are drawn where the request leaves it open (top_k, min_p), and changed after.
    "generation_config override_generation_config logits_processors logprobs_mode watermark_config diffusion_config "
    # What a pooling model gives.
    "runner convert pooler_config "
    # What of the model's text comes back as the answer.
    "reasoning_parser reasoning_parser_plugin reasoning_config structured_outputs_config".split()
)
"""Arguments of vLLM's server (as of 0.32) that decide answers and are not in the request.

Left out is what computes the same function in another way, such as parallelism, batching, caching, attention backends,
compilation and speculation: its rounding differs from card to card too. Left out as well is `max_model_len`, which most
configurations set for the sake of memory; it changes the answers of models with long RoPE (Phi-3 and its kin) alone.
"""


def weights_of(config: EngineSettings, model: str, revision: str, *, key: str = "model_name_or_path") -> str:
    """The identity that goes into completion keys (contract, section 3, `engine.weights`): of the weights, and after a `+`
    of what the engine was told that decides answers, where it was told anything.

    Args:
        key: what named the model, for the error.

    Raises:
        InputError: the directory does not exist or cannot be read, or the Hub id's revision is neither cached nor to be
            looked up.
    """
    backend = backend_of(config)
    try:
        weights = config.weights or _weights(config, backend, model, revision, key)
        told = _told(config, backend)
    except OSError as error:
        raise InputError(f"{key}: {error.filename or model}: {error.strerror}") from None
    return f"{weights}+{orjson.dumps(told, option=orjson.OPT_SORT_KEYS).decode()}" if told else weights


def _weights(config: EngineSettings, backend: str, model: str, revision: str, key: str) -> str:
    if backend == "openai":
        return config.model or model
    directory = Path(os.path.expanduser(model))
    if os.path.isdir(directory):
        if not (directory / "config.json").is_file():
            raise InputError(f"{key}: {model} has no config.json: not a checkpoint")
        return fingerprint(directory)
    if hub.is_path(model) or model.count("/") != 1:
        raise InputError(f"{key}: {model}: no such directory")
    try:
        return f"{model}@{hub.commit(model, revision, key=key)}"
    except InputError as error:
        own = "set engine.weights to a name of your own for these weights" if key == "model_name_or_path" else ""
        raise InputError(error.message, "\n".join(filter(None, (error.hint, own)))) from None


def _told(config: EngineSettings, backend: str) -> Mapping[str, Any]:
    """What decides answers and is not left at its default."""
    if backend == "transformers":
        return {} if config.dtype == "auto" else {"dtype": config.dtype}
    if backend == "openai":
        return {}
    given = {name.replace("-", "_"): value for name, value in config.args.items()}
    # `hf_overrides.rope_theta: 1e6` is vLLM's short form of a dictionary.
    deciding = {name: value for name, value in given.items() if name.partition(".")[0] in DECIDING}
    return {name: _content(value) for name, value in deciding.items() if value not in (None, False, "auto", "", [], {})}


def _content(value: Any) -> Any:
    """The value, with the contents of a file or a directory in place of its path, also after `name=` (lora_modules)."""
    if isinstance(value, Mapping):
        return {str(name): _content(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_content(item) for item in value]
    if not isinstance(value, str):
        return value
    name, equals, path = value.rpartition("=")
    path = os.path.expanduser(path)
    if os.path.isdir(path):
        return name + equals + fingerprint(Path(path))
    return name + equals + sha256_of(Path(path)) if os.path.isfile(path) else value
