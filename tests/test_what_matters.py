"""What is measured in the small world: the documents say what the data in docs/data say."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from docs import matters, world

DOCS = Path(matters.__file__).parent
_MADE = re.compile(r"^\|.*$|!\[[^\]]*\]|<!--.*?-->|```.*?```|`[^`]*`|\]\([^)]*\)", re.MULTILINE | re.DOTALL)
_POINTS = re.compile(r"[+-]\d+\.\d\b")
_SHARES = re.compile(r"\b(\d+\.\d) %")
_MOVED = re.compile(r"(?:moved|shift)[^.]*? (0\.\d\d)\b")


def leaves(value: Any) -> Iterator[Any]:
    """All numbers of the data, and all pairs of hits and questions."""
    if isinstance(value, list) and len(value) == 2 and all(isinstance(x, int) for x in value):
        yield tuple(value)
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from leaves(part)
    else:
        yield value


def data() -> list[Any]:
    return [x for path in sorted((DOCS / "data").glob("*.json")) for x in leaves(json.loads(path.read_text()))]


def prose(page: Path) -> str:
    """What a person wrote of the small world, without tables, code and figures."""
    text = page.read_text()
    return _MADE.sub(" ", text[max(0, text.find("## A small world with known truth")) :])


@pytest.mark.parametrize("module", [world, matters], ids=["results", "what-matters"])
def test_the_tables_are_those_of_the_data(module: Any) -> None:
    written = module.PAGE.read_text()
    assert module.page(written) == written, f"run python -m {module.__name__}"


def test_the_figures_are_those_of_the_data() -> None:
    for name, drawn in matters.figures().items():
        assert (DOCS / "img" / name).read_text() == drawn, "run python -m docs.matters"


@pytest.mark.parametrize("page", [world.PAGE, matters.PAGE], ids=["results", "what-matters"])
def test_every_number_in_the_text_is_in_the_data(page: Path) -> None:
    known, text = data(), prose(page)
    means = [x for step in ("M0 to M1", "M0 to M2", "M1 to M2", "M0 to swapped") for x in world.means(step)]
    numbers = {x for x in known if isinstance(x, int | float) and not isinstance(x, bool)} | set(means)
    points = {f"{x:+.1f}" for x in numbers}
    shares = {f"{100 * x[0] / x[1]:.1f}" for x in known if isinstance(x, tuple) and x[1]}
    assert not set(_POINTS.findall(text)) - points
    assert not set(_SHARES.findall(text)) - shares
    assert not set(_MOVED.findall(text)) - {f"{x:.2f}" for x in numbers}
