"""Texts that are like earlier ones."""

import pytest
from hypothesis import given, settings, strategies

from lidr_plugin.text.alike import Alike, common, sequences

LONG = "How deep must a well be dug in sandy ground before clean water comes, and who may dig it?"


@pytest.mark.parametrize(
    "text",
    [
        LONG,
        LONG.upper(),
        LONG.replace(" ", "\n  "),
        LONG.replace("sandy", "stony"),
        f"{LONG} Thanks!",
    ],
)
def test_a_text_is_like_one_that_differs_in_a_word_or_in_its_looks(text: str) -> None:
    known = Alike(0.7)
    assert known.earlier("Something else altogether, about trains.") is None
    assert known.earlier(LONG) is None
    assert known.earlier(text) == LONG


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LONG, "How long must a bridge be built over a river before it needs a second pillar?"),
        ("किताब कहाँ है?", "कितना पानी है?"),
        ("東京の天気はどうですか", "大阪の名物は何ですか"),
        ("Hi!", "Why?"),
    ],
)
def test_other_texts_are_not_in_every_script(one: str, other: str) -> None:
    known = Alike(0.7)
    assert known.earlier(one) is None
    assert known.earlier(other) is None


def test_a_share_of_one_keeps_all_but_the_same_to_a_letter() -> None:
    known = Alike(1.0)
    assert known.earlier(LONG) is None
    assert known.earlier(LONG.replace("sandy", "stony")) is None
    assert known.earlier(LONG.lower()) == LONG


WORDS = strategies.lists(
    strategies.sampled_from("boat river tea bread night harbour seven who why old".split()), max_size=14
)


@settings(max_examples=60, deadline=None)
@given(strategies.lists(WORDS.map(" ".join), max_size=25))
def test_no_two_that_are_kept_are_alike(texts: list[str]) -> None:
    known = Alike(0.75)
    kept = [text for text in texts if known.earlier(text) is None]
    for at, text in enumerate(kept):
        for other in kept[:at]:
            assert common(sequences(text), sequences(other)) < 0.75


def test_what_is_told_is_alike_indeed() -> None:
    known = Alike(0.6)
    for number in range(40):
        text = f"{LONG[number % 7 :]} {number % 3}"
        if (earlier := known.earlier(text)) is not None:
            assert common(sequences(text), sequences(earlier)) >= 0.6


def test_texts_without_letters_and_broken_ones_are_compared_too() -> None:
    known = Alike(0.7)
    assert known.earlier("?!") is None
    assert known.earlier("…") == "?!"
    assert known.earlier("\ud800 half") is None
