"""The identity of weights: what tells the completions of one model from those of another."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from lidr_plugin.completions.engines.weights import DECIDING, weights_of
from lidr_plugin.config.engine import EngineSettings
from lidr_plugin.errors import InputError

VLLM = EngineSettings(backend="vllm")


def test_a_revision_that_cannot_be_looked_up_says_how_to_go_on_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "nowhere")
    with pytest.raises(InputError, match="HF_ENDPOINT") as caught:
        weights_of(VLLM, "ns/model", "main")
    assert "engine.weights" in caught.value.hint
    assert weights_of(VLLM.model_copy(update={"weights": "mine"}), "ns/model", "main") == "mine"


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file that is there and cannot be read")
def test_weights_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.bin").symlink_to("/proc/self/mem")
    with pytest.raises(InputError, match=f"{tmp_path}: Input/output error"):
        weights_of(VLLM, str(tmp_path), "main")


@pytest.mark.parametrize("name", ["/no/such/model", "./none", "none", "a/b/c"])
def test_what_is_neither_a_directory_nor_the_name_of_a_repository_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="no such directory"):
        weights_of(VLLM, name, "main")


SOMETHING = {
    "enable_lora": True,
    "disable_sliding_window": True,
    "rope_theta": 1e6,
    "hf_overrides": {"rope_theta": 1e6},
}
"""A value of the argument's own kind, where a word would be none."""


def identity(backend: str = "vllm", **settings: Any) -> str:
    return weights_of(EngineSettings.model_validate({"backend": backend, "weights": "w", **settings}), "model", "main")


@pytest.mark.parametrize("name", sorted(DECIDING))
def test_an_argument_that_decides_answers_is_part_of_the_identity(name: str) -> None:
    value = SOMETHING.get(name, "fp8")
    told = identity(args={name: value, "tensor_parallel_size": 8})
    assert told == "w+" + json.dumps({name: value}, separators=(",", ":"))
    assert identity(args={name.replace("_", "-"): value}) == told
    assert identity(args={name: [value, "other"]}) != told


def test_no_argument_that_decides_answers_was_forgotten() -> None:
    named = "dtype quantization lora_modules enable_lora rope_scaling rope_theta hf_overrides kv_cache_dtype tokenizer"
    named += " tokenizer_mode chat_template default_chat_template_kwargs generation_config override_generation_config"
    named += " reasoning_parser model_impl load_format"
    assert set(named.split()) <= DECIDING


def test_where_nothing_that_decides_is_set_the_identity_is_that_of_the_weights() -> None:
    left = {"dtype": "auto", "quantization": None, "enable_lora": False, "hf_overrides": {}, "lora_modules": []}
    how = {"tensor_parallel_size": 2, "max_model_len": 4096, "gpu_memory_utilization": 0.5, "enforce_eager": True}
    assert identity() == identity(args=left) == identity(args=how) == "w"
    assert identity("transformers") == identity("transformers", dtype="auto", batch_size=2, device="cpu") == "w"


def test_each_backend_has_its_own_settings() -> None:
    assert identity("transformers", dtype="float16") == 'w+{"dtype":"float16"}'
    assert identity("transformers", args={"dtype": "float16"}) == "w"
    assert identity("vllm", dtype="float16") == "w"
    assert identity("openai", base_url="http://h/v1", dtype="float16", args={"dtype": "float16"}) == "w"


def test_the_order_of_arguments_does_not_matter() -> None:
    told = identity(args={"quantization": "fp8", "dtype": "float16", "hf_overrides": {"b": 1, "a": 2}})
    assert told == 'w+{"dtype":"float16","hf_overrides":{"a":2,"b":1},"quantization":"fp8"}'
    assert identity(args={"hf_overrides": {"a": 2, "b": 1}, "dtype": "float16", "quantization": "fp8"}) == told
    assert identity(args={"hf_overrides.a": 2}) == 'w+{"hf_overrides.a":2}'


def test_of_files_the_content_counts_and_not_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIDR_HOME", str(tmp_path / "home"))
    for folder in ("first", "second"):
        (tmp_path / folder / "adapter").mkdir(parents=True)
        (tmp_path / folder / "adapter/adapter_model.safetensors").write_bytes(b"1")
        (tmp_path / folder / "chat.jinja").write_text("{{ messages }}")

    def told(folder: str) -> str:
        adapter, template = f"policy={tmp_path / folder / 'adapter'}", str(tmp_path / folder / "chat.jinja")
        return identity(args={"lora_modules": adapter, "chat_template": template})

    first = told("first")
    assert first == told("second")
    assert str(tmp_path) not in first
    (tmp_path / "second/chat.jinja").write_text("{{ message }}")
    assert told("second") != first
    (tmp_path / "first/adapter/adapter_model.safetensors").write_bytes(b"2")
    assert told("first") != first
