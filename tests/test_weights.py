"""The identity of weights: what tells the completions of one model from those of another."""

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


@pytest.mark.parametrize("name", ["/no/such/model", "./none", "none", "a/b/c"])
def test_what_is_neither_a_directory_nor_the_name_of_a_repository_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="no such directory"):
        weights_of(VLLM, name, "main")
