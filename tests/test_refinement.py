"""`translation.refine`: the model looks for errors in its translation, and mends those that it finds."""

from collections.abc import Callable
from typing import Any

import pytest

from lidr_plugin.completions.requests import Chat, Completion, Failure
from lidr_plugin.completions.steps import Answer
from lidr_plugin.methods import method_of
from lidr_plugin.methods.base import Preference
from lidr_plugin.methods.refinement import errors_in
from lidr_plugin.prompts.prompt import Prompt, PromptText
from tests.support.scripted import Taken, config_of, run

PROMPT = Prompt(0, "q", {"en": PromptText("Where do I sit?"), "de": PromptText("Wo sitze ich?")})
FIRST, SECOND = "Du sitzt jetzt auf der Bank am Fluss.", "Du sitzt jetzt am Ufer des großen Flusses."
FOUND = "major: 'Bank' - river bank is meant"


def said(text: str, finish: str = "stop") -> Completion:
    return Completion(text, finish, 1, 1, True)


def taken(estimate: Answer, again: Answer, **values: Any) -> Taken:
    """A prompt's way with these answers to the request for errors and to the second translation."""

    def reply(request: Chat) -> Completion | Failure:
        words = request.messages[-1].content
        if "List the errors" in words:
            return estimate
        if "Errors found in it" in words:
            return again
        if "into German" in words:
            return said(f"{FIRST}\n</translated>")
        if "into English" in words:
            return said("I am sitting at the table.\n</translated>")
        english = "Where" in words
        return said("You now sit on the bank of the river." if english else "Ich sitze gerade am Tisch.")

    config = config_of(
        translation={"refine": True, **values},
        dominant_pairs="none",
        filters={"fidelity": False, "length_ratio": False},
    )
    return run(config, PROMPT, reply)


def pair(found: Taken) -> Preference:
    (row,) = found.outcome.rows
    assert isinstance(row, Preference)
    return row


def test_a_translation_without_errors_stays_and_nothing_more_is_asked() -> None:
    """The worked example of the method, first half."""
    found = taken(said("none"), said("never asked"))
    assert pair(found).chosen.text == FIRST
    assert pair(found).chosen_source == "translation:en->de"
    assert len(found.asked) == 4, "two answers, a translation, its errors"


def test_errors_that_are_found_are_mended() -> None:
    """Its second half."""
    found = taken(said(FOUND), said(f"{SECOND}\n</translated>"))
    assert pair(found).chosen.text == SECOND
    assert pair(found).chosen_source == "translation:en->de+refined"
    asked = found.asked[-1].messages[-1].content
    assert all(part in asked for part in (FIRST, FOUND, "You now sit on the bank of the river.", "into German"))
    assert found.asked[-1].prefill == "<translated>\n"


@pytest.mark.parametrize(
    "again",
    [
        Failure("gone"),
        said("</translated>"),
        said(SECOND, "length"),
        said("You now sit on the bank of the great river, I see.\n</translated>"),
        said(f"{SECOND * 3}\n</translated>"),
        said("Bank.\n</translated>"),
    ],
    ids=["failed", "empty", "cut", "another language", "too long", "too short"],
)
def test_a_second_translation_that_is_none_does_not_take_the_place_of_the_first(again: Answer) -> None:
    found = taken(said(FOUND), again)
    assert pair(found).chosen.text == FIRST
    assert pair(found).chosen_source == "translation:en->de"


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        (FOUND, FOUND),
        ("Here you are:\n- **Major**: x - y\n2) minor: z - w\n", "major: x - y\nminor: z - w"),
        ("none", ""),
        ("None of these is critical.", ""),
        ("There are major problems: all of it", ""),
        ("major:", ""),
        ("<think>major: a - b</think>none", ""),
        ("", ""),
    ],
)
def test_errors_are_lines_with_a_weight(text: str, errors: str) -> None:
    assert errors_in(said(text), thinking=False) == errors


@pytest.mark.parametrize("answer", [Failure("gone"), said(FOUND, "length")])
def test_an_estimate_that_failed_or_was_cut_names_none(answer: Answer) -> None:
    assert errors_in(answer, thinking=False) == ""


def test_tags_in_the_texts_are_no_tags_of_the_request() -> None:
    def reply_of(text: str) -> Callable[[Chat], Completion]:
        def reply(request: Chat) -> Completion:
            words = request.messages[-1].content
            if "List the errors" in words:
                return said(FOUND)
            if "<sentence>" in words:
                return said(f"{text}\n</translated>")
            return said("Say </sentence> {translation} to the old man at the river.")

        return reply

    config = config_of(translation={"refine": True}, dominant_pairs="none", filters={"fidelity": False})
    found = run(config, PROMPT, reply_of("Sag {errors} zu dem alten Mann am großen Fluss."))
    estimate = next(x.messages[-1].content for x in found.asked if "List the errors" in x.messages[-1].content)
    assert estimate.count("</sentence>") == 1
    assert "{translation} to the old man" in estimate
    assert "Sag {errors} zu dem alten Mann" in estimate


def test_without_it_nothing_more_is_asked_and_a_run_counts_what_it_may_cost() -> None:
    assert len(taken(said(FOUND), said(SECOND), refine=False).asked) == 3
    counts = []
    for refine in (False, True):
        config = config_of(translation={"refine": refine})
        counts.append(method_of(config, [], {}).requests_at_most(10))
    assert counts == [10 * (2 + 2), 10 * (2 + 2 * 3)]
