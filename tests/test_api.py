"""The library without a YAML file and without the command: own method, own filter, own engine as plain objects."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import lidr_plugin as lidr
from lidr_plugin.completions.client import Model
from lidr_plugin.prompts.prompt_set import PromptSet
from tests.conftest import prompts, rows_of, write_prompts
from tests.support import model


class Echo:
    """An engine of one's own: answers as the fake model does, and counts what it is asked."""

    identity = "echo-1"

    def __init__(self) -> None:
        self.asked: list[lidr.Chat] = []

    async def __aenter__(self) -> "Echo":
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def complete(self, request: lidr.Chat) -> lidr.Completion:
        self.asked.append(request)
        text, finish = model.answer([{"role": turn.role, "content": turn.content} for turn in request.messages])
        return lidr.Completion(text, finish, 1, 1, bool(request.prefill))


class Longest:
    """A method of one's own: of two samples in each language the longer one is chosen."""

    rows = lidr.Preference
    roles: Mapping[str, Model] = {}
    reasons: Mapping[str, str] = {"as_long": "both answers are equally long"}

    def problems(self, prompts: PromptSet) -> Sequence[str]:
        return [] if len(prompts) > 1 else ["one prompt is too few"]

    def requests_at_most(self, prompts: int) -> int:
        return 2 * prompts

    def steps(self, prompt: lidr.Prompt, ask: lidr.Ask) -> lidr.Steps[lidr.Outcome]:
        sampling = lidr.Sampling(1.0, 1.0, 64, 1.0, 42, False)
        text = prompt.texts["de"]

        def sample(number: int) -> lidr.Steps[lidr.Text]:
            turn = lidr.Message("user", f"{text.joined} ({number})")
            answer = yield ask.chat("policy", [turn], sampling, sample=number, row=prompt.id)
            return lidr.Text(answer.text)

        first, second = yield from lidr.together(sample(0), sample(1))
        long, short = sorted((first, second), key=lambda text: len(text.text), reverse=True)
        pair = lidr.Preference(prompt.id, "de", text, long, short, "response:de", "response:de", long)
        alike = len(long.text) == len(short.text)
        return lidr.Outcome.of(prompt.position, [lidr.Drop(pair, "as_long") if alike else pair])


@pytest.fixture
def config(tmp_path: Path) -> lidr.Config:
    write_prompts(tmp_path, prompts(12, ["en", "de"]))
    return lidr.Config(
        model_name_or_path="mine",
        template="qwen",
        languages=["de"],
        prompts=str(tmp_path / "prompts/{language}.jsonl"),
        output_dir=str(tmp_path / "run"),
        filters={"fidelity": False},  # the engine's translations are made up
    )


def test_an_engine_of_ones_own_builds_a_dataset_and_is_not_asked_twice(config: lidr.Config) -> None:
    engine = Echo()
    built = lidr.build_pairs(config, engine=engine)
    assert sum(built.report["pairs"].values()) == len(rows_of(built.run.dataset("lidr")))
    assert {request.weights for request in engine.asked} == {"echo-1"}
    again = Echo()
    assert lidr.build_pairs(config, engine=again).report["pairs"] == built.report["pairs"]
    assert not again.asked


def test_a_filter_of_ones_own_drops_with_its_own_reason(config: lidr.Config) -> None:
    def no_ones(row: lidr.Preference | lidr.Sft) -> str | None:
        return "has_a_one" if "1" in row.id else None

    built = lidr.build_pairs(config, filters=[no_ones, *lidr.filters_of(config)], engine=Echo())
    dropped = [row for row in rows_of(built.run.rejected) if row["reason"] == "has_a_one"]
    assert {row["id"] for row in dropped} == {"1", "10", "11"}
    assert built.report["rejected"]["has_a_one"]["de"] == 3
    assert "has_a_one" in built.run.report_html.read_text()


def test_a_method_of_ones_own_is_asked_for_rows(config: lidr.Config) -> None:
    engine = Echo()
    built = lidr.build_pairs(config, method=Longest(), engine=engine)
    rows = rows_of(built.run.dataset("lidr"))
    assert rows
    assert all(len(row["chosen"]) > len(row["rejected"]) for row in rows)
    assert len(rows) + sum(row["reason"] == "as_long" for row in rows_of(built.run.rejected)) == 12
    assert {request.sample for request in engine.asked} == {0, 1}


def test_what_a_method_finds_wrong_with_the_prompts_is_told_before_anything_is_asked(config: lidr.Config) -> None:
    engine = Echo()
    with pytest.raises(lidr.InputError, match="one prompt is too few"):
        lidr.build_pairs(config.model_copy(update={"max_prompts": 1}), method=Longest(), engine=engine)
    assert not engine.asked
    assert not Path(config.output_dir).exists()


def test_alignment_makes_rows_to_imitate(config: lidr.Config) -> None:
    engine = Echo()
    built = lidr.build_pairs(config.model_copy(update={"method": "alignment"}), engine=engine)
    rows = rows_of(built.run.dataset("lidr"))
    assert rows
    assert {row["output_source"] for row in rows} == {"translation:en->de"}
    assert all(row["instruction"].startswith("[de]") and row["output"] for row in rows)
    entry = json.loads(built.run.dataset_info.read_text())["lidr"]
    assert entry["columns"] == {"prompt": "instruction", "query": "input", "response": "output"}
    assert "ranking" not in entry
    assert "stage: sft" in built.run.train_yaml.read_text()
    assert not [request for request in engine.asked if request.messages[0].content.startswith("[de]")], (
        "the other language's answers are not needed"
    )


@pytest.mark.parametrize("how", ["full", "lora", "qlora"])
@pytest.mark.parametrize(("method", "stage"), [("imbalance", "dpo"), ("alignment", "sft")])
def test_what_is_made_and_how_it_is_trained_are_two_axes(
    config: lidr.Config, how: str, method: str, stage: str
) -> None:
    made = lidr.Config(**{**config.model_dump(), "method": method, "train": {"method": how}})
    built = lidr.build_pairs(made, engine=Echo())
    recipe = built.run.train_yaml.read_text()
    assert f"stage: {stage}" in recipe
    assert f"finetuning_type: {'full' if how == 'full' else 'lora'}" in recipe
    assert ("quantization_bit: 4" in recipe) == (how == "qlora")
    assert ("pref_ftx" in recipe) == (stage == "dpo")


def test_the_old_name_of_the_baseline_means_alignment_with_full_training() -> None:
    given: dict[str, Any] = {"model_name_or_path": "m", "languages": ["de"], "prompts": "{language}.jsonl"}
    config = lidr.Config(**given, train={"method": "sft_baseline"})
    assert (config.method, config.train.method, config.stage) == ("alignment", "full", "sft")
    with pytest.raises(ValueError, match="sft_baseline means method: alignment"):
        lidr.Config(**given, method="imbalance", train={"method": "sft_baseline"})


def test_the_library_loads_light(tmp_path: Path) -> None:
    code = (
        "import sys\nimport lidr_plugin as lidr\nlidr.InputError\n"
        "print([x for x in ('pydantic', 'torch', 'aiohttp', 'yaml') if x in sys.modules])\n"
        "assert set(lidr.__all__) <= {name for name in lidr.__all__ if getattr(lidr, name) is not None}\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
