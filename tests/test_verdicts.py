"""Verdicts and grades of a judge, on the labelled corpus."""

from benchmarks import read_verdicts


def test_no_text_is_read_as_the_wrong_letter_and_few_are_not_read() -> None:
    readings = [x for x in read_verdicts.measured() if x.kind == "verdict"]
    wrong = [x for x in readings if x.read in ("A", "B") and x.read != x.label]
    assert not wrong
    assert sum(x.read != x.label for x in readings) <= 0.03 * len(readings)


def test_no_grade_is_guessed() -> None:
    readings = [x for x in read_verdicts.measured() if x.kind == "grade"]
    assert not [x for x in readings if x.read not in (x.label, None)]
    assert sum(x.read != x.label for x in readings) <= 0.03 * len(readings)
