"""The cache of a vLLM server on a CPU: what a run needs, never more than the memory that is free."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lidr_plugin.errors import EngineError
from lidr_plugin.machine.kv_cache import Shape, cache_of, shape_of, sized

GIB = 1 << 30
QWEN2 = {
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "hidden_size": 896,
    "max_position_embeddings": 32768,
    "torch_dtype": "bfloat16",
}


def model(folder: Path, config: object, weights: int = 1000) -> str:
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    (folder / "model.safetensors").write_bytes(bytes(weights))
    (folder / "consolidated.bin").write_bytes(bytes(10 * weights))  # the same weights once more
    return str(folder)


@pytest.mark.parametrize(
    ("changes", "args", "token", "length"),
    [
        ({}, {}, 2 * 24 * 2 * 64 * 2, 32768),
        ({}, {"max_model_len": 4096}, 2 * 24 * 2 * 64 * 2, 4096),
        ({}, {"max_model_len": "auto"}, 2 * 24 * 2 * 64 * 2, 0),
        ({"head_dim": 128}, {}, 2 * 24 * 2 * 128 * 2, 32768),
        ({"num_key_value_heads": None}, {}, 2 * 24 * 14 * 64 * 2, 32768),
        ({}, {"dtype": "float32"}, 2 * 24 * 2 * 64 * 4, 32768),
        ({}, {"kv_cache_dtype": "fp8"}, 2 * 24 * 2 * 64, 32768),
        ({"layer_types": ["full_attention", "linear_attention"] * 12}, {}, 2 * 12 * 2 * 64 * 2, 32768),
        ({"kv_lora_rank": 512, "qk_rope_head_dim": 64}, {}, 24 * 576 * 2, 32768),
    ],
)
def test_the_size_of_a_token_is_that_of_its_keys_and_values(
    changes: Mapping[str, Any], args: Mapping[str, Any], token: int, length: int, tmp_path: Path
) -> None:
    for config in ({**QWEN2, **changes}, {"text_config": {**QWEN2, **changes}, "vision_config": {}}):
        found = shape_of(model(tmp_path, config), "main", args)
        assert (found.token, found.length) == (token, length)


def test_the_weights_are_counted_once_and_as_they_are_computed_with(tmp_path: Path) -> None:
    assert shape_of(model(tmp_path, QWEN2), "main", {}).weights == 1000
    assert shape_of(model(tmp_path, QWEN2), "main", {"dtype": "float32"}).weights == 2000


@pytest.mark.parametrize(
    "config",
    ["", "[]", '{"num_hidden_layers": 1e999}', "not json", {**QWEN2, "hidden_size": "896"}, {"num_hidden_layers": -1}],
)
def test_a_config_that_does_not_tell_leaves_a_cache_of_what_is_free(config: object, tmp_path: Path) -> None:
    found = cache_of(model(tmp_path, config), "main", {}, concurrency=8, free=20 * GIB)
    assert found.gib == 10
    assert "its needs are not known" in found.words


def test_a_cache_holds_every_sequence_where_the_memory_allows() -> None:
    shape = Shape(token=12288, length=4096, weights=GIB)
    assert sized(shape, sequences=64, free=22 * GIB).gib == 3
    assert sized(shape, sequences=1, free=22 * GIB).gib == 1, "vLLM takes whole numbers"
    tight = sized(shape, sequences=64, free=6 * GIB)
    assert tight.gib == 1, "three GiB are left by weights and vLLM, and not all of them are taken"
    assert "64 sequences of 4,096 tokens need 3.0 GiB; 6.0 GiB of memory are free" in tight.words


@pytest.mark.parametrize(
    ("given", "concurrency", "sequences"), [(None, 256, 128), (None, 8, 8), (4, 64, 4), (256, 64, 64)]
)
def test_there_are_never_more_sequences_than_requests(
    given: int | None, concurrency: int, sequences: int, tmp_path: Path
) -> None:
    args = {} if given is None else {"max_num_seqs": given}
    found = cache_of(model(tmp_path, QWEN2), "main", args, concurrency=concurrency, free=100 * GIB)
    assert found.sequences == sequences


def test_too_little_for_one_sequence_is_said_with_the_numbers() -> None:
    with pytest.raises(EngineError) as raised:
        sized(Shape(token=114688, length=131072, weights=GIB), sequences=4, free=12 * GIB)
    assert raised.value.message == (
        "vLLM on the CPU: its cache needs 14.0 GiB for one sequence of 131,072 tokens, and 5.4 GiB can be had: "
        "12.0 GiB of memory are free, of which the weights take 1.0 GiB"
    )
    assert "engine.args.max_model_len=50176 fits" in raised.value.hint
    with pytest.raises(EngineError, match=r"needs 1\.0 GiB for one sequence, and 0\.0 GiB can be had"):
        sized(Shape(0, 0, 0), sequences=4, free=GIB)
