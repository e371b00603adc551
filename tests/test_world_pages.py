"""The tables of the small world are those of the data in the repository, and the text's numbers are in them."""

import re

from docs import world


def test_the_tables_of_the_results_are_those_of_the_data() -> None:
    text = world.PAGE.read_text()
    assert world.proofs()
    assert world.page(text) == text


def numbers(text: str) -> set[str]:
    """With a sign or a decimal, as tables have them."""
    return set(re.findall(r"[+-]?\d+\.\d+", text))


def test_every_measured_number_of_the_text_is_in_a_table() -> None:
    text = world.PAGE.read_text()
    text = text[text.index("## A small world") :]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)", "", "\n".join(x for x in text.splitlines() if not x.startswith(("|", "#"))))
    assert numbers(prose) - numbers("\n".join(rows)) <= {"0.9"}, "0.9 million parameters"


def test_a_table_says_which_changes_are_beyond_their_interval() -> None:
    assert world.points([5.6, 4.1, 7.1]) == "**+5.6 (+4.1 to +7.1)**"
    assert world.points([-0.3, -0.9, 0.2]) == "-0.3 (-0.9 to +0.2)"
    assert world.percent([0, 10]) == "0.0 (0.0-27.8)"
