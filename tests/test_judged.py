"""Rankers that ask a judge: `rank.by: judge` and `grade`."""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import lidr_plugin as lidr
from lidr_plugin.methods.base import Preference
from tests.conftest import rows_of
from tests.support.samples import CUT, Samples, config_of, method_of, outcomes

TWO = {"en": ["short", "long"], "de": ["kurz", "lang"]}
OTHER = {"model": "other", "base_url": "http://127.0.0.1:9/v1"}
"""A judge, in whose place the tests put one of their own."""


def shown(asked: str) -> tuple[str, ...]:
    """The answers that a judge is shown, in their order."""
    return tuple(re.findall(r"\[Answer(?: [AB])?\]\n(.*?)\n\[End of answer", asked, re.DOTALL))


def prefers(*liked: str) -> Callable[[str], str]:
    """A judge that names these texts wherever they stand, and of others the first."""
    return lambda asked: "B" if shown(asked)[1] in liked and shown(asked)[0] not in liked else "A"


def judged(folder: Path, judge: Callable[[str], str | None], answers: Sequence[str] = TWO["de"]) -> lidr.Outcome:
    config = config_of(folder, ["de"], {"by": "judge", "samples": 2, "dominant": False})
    (outcome,) = outcomes(config, Samples({"de": answers}, judge=judge))
    return outcome


def graded(folder: Path, grades: Mapping[str, str | None], **rank: Any) -> lidr.Outcome:
    wanted = {"by": "grade", "samples": len(grades), "dominant": False, **rank}
    engine = Samples({"de": list(grades)}, judge=lambda asked: grades[shown(asked)[0]])
    (outcome,) = outcomes(config_of(folder, ["de"], wanted), engine)
    return outcome


def pair(outcome: lidr.Outcome) -> tuple[str, float | None, str, float | None]:
    """The one pair, with its scores."""
    (row,) = outcome.rows
    assert isinstance(row, Preference)
    return row.chosen.text, row.chosen_score, row.rejected.text, row.rejected_score


def reasons(outcome: lidr.Outcome) -> list[str]:
    assert not outcome.rows
    return [drop.reason for drop in outcome.drops]


# --- judge ---


def test_what_is_preferred_in_both_orders_is_chosen(tmp_path: Path) -> None:
    assert pair(judged(tmp_path, prefers("kurz"))) == ("kurz", 2, "lang", 0)
    assert pair(judged(tmp_path, prefers("lang"))) == ("lang", 2, "kurz", 0)


@pytest.mark.parametrize("replies", [("A", "A"), ("B", "B"), ("tie", "tie"), ("A", "tie"), ("tie", "A")])
def test_what_holds_in_one_order_alone_is_no_pair(tmp_path: Path, replies: tuple[str, str]) -> None:
    outcome = judged(tmp_path, lambda asked: replies[shown(asked)[0] == "lang"])
    assert reasons(outcome) == ["no_contrast"]


@pytest.mark.parametrize("place", [0, 1])
def test_a_verdict_that_cannot_be_read_is_no_vote_for_either(tmp_path: Path, place: int) -> None:
    replies = ["Both have their merits, I cannot say.", "A"]
    outcome = judged(tmp_path, lambda asked: replies[(shown(asked)[0] == "lang") != bool(place)])
    assert reasons(outcome) == ["unread"]
    assert reasons(judged(tmp_path, lambda asked: None)) == ["request_failed"]


def test_the_judge_sees_both_orders_of_the_answers_to_the_prompt_as_it_was_sent(tmp_path: Path) -> None:
    config = config_of(tmp_path, ["de"], {"by": "judge", "samples": 2})
    engine = Samples(TWO, judge=prefers("long", "lang"))
    built = lidr.build_pairs(config, engine=engine)
    asked = [request for request in engine.asked if request.top_logprobs]
    assert {shown(request.messages[0].content) for request in asked} == {
        ("short", "long"),
        ("long", "short"),
        ("kurz", "lang"),
        ("lang", "kurz"),
    }
    assert {request.messages[0].content.split("\n")[3][:4] for request in asked} == {"[en]", "[de]"}
    assert {(x.sampling.temperature, x.sampling.repetition_penalty) for x in asked} == {(0.0, 1.0)}
    rows = rows_of(built.run.dataset("lidr"))
    assert [(row["chosen"], row["rejected"], row["ranker"], row["chosen_score"]) for row in rows] == [
        ("long", "short", "judge", "2"),
        ("lang", "kurz", "judge", "2"),
    ]
    again = Samples({})
    lidr.build_pairs(config, engine=again)
    assert not again.asked, "no verdict is asked for twice"


def test_what_may_not_be_chosen_is_not_however_much_the_judge_likes_it(tmp_path: Path) -> None:
    assert reasons(judged(tmp_path, prefers("lang"), answers=["kurz", f"lang{CUT}"])) == ["no_contrast"]
    assert pair(judged(tmp_path, prefers("kurz"), answers=["kurz", f"lang{CUT}"]))[0] == "kurz"


def test_equal_or_useless_answers_are_not_judged(tmp_path: Path) -> None:
    def never(asked: str) -> str:
        raise AssertionError(asked)

    assert reasons(judged(tmp_path, never, answers=["kurz", "kurz "])) == ["no_contrast"]
    assert reasons(judged(tmp_path, never, answers=[f"kurz{CUT}", f"lang{CUT}"])) == ["truncated"]


def test_another_model_can_be_the_judge(tmp_path: Path) -> None:
    config = config_of(tmp_path, ["de"], {"by": "judge", "samples": 2, "scorer": OTHER})
    engine, other = Samples(TWO), Samples({}, judge=prefers("long", "lang"))
    report = lidr.build_pairs(config, method=method_of(config, other), engine=engine).report
    assert (len(engine.asked), len(other.asked)) == (4, 4)
    assert report["pairs"] == {"en": 1, "de": 1}


