"""`train.json`: what earlier versions wrote is read, nothing in it is lost, and damage is named."""

import json
from pathlib import Path
from typing import Any

import pytest

from lidr_plugin.errors import InputError
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training.state import read_state, write_state
from tests.conftest import Lidr, write_config
from tests.support.trained import pretend

BY_VERSION_0_1: dict[str, Any] = {
    "status": "done",
    "training": {
        "stage": "dpo",
        "finetuning_type": "lora",
        "learning_rate": 0.001,
        "dataset": "demo",
        "model_bytes": 1,
    },
    "result": {"epoch": 4.0, "train_loss": 6.17, "train_runtime": 25.3, "eval_rewards/margins": 0.5, "last_loss": 6.05},
    "merge": {
        "modules": 14,
        "zero": [],
        "unchanged": ["lm_head"],
        "weights_changed": 0.99,
        "update_kept": 1.0,
        "shift": 0.03,
        "error": 0.0001,
        "lost": 0.003,
        "kl_base_to_trained": 0.00045,
        "kl_saved_to_trained": 0.0,
        "broken": "",
    },
}


def test_what_version_0_1_wrote_is_read_and_written_again_without_a_loss(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    assert read_state(run) is None
    for status in ("done", "trained", "begun"):
        parts = {"done": 4, "trained": 3, "begun": 2}[status]
        written = {**dict(list(BY_VERSION_0_1.items())[:parts]), "status": status}
        run.train_json.write_text(json.dumps(written))
        state = read_state(run)
        assert state is not None
        assert (state.status, state.result is None, state.merge is None) == (status, parts < 3, parts < 4)
        write_state(run, state)
        assert json.loads(run.train_json.read_text()) == written


def test_numbers_that_are_told_are_attributes(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.train_json.write_text(json.dumps(BY_VERSION_0_1))
    state = read_state(run)
    assert state
    assert state.result
    assert (state.result.train_loss, state.result.train_runtime, state.result.last_loss) == (6.17, 25.3, 6.05)
    assert state.merge
    assert (state.merge.modules, state.merge.lost, state.merge.update_kept) == (14, 0.003, 1.0)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"status": "done", "trai', "not valid JSON"),
        ("[]", "dictionary"),
        ('{"status": "ended", "training": {}}', "damaged at status: "),
        ('{"status": "done", "training": {}, "merge": {"modules": 14}}', "damaged at merge.zero: "),
    ],
)
def test_a_damaged_file_is_named_with_the_place_and_what_to_do(
    text: str, place: str, tmp_path: Path, lidr: Lidr
) -> None:
    env = pretend(tmp_path, tmp_path)
    run = RunDirectory(tmp_path / "run")
    run.train_json.write_text(text)
    with pytest.raises(InputError, match=place):
        read_state(run)
    done = lidr("train", write_config(tmp_path), env=env)
    assert done.returncode == 2
    assert str(run.train_json) in done.stderr
    assert place in done.stderr
    assert "lidr train --restart" in done.stderr
    assert run.train_json.read_text() == text
