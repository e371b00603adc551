"""The tokens that a model is asked with are those that it is trained with, or nothing is asked."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lidr_plugin.machine.environments import python_of
from tests.conftest import Lidr, prompts, write_config, write_prompts
from tests.support import encoder
from tests.support.server import FakeServer, running


class Case:
    """A run in a folder, its train environment, and the server that it asks."""

    def __init__(self, folder: Path, lidr: Lidr) -> None:
        self.folder = folder
        self.server = FakeServer()
        self.python = encoder.interpreter(folder / "train/bin")
        self._lidr = lidr
        (folder / "model").mkdir()
        (folder / "model/config.json").write_text('{"model_type": "qwen2"}')
        write_prompts(folder, prompts(4))

    def run(self, *command: str, env: dict[str, str] | None = None, **changes: Any) -> Any:
        """A command on the configuration."""
        with running(self.server) as url:
            config = write_config(
                self.folder,
                engine__base_url=url,
                engine__model="fake",
                model_name_or_path=str(self.folder / "model"),
                train={"python": str(self.python)},
                **changes,
            )
            return self._lidr(*command, config, env={"LIDR_HOME": str(self.folder / "home"), **(env or {})})

    @property
    def starts(self) -> int:
        """How often the train environment was started."""
        path = self.python.with_name("starts")
        return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.fixture
def case(tmp_path: Path, lidr: Lidr) -> Case:
    return Case(tmp_path, lidr)


def test_equal_tokens_are_remembered_and_cost_nothing_the_next_time(case: Case) -> None:
    case.server.tokens = encoder.by_letter
    for number in (1, 2):
        done = case.run("build-pairs", output_dir=f"run{number}")
        assert done.returncode == 0, done.stderr
        assert "tokens" not in done.stderr.replace("tokens/s", "")
    assert case.starts == 1
    (case.folder / "model/tokenizer.json").write_text("{}")
    assert case.run("build-pairs", output_dir="run3").returncode == 0
    assert case.starts == 2, "another tokenizer is another question"


@pytest.mark.parametrize("command", ["build-pairs", "probe"])
def test_other_tokens_end_the_run_before_anything_is_asked_and_are_shown(command: str, case: Case) -> None:
    case.server.tokens = encoder.by_pair
    done = case.run(command)
    assert done.returncode == 1
    assert "(a prompt: '[en] Tell me about boat number 0.', token 0)" in done.stderr
    assert "engine             [e n] ·T el l·\n" in done.stderr
    assert "train environment  [ e n ] ·\n" in done.stderr
    assert "train.allow_template_mismatch=true goes on nevertheless" in done.stderr
    assert not case.server.asked
    assert not (case.folder / "run/data/demo.jsonl").exists()


def test_an_evaluated_model_is_compared_too(case: Case) -> None:
    case.server.tokens = encoder.by_pair
    case.server.served = str(case.folder / "model")
    evaluation = {"models": {"M1": str(case.folder / "model")}, "prompts": "prompts/{language}.jsonl"}
    done = case.run("eval", eval=evaluation)
    assert done.returncode == 1
    assert "token 0" in done.stderr
    assert not case.server.asked


def test_a_server_that_has_changed_since_is_noticed(case: Case) -> None:
    case.server.tokens = encoder.by_letter
    assert case.run("build-pairs", output_dir="run1").returncode == 0
    case.server.tokens = encoder.by_pair
    done = case.run("build-pairs", output_dir="run2")
    assert done.returncode == 1
    assert "token 0" in done.stderr


def chat_only(text: str) -> list[int]:
    return encoder.by_letter(text.replace("<user>", "<human>"))


def test_another_chat_template_is_a_difference_too(case: Case) -> None:
    case.server.tokens = chat_only
    done = case.run("build-pairs")
    assert done.returncode == 1
    assert "a whole request, as the chat template renders it" in done.stderr


def test_whoever_allows_it_is_warned_and_goes_on(case: Case) -> None:
    case.server.tokens = encoder.by_pair
    python = str(case.python)
    with running(case.server) as url:
        changes = {"engine__base_url": url, "engine__model": "fake", "model_name_or_path": str(case.folder / "model")}
        config = write_config(case.folder, train={"python": python, "allow_template_mismatch": True}, **changes)
        done = case._lidr("build-pairs", config, env={"LIDR_HOME": str(case.folder / "home")})
    assert done.returncode == 0, done.stderr
    assert "warning: " in done.stderr
    assert "token 0" in done.stderr


@pytest.mark.parametrize(
    ("tokens", "env", "starts", "note"),
    [
        (None, {}, 0, "the server does not tell its own"),
        (lambda _: ["no", "ids"], {}, 0, "the server does not tell its own"),
        (encoder.by_letter, {"LIDR_TEST_NO_TOKENIZER": "1"}, 1, "OSError: no tokenizer there"),
    ],
)
def test_where_it_cannot_be_told_the_run_goes_on_with_a_note(
    tokens: Callable[[str], list[int]] | None, env: dict[str, str], starts: int, note: str, case: Case
) -> None:
    case.server.tokens = tokens
    done = case.run("build-pairs", env=env)
    assert done.returncode == 0, done.stderr
    assert "note: tokens are not compared with those of the train environment: " in done.stderr
    assert note in done.stderr
    assert case.starts == starts


@pytest.mark.parametrize(
    ("tokens", "level", "words"),
    [
        (encoder.by_letter, "ok", "the engine reads 12 requests as the train environment does"),
        (encoder.by_pair, "wrong", "are not those that it is trained with"),
        (None, "note", "not compared with the train environment's: the server does not tell its own"),
    ],
)
def test_the_doctor_compares_them_too(
    tokens: Callable[[str], list[int]] | None, level: str, words: str, case: Case
) -> None:
    case.server.tokens = tokens
    done = case.run("doctor")
    (line,) = [line for line in done.stdout.splitlines() if " tokens: " in line or line.startswith("wrong tokens")]
    assert line.startswith(level)
    assert words in line
    assert not case.server.asked


MAKE = """
import json, sys
from pathlib import Path
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
folder, kind = Path(sys.argv[1]), sys.argv[2]
special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
merges = [("a", "Ġ"), ("e", "Ġ")]
known = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *map("".join, merges), *special]
raw = Tokenizer(models.BPE(vocab={token: place for place, token in enumerate(known)}, merges=merges))
raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
raw.decoder = decoders.ByteLevel()
raw.add_special_tokens(special)
raw.save(str(folder / "tokenizer.json"))
chat = "{% for m in messages %}<|im_start|>{{ m.role }}\\n{{ m.content }}<|im_end|>\\n{% endfor %}<|im_start|>assistant\\n"
told = {"tokenizer_class": kind, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "chat_template": chat}
(folder / "tokenizer_config.json").write_text(json.dumps(told))
sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": len(known)}
(folder / "config.json").write_text(json.dumps({"model_type": "qwen2", **sizes}))
"""
"""Makes a Qwen2 folder whose tokenizer.json merges across words, as Qwen2's own pre-tokenizer would not let it."""


@pytest.mark.train
@pytest.mark.parametrize(("kind", "agree"), [("PreTrainedTokenizerFast", False), ("Qwen2Tokenizer", True)])
def test_two_real_environments_that_read_one_folder_differently_are_found_out(
    kind: str, agree: bool, train_python: Path, tmp_path: Path, lidr: Lidr
) -> None:
    if python_of("vllm") is None:
        pytest.skip("no vllm environment: lidr env create vllm")
    (tmp_path / "model").mkdir()
    subprocess.run([str(train_python), "-c", MAKE, str(tmp_path / "model"), kind], check=True)
    write_prompts(tmp_path, prompts(2))
    config = write_config(tmp_path, model_name_or_path=str(tmp_path / "model"), engine={"backend": "vllm"})
    done = lidr("doctor", config)
    found = done.stdout.partition("tokens: ")[2].partition("template: ")[0]
    if agree:
        assert "the engine reads 8 requests as the train environment does" in found
    else:
        assert "are not those that it is trained with" in found
        assert "train environment  " in found
        assert "e·" in found.partition("train environment")[2], "a merge across two words"
        assert "tokenizer_class" in found, "the fix"
