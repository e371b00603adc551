"""`method: rank`: samples of one language against each other."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

import lidr_plugin as lidr
from lidr_plugin.methods.base import Preference
from tests.conftest import Lidr, prompts, rows_of, write_config, write_prompts
from tests.support.samples import CUT, Samples, config_of, outcomes
from tests.support.server import FakeServer, running

EIGHT = ["12", "So 12", "It is 12", "12.", "= 12", "7", "It is 7", "9"]
"""The final numbers of section 3.2 (f): 12 five times, 7 twice, 9 once."""


def built(config: lidr.Config, engine: Samples) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows and drops of a run."""
    run = lidr.build_pairs(config, engine=engine).run
    return rows_of(run.dataset("lidr")), rows_of(run.rejected)


def sides(outcome: lidr.Outcome, language: str) -> list[tuple[str, str]]:
    """Chosen and rejected of a language's rows, by where they come from."""
    found = []
    for row in outcome.rows:
        assert isinstance(row, Preference)
        if row.language == language:
            found.append((row.chosen_source, row.rejected_source))
    return found


def test_votes_within_a_language_write_a_pair_as_often_as_its_votes_differ(tmp_path: Path) -> None:
    config = config_of(tmp_path, ["de"], {"by": "vote", "samples": 8})
    rows, drops = built(config, Samples({"en": EIGHT, "de": EIGHT}))
    assert [row["language"] for row in rows] == ["en"] * 4 + ["de"] * 4
    told = {key: rows[4][key] for key in ("chosen_source", "rejected_source", "chosen_score", "rejected_score")}
    assert told == {
        "chosen_source": "response:de#0",
        "rejected_source": "response:de#7",
        "chosen_score": "5",
        "rejected_score": "1",
    }
    assert (rows[4]["weight"], rows[4]["ranker"]) == ("0.5", "vote")
    assert (rows[4]["chosen"], rows[4]["rejected"]) == ("12", "9")
    assert not drops


def test_a_winner_below_the_threshold_makes_no_pair(tmp_path: Path) -> None:
    config = config_of(tmp_path, ["de"], {"by": "vote", "samples": 8, "threshold": 0.7})
    rows, drops = built(config, Samples({"en": EIGHT, "de": EIGHT}))
    assert not rows
    assert [row["reason"] for row in drops] == ["no_majority"] * 2


def test_seven_of_ten_are_a_share_of_seven_tenths(tmp_path: Path) -> None:
    answers = ["1", "1 ", "so 1", "= 1", "it's 1", "1.", "(1)", "2", "3", "4"]
    config = config_of(tmp_path, ["de"], {"by": "vote", "samples": 10, "threshold": 0.7})
    (outcome,) = outcomes(config, Samples({"en": answers, "de": answers}))
    assert sides(outcome, "de")[0] == ("response:de#0", "response:de#7")


POOLED = {"en": ["12", "So it is 12"], "de": ["12", "7"], "sw": ["7", "9"]}


def test_votes_over_all_languages_bring_the_winner_where_nobody_said_it(tmp_path: Path) -> None:
    rank = {"by": "vote", "samples": 2, "pool": "all", "weights": "ignore", "select": "every", "pairs": 4}
    engine = Samples(POOLED, translations={("12", "Swahili"): "Ni 12"})
    config = config_of(tmp_path, ["de", "sw"], rank)
    rows, drops = built(config, engine)
    told = [(row["language"], row["chosen"], row["chosen_source"], row["rejected_source"]) for row in rows]
    assert ("de", "12", "response:de#0", "response:de#1") in told
    assert ("sw", "Ni 12", "translation:en#0->sw", "response:sw#1") in told
    weights = {(row["language"], row["rejected_source"]): row["weight"] for row in rows}
    assert weights["de", "response:de#1"] == "0.1667"
    assert weights["sw", "response:sw#1"] == "0.3333"
    assert [(row["language"], row["reason"]) for row in drops] == [("en", "no_contrast")]
    assert len([request for request in engine.asked if request.prefill]) == 1


def test_with_the_best_against_the_worst_swahili_is_written_twice(tmp_path: Path) -> None:
    engine = Samples(POOLED, translations={("12", "Swahili"): "Ni 12"})
    (outcome,) = outcomes(config_of(tmp_path, ["de", "sw"], {"by": "vote", "samples": 2, "pool": "all"}), engine)
    assert sides(outcome, "de") == [("response:de#0", "response:de#1")]
    assert sides(outcome, "sw") == [("translation:en#0->sw", "response:sw#1")] * 2


