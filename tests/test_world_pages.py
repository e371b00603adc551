"""The tables and figures of the small world are those of the data in the repository, and the text's numbers are in them."""

import json
import re

import pytest

from docs import matters, world


def test_the_tables_of_the_results_are_those_of_the_data() -> None:
    text = world.PAGE.read_text()
    assert world.proofs()
    assert world.page(text) == text


def test_the_tables_of_what_matters_are_those_of_the_data() -> None:
    text = matters.PAGE.read_text()
    assert matters.entries()
    assert matters.page(text) == text


@pytest.mark.parametrize("sweep", sorted({x["sweep"] for x in matters.entries()}))
def test_a_figure_is_that_of_the_data(sweep: str) -> None:
    assert (matters.DOCS / f"img/matters-{sweep}.svg").read_text() == matters.figure(sweep)
    assert f"<!-- sweep {sweep} -->" in matters.PAGE.read_text()


def numbers(text: str) -> set[str]:
    """With a sign or a decimal, as tables have them."""
    return set(re.findall(r"[+-]?\d+\.\d+", text))


@pytest.mark.parametrize("page", [world, matters], ids=["results", "what matters"])
def test_every_measured_number_of_the_text_is_in_a_table(page: object) -> None:
    text = page.PAGE.read_text()  # type: ignore[attr-defined]
    if page is world:
        text = text[text.index("## A small world") :]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    prose = "\n".join(line for line in text.splitlines() if not line.startswith(("|", "#", "![", "    ")))
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)", "", prose)
    assert numbers(prose) - numbers("\n".join(rows)) <= {"0.9"}, "0.9 million parameters"


def test_a_table_says_which_changes_are_beyond_their_interval() -> None:
    assert world.points([5.6, 4.1, 7.1]) == "**+5.6 (+4.1 to +7.1)**"
    assert world.points([-0.3, -0.9, 0.2]) == "-0.3 (-0.9 to +0.2)"
    assert world.percent([0, 10]) == "0.0 (0.0-27.8)"


def test_small_values_are_written_as_powers() -> None:
    assert [matters.shown(x) for x in (2.5e-6, 1e-5, 1.6e-4, 0.25, 500, "none")] == [
        "2.5e-6", "1e-5", "1.6e-4", "0.25", "500", "none",
    ]  # fmt: skip


def test_the_data_are_json_with_a_command_each() -> None:
    for one in json.loads(matters.DATA.read_text()):
        assert one["how"].startswith("python examples/world/")
