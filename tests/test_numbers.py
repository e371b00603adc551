"""The final number of an answer, on the labelled corpora and for what the corpora cannot hold."""

from pathlib import Path

import pytest

from benchmarks import read_numbers
from lidr_plugin.text.numbers import expected_number, final_numbers, is_correct


@pytest.mark.parametrize("corpus", ["numbers", "numbers_fresh"])
def test_at_most_three_answers_in_a_hundred_are_misread(corpus: str) -> None:
    readings = list(read_numbers.measured(Path(__file__).parent / f"corpora/{corpus}.jsonl"))
    misread = [reading.answer.id for reading in readings if reading.verdict != "right"]
    assert len(misread) <= 0.03 * len(readings), misread


def test_the_language_decides_between_separators() -> None:
    assert final_numbers("1,234", "en") == {1234}
    assert {float(x) for x in final_numbers("1,234", "de")} == {1.234}
    assert final_numbers("1.234", "de") == {1234}
    assert len(final_numbers("1,234")) == 2, "without a language both are possible"


def test_the_word_for_the_answer_tells_the_language_of_a_text_that_drifted() -> None:
    assert final_numbers("Antwort: 1.000", "en") == {1000}
    assert final_numbers("Answer: 1.000", "en") == {1}


def test_a_number_in_two_units_is_right_in_either() -> None:
    assert is_correct("It takes 3 hours and 20 minutes.", "200", "en")
    assert is_correct("It takes 3 hours and 20 minutes.", "10/3", "en")
    assert not is_correct("It takes 3 hours and 20 minutes.", "20", "en")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1 000", 1000),
        ("1'000", 1000),
        ("1.000.000", 1_000_000),
        ("2٫5", 2.5),
        ("3/4", 0.75),
        ("-3", -3),
        ("1,000", 1000),
    ],
)
def test_a_right_answer_may_be_written_in_any_usual_way(written: str, value: float) -> None:
    assert expected_number(written) == {value}


@pytest.mark.parametrize(
    "written", ["9" * 5000, "1e999999999", "NaN", "inf", "-Infinity", "", "?", "1/0", "10^99999999999"]
)
def test_a_right_answer_that_cannot_be_read_is_none(written: str) -> None:
    assert expected_number(written) == frozenset()
    assert not is_correct("The answer is 1.", written, "en")