def test_a_translation_of_the_winner_that_says_something_else_is_not_chosen(tmp_path: Path) -> None:
    engine = Samples(POOLED, translations={("12", "Swahili"): "Ni 13"})
    _, drops = built(config_of(tmp_path, ["de", "sw"], {"by": "vote", "samples": 2, "pool": "all"}), engine)
    assert ("sw", "answer") in [(row["language"], row["reason"]) for row in drops]


def test_who_gives_no_number_or_was_cut_abstains_and_is_not_rejected(tmp_path: Path) -> None:
    answers = ["12", "it is 12", "so 12", "I do not know", f"7{CUT}", "7"]
    config = config_of(tmp_path, ["de"], {"by": "vote", "samples": 6})
    (outcome,) = outcomes(config, Samples({"en": answers, "de": answers}))
    assert set(sides(outcome, "de")) == {("response:de#0", "response:de#5")}
    row = outcome.rows[0]
    assert isinstance(row, Preference)
    assert (row.chosen_score, row.rejected_score) == (3, 1)


def test_answers_in_another_language_are_not_chosen_whatever_the_votes_say(tmp_path: Path) -> None:
    english = "The answer to this question is that there are 12 apples in the basket."
    german = "Die Antwort auf diese Frage lautet, dass {} Äpfel in dem Korb auf dem Tisch liegen."
    answers = {"en": [english] * 3, "de": [english, german.format(12), german.format(7)]}
    config = config_of(tmp_path, ["de"], {"by": "vote", "samples": 3}, filters={})
    (outcome,) = outcomes(config, Samples(answers))
    assert sides(outcome, "de") == [("response:de#1", "response:de#2")]
    answers["de"] = [english, english + " Yes.", german.format(7)]
    (outcome,) = outcomes(config, Samples(answers))
    assert not sides(outcome, "de")
    assert [(drop.row.language, drop.reason) for drop in outcome.drops] == [("en", "no_contrast"), ("de", "off_target")]


def test_right_answers_stand_against_wrong_ones_in_their_order(tmp_path: Path) -> None:
    rank = {"by": "answer", "samples": 4, "select": "contrast", "pairs": 2}
    config = config_of(tmp_path, ["de"], rank, extra={"final_answer": "12"})
    finals = ["12", "7", "so 12", "9"]
    (outcome,) = outcomes(config, Samples({"en": ["12", "is 12", "12!", "= 12"], "de": finals}))
    assert sides(outcome, "de") == [("response:de#0", "response:de#1"), ("response:de#2", "response:de#3")]
    assert [(drop.row.language, drop.reason) for drop in outcome.drops] == [("en", "no_contrast")]


def test_ranking_by_answers_needs_answers(tmp_path: Path) -> None:
    config = config_of(tmp_path, ["de"], {"by": "answer", "samples": 2})
    with pytest.raises(lidr.InputError, match=r"rank\.by: answer: prompt '0' has no final answer"):
        lidr.build_pairs(config, engine=Samples({}))


def test_a_final_answer_decides_where_there_is_one_and_votes_do_elsewhere(tmp_path: Path) -> None:
    rank = {"by": "vote", "samples": 3}
    config = config_of(tmp_path, ["de"], rank, task="math", answer_filter="contrast", extra={"final_answer": "7"})
    config = config.model_copy(update={"prompt_template": "{prompt}"})
    answers = ["12", "so 12", "7"]
    rows, _ = built(config, Samples({"en": answers, "de": answers}))
    assert [(row["chosen"], row["rejected"], row["weight"]) for row in rows] == [("7", "12", "1")] * 6


def test_the_greedy_answer_is_the_one_that_imbalance_asks_for(tmp_path: Path) -> None:
    config = config_of(tmp_path, ["de"], {"by": "vote", "samples": 2, "include_greedy": True})
    engine = Samples({"en": ["12", "7"], "de": ["12", "7"]}, greedy={"en": "So 12", "de": "So 12"})
    rows, _ = built(config, engine)
    assert (rows[0]["chosen_source"], rows[0]["rejected_source"]) == ("response:en", "response:en#1")
    greedy = [request for request in engine.asked if request.sampling.temperature == 0]
    assert {(request.sample, request.sampling.repetition_penalty) for request in greedy} == {(0, 1.1)}


def test_samples_differ_in_their_number_alone_and_are_asked_once(tmp_path: Path) -> None:
    config = config_of(tmp_path, ["de"], {"by": "vote", "samples": 3, "temperature": 0.7})
    engine = Samples({"en": EIGHT, "de": EIGHT})
    lidr.build_pairs(config, engine=engine)
    german = [request for request in engine.asked if request.messages[0].content.startswith("[de]")]
    assert sorted(request.sample for request in german) == [0, 1, 2]
    assert len({request._replace(sample=0, row="") for request in german}) == 1
    again = Samples({})
    lidr.build_pairs(config, engine=again)
    assert not again.asked


