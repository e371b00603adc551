"""The tables of the small world are those of the data in the repository, and the text's numbers are in them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

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


def measured(method: str, seed: int, gain: float, sent: int, seconds: int | None = None) -> dict[str, Any]:
    """What `methods.py` leaves of a method in a world."""
    counted = {"accuracy": [80, 100], "off_target": [3, 100]}
    change = {code: [gain, gain - 3.0, gain + 4.0] for code in ("en", "de", "es")}
    return {
        "method": method,
        "knobs": {"seed": seed},
        "requests": 1000 + seed,
        "scores": 0,
        **({"sent": sent, "seconds": {"build": seconds, "train": 60}} if seconds is not None else {}),
        "training": [{"rows": {"de": 1200, "es": 34}, "shift": 0.157}],
        "models": {"M1": {"problems": dict.fromkeys(("en", "de", "es"), counted)}},
        "changes": {"M0 to M1": {"problems": change, "lists": change}},
    }


@pytest.fixture
def three_worlds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines of the tables of a method in three worlds and of one in a world."""
    monkeypatch.setattr(world, "METHODS", tmp_path / "methods.json")
    found = [measured("answer", seed, 4.0 + seed, sent=seed * 10, seconds=seed) for seed in (2, 0, 1)]
    world.METHODS.write_text(json.dumps([*found, measured("scpo", 0, 1.0, 0)]))
    return world.methods().splitlines()


def test_a_methods_worlds_are_one_line_of_means_with_an_interval_from_theirs(three_worlds: list[str]) -> None:
    line = next(x for x in three_worlds if x.startswith("| `answer` | 3 |"))
    assert "1,001, 0" in line
    # Three intervals of 3 below and 4 above, added as squares.
    assert line.count("**+5.0 (+3.3 to +7.3)**") == 3
    assert "| 2 (20) | 60 |" in line, "the seconds of the world that sent the most"


def test_a_method_in_one_world_has_its_own_interval_and_no_seconds_that_nobody_counted(three_worlds: list[str]) -> None:
    (line,) = (x for x in three_worlds if x.startswith("| `scpo` | 1 |"))
    assert "| 1,000, 0 |  |  | +1.0 (-2.0 to +5.0) |" in line


def test_every_world_of_a_method_has_a_line_in_order_of_the_seeds(three_worlds: list[str]) -> None:
    lines = [x for x in three_worlds if "1,234 | 0.16 |" in x]
    assert [x.split("|")[1:3] for x in lines] == [
        *([" `answer` ", f" {seed} "] for seed in range(3)),
        [" `scpo` ", " 0 "],
    ]
    assert all(x.count("80.0 (71.1-86.7)") == 3 and x.count("3.0 (1.0-8.5)") == 2 for x in lines)


def test_a_result_takes_the_place_of_the_one_of_the_same_method_and_world() -> None:
    old, other, new = measured("answer", 0, 1.0, 0), measured("answer", 1, 2.0, 0), measured("answer", 0, 3.0, 0)
    assert world.taken([old, other], [new]) == [new, other]


def test_what_is_in_the_repository_has_a_line_for_each_method_and_for_each_of_its_worlds() -> None:
    found, lines = world.measured_methods(), world.methods().splitlines()
    assert sum(x.startswith("| `") for x in lines) == len(found) + len(world.by_method(found))