# --- a judge that goes by the place ---


def many(folder: Path, prompts: int, **rank: Any) -> lidr.Config:
    rows = [{code: f"[{code}] How many apples are in basket {n}?" for code in ("en", "de")} for n in range(prompts)]
    return config_of(folder, ["de"], {"by": "judge", "samples": 2, **rank}, rows=rows)


def test_a_judge_that_goes_by_the_place_stops_the_run_after_fifty_pairs_with_the_reason(tmp_path: Path) -> None:
    engine = Samples(TWO, judge=lambda asked: "A")
    with pytest.raises(lidr.RunError, match=r"after 50 pairs .* agree on 0\.0 .* goes by the place"):
        lidr.build_pairs(many(tmp_path, 300), engine=engine)
    assert not (tmp_path / "run/data/lidr.jsonl").exists()
    assert len(engine.asked) < 300 * 8, "the rest is not asked for"
    asked = len(engine.asked)
    with pytest.raises(lidr.RunError, match="goes by the place"):
        lidr.build_pairs(many(tmp_path, 25), engine=engine)
    assert len(engine.asked) == asked, "its verdicts are in the store"


def test_of_fewer_pairs_it_is_decided_at_the_end(tmp_path: Path) -> None:
    with pytest.raises(lidr.RunError, match="after 20 pairs"):
        lidr.build_pairs(many(tmp_path, 10), engine=Samples(TWO, judge=lambda asked: "B"))


def test_a_judge_that_goes_by_the_answers_is_not_stopped_whatever_comes_later(tmp_path: Path) -> None:
    def tired(asked: str) -> str:
        number = re.search(r"basket (\d+)", asked)
        assert number
        return prefers("long", "lang")(asked) if int(number[1]) < 25 else "A"

    report = lidr.build_pairs(many(tmp_path, 40), engine=Samples(TWO, judge=tired)).report
    assert report["pairs"] == {"en": 25, "de": 25}
    assert report["rejected"]["no_contrast"] == {"en": 15, "de": 15}


def test_ties_and_verdicts_that_cannot_be_read_are_no_bias(tmp_path: Path) -> None:
    report = lidr.build_pairs(many(tmp_path, 30), engine=Samples(TWO, judge=lambda asked: "tie")).report
    assert report["rejected"] == {"no_contrast": {"en": 30, "de": 30}}


# --- grade ---


def test_the_best_grade_is_chosen_and_the_worst_rejected_and_the_first_of_equals(tmp_path: Path) -> None:
    grades = {"a": "6", "b": "9", "c": "Grade: 2/10", "d": "9", "e": "2"}
    assert pair(graded(tmp_path, grades)) == ("b", 9, "c", 2)
    assert reasons(graded(tmp_path, {"a": "7", "b": "7"})) == ["no_contrast"]


def test_an_answer_whose_grade_cannot_be_read_is_neither_chosen_nor_rejected(tmp_path: Path) -> None:
    assert pair(graded(tmp_path, {"a": "5", "b": "It is a fine answer.", "c": "8", "d": "11"})) == ("c", 8, "a", 5)
    assert reasons(graded(tmp_path, {"a": "5", "b": "fine", "c": "-3"})) == ["unread"]
    assert reasons(graded(tmp_path, {"a": "5", "b": None})) == ["request_failed"]


def test_several_grades_are_drawn_and_their_mean_counts(tmp_path: Path) -> None:
    found = {"a": iter(["9", "4", "well"]), "b": iter(["5", "5", "8"])}
    engine = Samples({"de": ["a", "b"]}, judge=lambda asked: next(found[shown(asked)[0]]))
    config = config_of(tmp_path, ["de"], {"by": "grade", "samples": 2, "grades": 3, "dominant": False})
    lidr.build_pairs(config, engine=engine)
    (row,) = rows_of(tmp_path / "run/data/lidr.jsonl")
    assert (row["chosen"], row["chosen_score"], row["rejected"], row["rejected_score"]) == ("a", "6.5", "b", "6")
    drawn = [request for request in engine.asked if "[Answer]" in request.messages[0].content]
    assert sorted(request.sample for request in drawn) == [0, 0, 1, 1, 2, 2]
    assert {request.sampling.temperature for request in drawn} == {0.7}


@pytest.mark.parametrize("by", ["judge", "grade"])
def test_the_order_of_answers_and_verdicts_does_not_matter(tmp_path: Path, by: str) -> None:
    def judge(asked: str) -> str:
        number = sum(map(ord, asked)) % 11
        return str(number) if by == "grade" else ("A", "B", "tie", "well")[number % 4]

    config = config_of(tmp_path, ["de", "sw"], {"by": by, "samples": 2})
    engine = Samples({**TWO, "sw": ["fupi", "ndefu"]}, judge=judge)
    first = outcomes(config, engine)
    for seed in range(20):
        assert outcomes(config, engine, random.Random(seed)) == first


def test_the_dry_run_counts_what_the_judge_is_asked(tmp_path: Path) -> None:
    config = config_of(tmp_path, ["de"], {"by": "judge", "samples": 2}, engine={**OTHER, "backend": "openai"})
    found = lidr.dry_run(config)
    assert found.requests == 8
    assert shown(found.examples[-1].messages[0].content) == ("(the model's answer)", "(the model's answer 2)")
    grades = config.model_copy(update={"rank": config.rank.model_copy(update={"by": "grade", "grades": 2})})
    assert lidr.dry_run(grades).requests == 12