def test_a_request_that_failed_takes_its_sample_and_not_the_prompt(tmp_path: Path) -> None:
    class Refusing(Samples):
        async def complete(self, request: lidr.Chat) -> lidr.Completion:
            if request.sample == 0 or (request.sample == 1 and request.messages[0].content.startswith("[en]")):
                raise lidr.RequestError("refused")
            return await super().complete(request)

    engine = {"concurrency": 4, "max_failures": 10}
    config = config_of(tmp_path, ["de"], {"by": "vote", "samples": 3, "threshold": 0.3}, engine=engine)
    rows, drops = built(config, Refusing({"en": ["1", "2", "3"], "de": ["1", "12", "12 or 12"]}))
    assert not rows
    assert [(row["language"], row["reason"]) for row in drops] == [
        ("en", "request_failed"),
        ("de", "no_contrast"),
    ]


@pytest.mark.parametrize("rank", [{"select": "every", "pairs": 4}, {"pool": "all"}, {"weights": "thin"}])
def test_the_order_of_the_answers_does_not_matter(tmp_path: Path, rank: dict[str, Any]) -> None:
    config = config_of(tmp_path, ["de", "sw"], {"by": "vote", "samples": 8, "threshold": 0.1, **rank})
    spread = {"en": EIGHT, "de": ["7", "9", *EIGHT[2:]], "sw": ["4", "5", "6", "4", "5", "6", "4", "8"]}
    engine = Samples(spread, translations={("12", "Swahili"): "Ni 12"})
    first = outcomes(config, engine)
    assert any(outcome.rows or outcome.drops for outcome in first)
    for seed in range(20):
        assert outcomes(config, engine, random.Random(seed)) == first


def test_the_command_builds_from_votes_and_says_before_what_it_will_ask(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(3, ["en", "de"]))
    server = FakeServer()

    def spoken(body: dict[str, Any]) -> dict[str, Any]:
        number = 7 if body["seed"] == 45 else 12
        words = {"[en]": "That makes {} boats in the harbour.", "[de]": "Das sind zusammen {} Boote im alten Hafen."}
        text = words[body["messages"][-1]["content"][:4]].format(number)
        return {"message": {"role": "assistant", "content": text}}

    server.script = spoken
    rank = {"by": "vote", "samples": 4}
    with running(server) as url:
        path = write_config(tmp_path, engine__base_url=url, languages=["de"], method="rank", rank=rank)
        dry = lidr("build-pairs", path, "--dry-run")
        assert dry.returncode == 0, dry.stderr
        assert "24" in dry.stdout
        done = lidr("build-pairs", path)
    assert done.returncode == 0, done.stderr
    assert len(server.asked) == 24
    rows = rows_of(tmp_path / "run/data/demo.jsonl")
    assert {row["rejected_source"] for row in rows} == {"response:en#3", "response:de#3"}
    report = json.loads((tmp_path / "run/report.json").read_text())
    for code in ("en", "de"):
        assert report["candidates"][code] == report["pairs"][code]
    recipe = yaml.safe_load((tmp_path / "run/train.yaml").read_text())
    assert recipe["stage"] == "dpo"


@pytest.mark.parametrize(
    ("rank", "problems"),
    [
        ({"temperature": 0}, ["rank.temperature: at 0 all 8 samples are one text"]),
        ({"samples": 1}, ["rank.samples: a pair needs two answers"]),
        (
            {"by": "reward", "threshold": 0.6, "weights": "copies", "select": "contrast"},
            ["rank.threshold", "rank.weights", "rank.select", "rank.scorer: by: reward needs a reward model"],
        ),
        ({"by": "implicit"}, ["rank.scorer: by: implicit needs the reference"]),
        ({"by": "judge", "samples": 4}, ["rank.samples: a judge compares two answers"]),
        ({"by": "judge", "samples": 2, "grades": 3}, ["rank.grades: needs by: grade"]),
        ({"by": "answer", "pool": "all"}, ["rank.pool: all needs by: vote or by: reward"]),
        ({"by": "vote", "length_control": 0.01}, ["rank.length_control: needs by: implicit or by: reward"]),
        ({"scorer": {"model": "rm"}}, ["rank.scorer: by: vote asks no model"]),
        ({"tempreature": 1}, ["rank.tempreature: unknown key; did you mean rank.temperature?"]),
    ],
)
def test_contradictions_are_told_all_at_once(tmp_path: Path, rank: dict[str, Any], problems: list[str]) -> None:
    with pytest.raises(lidr.InputError) as caught:
        config_of(tmp_path, ["de"], rank)
    for problem in problems:
        assert problem in str(caught.value)
