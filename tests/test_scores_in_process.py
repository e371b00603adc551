"""Scores by transformers in this process, beside the same numbers worked out token by token."""

from pathlib import Path
from typing import Any

import pytest

from lidr_plugin.completions.translation_codes import codes_of
from lidr_plugin.config.schema import Config
from tests.support.trained import in_train

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def found(train_python: Path, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    made: dict[str, Any] = in_train(train_python, "scores", tiny, tmp_path_factory.mktemp("scores"))
    return made


def close(values: list[float]) -> Any:
    return pytest.approx(values, abs=1e-4)


def test_a_log_probability_is_that_of_each_token_from_the_first_to_the_end_of_the_turn(found: dict[str, Any]) -> None:
    whole, cut, empty, too_long = found["causal"]["found"][:4]
    assert [whole, cut, empty] == [close(values) for values in found["causal"]["plain"]]
    assert found["causal"]["policy"] == whole
    assert "and the model's context has 2048" in too_long


def test_a_score_is_the_same_whatever_else_waits(found: dict[str, Any]) -> None:
    assert found["causal"]["same whatever waits"]


def test_a_hidden_layer_is_the_mean_over_the_text_without_its_end(found: dict[str, Any]) -> None:
    *layers, beyond = found["causal"]["found"][4:]
    assert layers == [close(values) for values in found["causal"]["layers"]]
    assert "no hidden layer 3: the model has 0 (its embeddings) to 2" in beyond


def test_a_reward_is_the_raw_number_of_a_trained_head_with_one_output(found: dict[str, Any]) -> None:
    rewards = found["rewards"]
    assert rewards["found"][0] == close([rewards["plain"]])
    assert "and the model's context has 2048" in rewards["found"][1]
    assert "it has 2 outputs: a reward model has one" in rewards["two outputs"][0]
    assert "it has no trained head for rewards (score.weight)" in rewards["no head"][0]


def test_an_embedding_is_pooled_as_the_encoder_says(found: dict[str, Any]) -> None:
    encoders = found["encoders"]
    for way, values in encoders["plain"].items():
        assert encoders["found"][way][0] == close(values), way
    assert "and the model's context has 20" in encoders["found"]["pooler"][1]
    assert "1_Pooling/config.json: pooling_mode_max" in encoders["found"]["max"][0]
    assert "modules.json has Dense" in encoders["found"]["dense"][0]


@pytest.mark.parametrize("kind", ["tagged sources", "tagged texts"])
def test_a_translation_is_scored_without_the_tag_of_its_language(kind: str, found: dict[str, Any]) -> None:
    whole, cut, unknown, *chat = found[kind]["found"]
    assert whole == close(found[kind]["plain"])
    assert cut[1] == whole[1] - 1
    assert "the model knows no language" in unknown
    assert all("is asked with a turn `source:CODE`" in said for said in chat)


@pytest.mark.parametrize("kind", ["tagged sources", "tagged texts"])
def test_a_translation_is_the_same_whatever_it_is_batched_with_and_leaves_code_as_it_is(
    kind: str, found: dict[str, Any]
) -> None:
    answers = found[kind]["written"]["answers"]
    assert [text for text, *_ in answers] == found[kind]["said"]
    assert all(found[kind]["said"]), "a model that says nothing would prove nothing"
    reasons = ["stop", "length", "stop"] if kind == "tagged sources" else ["length", "length"]
    assert [reason for _, reason, *_ in answers] == reasons
    assert all(new <= 6 for *_, new in answers)
    assert found[kind]["written"]["score"][1] > 1


@pytest.mark.parametrize(
    ("kind", "codes"),
    [("tagged sources", {"en": "en", "de": "de"}), ("tagged texts", {"en": "eng_Latn", "de": "deu_Latn"})],
)
def test_the_codes_are_found_in_what_transformers_saves(
    kind: str, codes: dict[str, str], found: dict[str, Any]
) -> None:
    engine = {"model_name_or_path": found[kind]["written"]["folder"], "backend": "transformers"}
    run = {"model_name_or_path": "m", "languages": ["de"], "prompts": "{language}.jsonl"}
    assert codes_of(Config.model_validate({**run, "translation": {"engine": engine}})) == codes


def test_a_model_that_is_not_there_is_told(found: dict[str, Any]) -> None:
    assert "the model cannot be loaded" in found["missing"][0]
