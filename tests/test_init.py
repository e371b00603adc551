"""A first configuration for the model and the languages that the user names."""

import json
from pathlib import Path

import pytest
import yaml

from lidr_plugin.config.file import load
from tests.conftest import Lidr
from tests.support.server import FakeServer, running

SHAPE = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "vocab_size": 1000,
    "max_position_embeddings": 2048,
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """As much of a model as lidr init reads: it says ChatML, and reads 2,048 tokens."""
    folder = tmp_path / "some model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(SHAPE))
    (folder / "chat_template.jinja").write_text("{{ '<|im_start|>user' }}")
    return folder


def test_template_and_lengths_are_the_models(model: Path, tmp_path: Path, lidr: Lidr) -> None:
    done = lidr("init", "p", "--model", model, "--languages", "sw, yo")
    assert done.returncode == 0, done.stderr
    config = load(tmp_path / "p/lidr.yaml")
    assert config.template == "qwen"
    assert config.model_name_or_path == str(model)
    assert config.languages == ["sw", "yo"]
    assert (config.generation.max_tokens, config.translation.max_tokens) == (512, 1024)
    assert config.train.llamafactory["cutoff_len"] == 2048
    assert "Swahili, Yoruba" in (tmp_path / "p/lidr.yaml").read_text()


def test_what_it_writes_is_accepted_by_a_dry_run(model: Path, lidr: Lidr) -> None:
    lidr("init", "p", "--model", model, "--languages", "sw")
    with running(FakeServer()) as url:
        dry = lidr("build-pairs", "p/lidr.yaml", f"engine.base_url={url}", "engine.model=fake", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "8 prompts" in dry.stdout


def test_math_starts_with_problems_that_have_answers(model: Path, tmp_path: Path, lidr: Lidr) -> None:
    lidr("init", "p", "--model", model, "--languages", "de", "--task", "math")
    config = load(tmp_path / "p/lidr.yaml")
    assert (config.task, config.answer_filter) == ("math", "chosen_correct")
    lines = (tmp_path / "p/prompts/en.jsonl").read_text().splitlines()
    assert all(json.loads(line)["final_answer"] for line in lines)


def test_prompts_of_ones_own_are_copied_or_left_where_they_are(model: Path, tmp_path: Path, lidr: Lidr) -> None:
    (tmp_path / "mine.csv").write_text("id,instruction\n1,Name a river.\n")
    lidr("init", "p", "--model", model, "--languages", "de", "--prompts", "mine.csv")
    assert (tmp_path / "p/prompts/en.csv").read_text() == (tmp_path / "mine.csv").read_text()
    assert load(tmp_path / "p/lidr.yaml").prompt_path("en") == tmp_path / "p/prompts/en.csv"
    lidr("init", "q", "--model", model, "--languages", "de", "--prompts", "some/{language}.jsonl")
    assert load(tmp_path / "q/lidr.yaml").prompt_path("de") == tmp_path / "some/de.jsonl"
    assert not (tmp_path / "q/prompts").exists()


def test_a_model_that_cannot_be_read_is_told_and_guessed_by_its_name(tmp_path: Path, lidr: Lidr) -> None:
    done = lidr("init", "p", "--model", "Qwen/Qwen3-1.7B", "--languages", "de")
    assert done.returncode == 0
    assert "to see to: " in done.stderr
    assert load(tmp_path / "p/lidr.yaml").template == "qwen3"


def test_a_template_that_nothing_tells_is_left_for_the_user(tmp_path: Path, lidr: Lidr) -> None:
    done = lidr("init", "p", "--model", "ns/unheard-of", "--languages", "de")
    assert "to see to: template" in done.stderr
    assert "template" not in yaml.safe_load((tmp_path / "p/lidr.yaml").read_text())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--model", "m"], "go together"),
        (["--languages", "de"], "go together"),
        (["--model", "m", "--languages", "xx-nothing"], "xx-nothing"),
        (["--model", "m", "--languages", "de", "--dominant", "fr"], "--prompts FILE"),
        (["--model", "m", "--languages", "de", "--prompts", "p.txt"], "expected a file of"),
        (["--model", "m", "--languages", "de", "--prompts", "none.jsonl"], "none.jsonl"),
    ],
)
def test_wrong_input_writes_nothing(words: list[str], says: str, tmp_path: Path, lidr: Lidr) -> None:
    done = lidr("init", "p", *words)
    assert done.returncode == 2
    assert says in done.stderr
    assert not (tmp_path / "p").exists()
