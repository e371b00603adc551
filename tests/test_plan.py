"""Where the shape of a model is read, and what is said where it cannot be."""

from pathlib import Path

import pytest

from lidr_plugin.errors import InputError
from lidr_plugin.training.plan import architecture
from tests.conftest import Lidr, write_config
from tests.support.hub import cached

SMALL = (
    '{"hidden_size": 1000, "num_hidden_layers": 10, "num_attention_heads": 10, "intermediate_size": 3000, '
    '"vocab_size": 100000, "tie_word_embeddings": true}'
)


def test_a_model_in_the_cache_is_planned_offline(tmp_path: Path, command: Lidr) -> None:
    cached(tmp_path / "hub", "ns/small", {"config.json": SMALL})
    config = write_config(tmp_path, model_name_or_path="ns/small")
    done = command("plan", config, "--gpus", "1x24", env={"HF_HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert "0.23 billion parameters" in done.stdout
    nowhere = command("plan", config, "--gpus", "1x24", env={"HF_HOME": str(tmp_path / "other")})
    assert nowhere.returncode == 2
    assert "ns/small: config.json could not be loaded: not in the cache, and HF_HUB_OFFLINE is set" in nowhere.stderr


@pytest.mark.parametrize(("content", "says"), [("{oops", "not valid JSON"), ("[1]", "found a list")])
def test_a_config_that_is_no_object_is_refused(content: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputError, match=says):
        architecture(str(tmp_path), "main")


def test_a_directory_that_is_not_there_is_not_looked_for_on_the_hub(tmp_path: Path) -> None:
    for name in (str(tmp_path / "none"), "./none", "~/none", str(tmp_path)):
        with pytest.raises(InputError, match="no directory with a config"):
            architecture(name, "main")
