"""What shards must know of each other before the first row: the price of a character, as the run without shards finds it."""

import json
from pathlib import Path
from typing import Any

import pytest

import lidr_plugin as lidr
from lidr_plugin.completions.requests import Score
from lidr_plugin.dataset.build import Built
from tests.conftest import files_of
from tests.support.model import digest
from tests.support.samples import Samples, config_of, method_of

OTHER = {"model": "other", "base_url": "http://127.0.0.1:9/v1"}
"""A scorer, in whose place the tests put one of their own."""


class Talker(Samples):
    """Answers of many lengths."""

    def answer(self, request: lidr.Chat) -> lidr.Completion:
        number = digest(f"{request.messages[-1].content} {request.sample}")
        return lidr.Completion(f"{number} ".ljust(20 + number % 300, "x"), "stop", 1, 1)


def liked(request: Score) -> list[float]:
    """A reward that likes length, and something else in each text."""
    return [len(request.text) * 0.01 + digest(request.text) % 7]


class Runs:
    """A run with and without shards of the same prompts, and all that was asked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.engine, self.scorer = Talker({}), Samples({}, values=liked)

    def config(self, name: str, **rank: Any) -> lidr.Config:
        rows = [{code: f"[{code}] prompt {number}" for code in ("en", "de", "es")} for number in range(11)]
        wanted = {"by": "reward", "samples": 4, "scorer": OTHER, "dominant": False, "length_control": "auto", **rank}
        return config_of(self._folder, ["de", "es"], wanted, rows=rows, output_dir=str(self._folder / name))

    def build(self, config: lidr.Config, shard: str | None = None) -> Built:
        return lidr.build_pairs(config, shard=shard, method=method_of(config, self.scorer), engine=self.engine)


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def test_shards_find_the_price_of_a_character_together(runs: Runs, tmp_path: Path) -> None:
    whole = runs.build(runs.config("whole")).report["ranking"]
    assert set(whole["length_control"]) == {"de", "es"}
    assert all(whole["length_control"].values())
    config = runs.config("shards")
    with pytest.raises(lidr.RunError, match="waits for what a character costs in shards 1/3, 2/3") as first:
        runs.build(config, "0/3")
    assert "then shard 0/3 again" in first.value.hint
    with pytest.raises(lidr.RunError, match=r"in shards 1/3$"):
        runs.build(config, "2/3")
    with pytest.raises(lidr.InputError, match="shard 0/3 is not finished"):
        lidr.merge(config)
    runs.build(config, "1/3")
    asked = len(runs.engine.asked), len(runs.scorer.scored)
    for shard in ("2/3", "0/3"):
        runs.build(config, shard)
    assert (len(runs.engine.asked), len(runs.scorer.scored)) == asked, "all of it is in the stores"
    assert lidr.merge(config).report["ranking"] == whole
    assert files_of(tmp_path / "shards") == files_of(tmp_path / "whole")


def test_a_survey_of_other_settings_is_not_taken(runs: Runs) -> None:
    with pytest.raises(lidr.RunError, match="in shards 1/2"):
        runs.build(runs.config("shards", samples=3), "0/2")
    config = runs.config("shards")
    with pytest.raises(lidr.RunError, match="in shards 0/2"):
        runs.build(config, "1/2")
    runs.build(config, "0/2")
    runs.build(config, "1/2")
    assert lidr.merge(config).report["ranking"]["length_control"]


def test_a_damaged_survey_is_named(runs: Runs, tmp_path: Path) -> None:
    config = runs.config("shards")
    with pytest.raises(lidr.RunError, match="in shards 1/2"):
        runs.build(config, "0/2")
    file = tmp_path / "shards/shards/0-of-2/survey.json"
    assert len(json.loads(file.read_text())["found"]["de"]) == 1000
    file.write_text('{"made":')
    with pytest.raises(lidr.InputError, match=r"survey\.json"):
        runs.build(config, "1/2")


def test_shards_that_do_not_see_each_other_are_refused(runs: Runs, tmp_path: Path) -> None:
    config = runs.config("shards").model_copy(update={"shards_dir": str(tmp_path / "elsewhere")})
    with pytest.raises(lidr.InputError, match="with shards_dir a shard sees its own alone"):
        runs.build(config, "0/2")
    assert not runs.engine.asked
