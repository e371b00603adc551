"""MEXA: whether a model represents a text in two languages alike."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

import lidr_plugin as lidr
from lidr_plugin.completions.client import Model
from lidr_plugin.completions.requests import Completion, Score
from lidr_plugin.evaluation import probe as probing
from lidr_plugin.evaluation.intervals import Share
from lidr_plugin.evaluation.mexa import aligned, alignments, layers_for
from lidr_plugin.evaluation.results import read_probe
from tests.conftest import Lidr, prompts, write_config, write_prompts
from tests.support.fake import Fake
from tests.support.model import answer, digest


def test_a_pair_is_aligned_where_it_is_closer_than_all_else_in_its_row_and_column() -> None:
    """The worked example of the method."""
    similarity = np.array([[0.9, 0.2, 0.1], [0.3, 0.8, 0.85], [0.1, 0.2, 0.7]])
    assert aligned(similarity).tolist() == [True, False, False]


def test_what_is_even_is_not_aligned() -> None:
    assert aligned(np.ones((3, 3))).tolist() == [False] * 3
    assert aligned(np.eye(3)).tolist() == [True] * 3


def test_the_shares_are_those_of_the_prompts_that_are_there_in_both_by_layer() -> None:
    one, other = [1.0, 0.0], [0.0, 1.0]
    sample = [
        {("en", 4): one, ("de", 4): one, ("en", 8): one, ("de", 8): other, ("es", 4): one},
        {("en", 4): other, ("de", 4): [0.0, 7.0], ("en", 8): other, ("de", 8): one},
        {("de", 4): one},
        {},
    ]
    found = alignments(sample, "en", ["de", "es"])
    assert found["de"].layers == {"4": Share(2, 2), "8": Share(0, 2)}
    assert found["de"].best == "4"
    assert "es" not in found, "of one prompt nothing is told"


def angle(request: Score) -> tuple[float, ...]:
    """A model that knows which boat a text is about, but for Spanish and in the deepest layer alone."""
    number = int(request.text.split("number ")[1].split(".")[0])
    turn = digest(f"{request.text} {request.layer}") if "[es]" in request.text or request.layer != 6 else number
    return math.cos(turn), math.sin(turn)


def test_the_probe_tells_it_by_language_and_asks_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_prompts(tmp_path, prompts(12))
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text(json.dumps({"num_hidden_layers": 8}))
    engines = []

    def policy(config: lidr.Config) -> Model:
        engines.append(
            Fake(
                lambda x: Completion(*answer([turn._asdict() for turn in x.messages]), 1, 1, bool(x.prefill)),
                values=angle,
            )
        )
        return Model(engines[-1], 16, 0, "m")

    monkeypatch.setattr("lidr_plugin.dataset.prepare.policy_of", policy)
    config = lidr.load(write_config(tmp_path, model_name_or_path=str(tmp_path / "model")))
    assert layers_for(config) == (2, 4, 6)
    found = probing.probe(config, sample=12, mexa=True)
    assert len(engines[0].scored) == 12 * 4 * 3
    assert found.mexa["de"].layers["6"] == found.mexa["fr"].layers["6"] == Share(12, 12)
    assert found.mexa["de"].best == "6"
    assert all(share.share < 0.6 for share in found.mexa["es"].layers.values())
    assert read_probe(tmp_path / "run/probe.json") == found
    assert probing.probe(config, sample=12, mexa=True) == found
    assert not engines[1].scored
    assert not probing.probe(config, sample=12).mexa


def test_an_engine_without_hidden_layers_is_told_before_anything_is_asked(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(3))
    done = lidr("probe", write_config(tmp_path), "--mexa")
    assert done.returncode == 2
    assert "no hidden layers" in done.stderr
    assert not (tmp_path / "run").exists()
