"""A model and the reference of its implicit reward read the same tokens, or nothing is asked."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Lidr, prompts, write_config, write_prompts
from tests.support import encoder


@pytest.fixture
def built(tmp_path: Path, lidr: Lidr) -> Any:
    """Builds pairs by implicit reward, with a model and a reference whose servers are never well."""
    write_prompts(tmp_path, prompts(4))
    for name in ("model", "reference"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text('{"model_type": "qwen2"}')
        (tmp_path / name / "model.safetensors").write_text(name)

    def build(*, pairs: bool, env: dict[str, str] | None = None) -> Any:
        pythons = [encoder.interpreter(tmp_path / "a"), encoder.interpreter(tmp_path / "b", pairs=pairs)]
        engine, reference = ({"backend": "vllm", "python": str(python), "env": SIZE} for python in pythons)
        scorer = {**reference, "model_name_or_path": str(tmp_path / "reference")}
        config = write_config(
            tmp_path,
            model_name_or_path=str(tmp_path / "model"),
            engine=engine,
            method="rank",
            rank={"by": "implicit", "samples": 2, "scorer": scorer},
        )
        return lidr("build-pairs", config, env={"LIDR_HOME": str(tmp_path / "home"), **(env or {})})

    return build


SIZE = {"VLLM_CPU_KVCACHE_SPACE": "1"}
"""A cache that is chosen, for there is no model to size one for."""


def starts(folder: Path) -> int:
    return len((folder / "starts").read_text().splitlines())


def test_other_tokens_are_named_before_anything_is_asked_or_written(built: Any, tmp_path: Path) -> None:
    done = built(pairs=True)
    assert done.returncode == 2
    assert f"{tmp_path}/reference: another tokenizer or chat template than that of {tmp_path}/model" in done.stderr
    assert "(a prompt: '[en] Tell me about boat number 0.')" in done.stderr
    assert "name the model that this one was trained from" in done.stderr
    assert not (tmp_path / "run").exists()


def test_equal_tokens_are_remembered(built: Any, tmp_path: Path) -> None:
    before = 0
    for looks in (1, 0):
        done = built(pairs=False)
        assert done.returncode == 1
        assert "the vLLM server did not start" in done.stderr, "the tokens are no obstacle"
        assert starts(tmp_path / "b") == before + looks
        before = starts(tmp_path / "b")


def test_tokens_that_cannot_be_read_are_no_reason_to_stop(built: Any) -> None:
    done = built(pairs=True, env={"LIDR_TEST_NO_TOKENIZER": "1"})
    assert "note: the tokens of the model and its reference are not compared" in done.stderr
    assert "the vLLM server did not start" in done.stderr
