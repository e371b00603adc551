"""Several datasets in one training: `train.dataset` with names beside the run's own."""

import json
from pathlib import Path
from typing import Any

import pytest

from lidr_plugin.config.file import load
from lidr_plugin.errors import InputError
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training.datasets import check_others, digests_of_others, names_in, own_name
from lidr_plugin.training.recipe import recipe_for
from tests.conftest import Lidr, prompts, rows_of, write_config, write_prompts
from tests.support.server import FakeServer, running
from tests.support.trained import loaded, recipe

PAIR = {"instruction": "1 + 1?", "input": "", "chosen": "2", "rejected": "3"}


def add(data: Path, name: str, *, ranking: bool = True, **entry: Any) -> None:
    """A dataset of somebody else's, with its entry."""
    (data / f"{name}.jsonl").write_text(json.dumps(PAIR) + "\n")
    path = data / "dataset_info.json"
    info = json.loads(path.read_text()) if path.exists() else {}
    columns = {"prompt": "instruction", "query": "input", "chosen": "chosen", "rejected": "rejected"}
    own = {"file_name": f"{name}.jsonl", "ranking": ranking, "columns": columns, **entry}
    path.write_text(json.dumps({**info, name: own}))


def settings(data: Path, dataset: str, stage: str = "dpo") -> dict[str, Any]:
    return {"dataset": dataset, "dataset_dir": str(data), "stage": stage}


def test_the_own_rows_are_the_runs_or_the_first(tmp_path: Path) -> None:
    found = settings(tmp_path, "other, demo")
    assert names_in(found) == ["other", "demo"]
    assert own_name(found, "demo") == "demo"
    assert own_name(found, "unknown") == "other"


def test_a_dataset_that_llamafactory_would_not_find_is_named_with_what_there_is(tmp_path: Path) -> None:
    add(tmp_path, "demo")
    with pytest.raises(InputError, match=r"sums has no entry in .*dataset_info\.json, which has demo"):
        check_others(settings(tmp_path, "demo,sums"), "demo")
    add(tmp_path, "sums", file_name="gone.jsonl")
    with pytest.raises(InputError, match=r"gone\.jsonl: no such file"):
        check_others(settings(tmp_path, "demo,sums"), "demo")
    add(tmp_path, "sums", ranking=False)
    with pytest.raises(InputError, match="sums has SFT rows, and demo has pairs"):
        check_others(settings(tmp_path, "demo,sums"), "demo")
    add(tmp_path, "sums")
    check_others(settings(tmp_path, "demo,sums"), "demo")


def test_a_training_knows_the_bytes_of_the_others(tmp_path: Path) -> None:
    add(tmp_path, "demo")
    add(tmp_path, "sums")
    before = digests_of_others(settings(tmp_path, "demo,sums"), "demo")
    (tmp_path / "sums.jsonl").write_text(json.dumps({**PAIR, "chosen": "two"}) + "\n")
    after = digests_of_others(settings(tmp_path, "demo,sums"), "demo")
    assert list(before) == list(after) == ["sums"]
    assert before != after
    assert digests_of_others(settings(tmp_path, "demo"), "demo") == {}


@pytest.mark.parametrize("named", ['["demo", "sums"]', '"demo,sums"'])
def test_a_list_and_a_text_with_commas_are_one(tmp_path: Path, named: str) -> None:
    config = load(write_config(tmp_path), [f"train.dataset={named}"])
    text = recipe_for(config, RunDirectory(tmp_path / "run"), "dpo")
    assert "dataset: demo,sums\n" in text
    assert "pairs and those of 1 more dataset," in text


@pytest.mark.train
def test_llamafactory_reads_the_runs_rows_and_those_of_another_dataset(
    train_python: Path, tiny: Path, tmp_path: Path, lidr: Lidr
) -> None:
    write_prompts(tmp_path, prompts(4))
    with running(FakeServer()) as url:
        config = write_config(tmp_path, engine__base_url=url, train={"method": "lora", "dataset": ["demo", "sums"]})
        assert lidr("build-pairs", config).returncode == 0
        add(tmp_path / "run/data", "sums")
        assert lidr("build-pairs", config).returncode == 0, "the entry of the other one is kept"
    assert recipe(tmp_path / "run")["dataset"] == "demo,sums"
    (found,) = loaded(train_python, tiny, tmp_path / "run")
    own = rows_of(tmp_path / "run/data/demo.jsonl")
    answers = [[answer["content"] for answer in row["_response"]] for row in found["rows"]]
    assert answers == [*([row["chosen"], row["rejected"]] for row in own), ["2", "3"]]
