"""The identity of weights: what tells the completions of one model from those of another."""

import sys
from pathlib import Path

import pytest

from lidr_plugin.completions.engines.weights import weights_of
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
