"""The page as HTML (one file, nothing loaded from elsewhere), as Markdown and as JSON."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import resources
from typing import Any, NamedTuple, TypeVar

import jinja2

from lidr_plugin import __version__, languages
from lidr_plugin.pages.records import COUNTS, Build, Mark, Page, Share, Training

T = TypeVar("T")
_HEADS = {
    "mgsm": "MGSM",
    "prompts": "Held-out prompts",
    "accuracy_in_language": "accuracy in its language",
    "off_target": "off target",
    "response_level": "right language",
    "line_level": "in every line",
    "degenerate": "endless repetition",
    "repeated": "repeated 4-grams",
}
_PLOTTED = ("accuracy_in_language", "off_target", "response_level")
_CURVES = {"loss": "loss", "margin": "reward margin", "accuracy": "reward accuracy"}
_BIDI = "[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
"""What could turn a line of Markdown around; in HTML every foreign text has a box of its own."""


class Curve(NamedTuple):
    """One kind of number over a training's steps, of its batches and of held-out rows; `low` and `high` bound the plot."""

    name: str
    title: str
    batches: Sequence[tuple[int, float]]
    held_out: Sequence[tuple[int, float]]
    low: float
    high: float
    steps: int


def html(page: Page) -> str:
    """The page for people."""
    return _rendered("page.html", page, autoescape=True)


def markdown(page: Page) -> str:
    """The tables of the page, for a README."""
    return _rendered("page.md", page, autoescape=False)


def json_of(page: Page, before: Mapping[str, Any]) -> dict[str, Any]:
    """The page for programs: at its top the counts as the build wrote them, or the sums of those of the rounds."""
    counts = {name: getattr(page.total, name) for name in COUNTS} if page.in_rounds and page.total else before
    rounds = [
        replace(x, build=replace(x.build, samples={}) if x.build and page.in_rounds else None) for x in page.rounds
    ]
    return {
        **counts,
        "run": page.name,
        "lidr": __version__,
        "rounds": rounds,
        "models": page.models,
        "head_to_head": page.head_to_head,
        "answers": page.answers,
        "notes": page.notes,
    }


def _rendered(name: str, page: Page, *, autoescape: bool) -> str:
    environment = jinja2.Environment(
        autoescape=autoescape, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "head": _head,
        "inert": _inert,
        "language": _language,
        "pick": _pick,
        "plain": _plain,
        "three": _three,
    }
    environment.globals |= {"curves": _curves, "flat": _flat, "heads": _heads, "row": _row, "rows": _rows}
    template = environment.from_string((resources.files("lidr_plugin.pages") / name).read_text(encoding="utf-8"))
    builds, models = [x.build for x in page.rounds if x.build], page.models.values()
    words = {reason: text for x in builds for reason, text in x.reasons.items()}
    dropped = dict.fromkeys(reason for x in builds for reason in x.rejected)
    benches: dict[str, dict[str, None]] = {}
    for bench, marks in [item for model in models for item in model.marks.items()]:
        benches.setdefault(bench, {}).update(dict.fromkeys(name for found in marks.values() for name in found))
    named = [code for x in builds for code in x.candidates]
    named += [code for model in models for marks in model.marks.values() for code in marks]
    tasks = dict.fromkeys((task, x) for model in models for task, found in model.tasks.items() for x in found)
    return template.render(
        page=page,
        version=__version__,
        codes=list(dict.fromkeys([*named, *(x.language for x in page.answers)])),
        right_to_left=languages.RIGHT_TO_LEFT,
        reasons={reason: words.get(reason, "") for reason in [*words, *dropped] if reason in dropped},
        benches=benches,
        plotted=_PLOTTED,
        tasks={x: [model.tasks.get(x[0], {}).get(x[1]) for model in models] for x in tasks},
    )


def _plain(mark: Mark | None) -> str:
    """A number and how sure it is, in percent: `93.3 (79-98)` or `10.4 ± 6.8`; a number that is no share as it is."""
    match mark:
        case Share():
            return f"{100 * mark.share:.1f} ({100 * mark.low:.0f}-{100 * mark.high:.0f})"
        case (value, spread):
            return f"{100 * value:.1f} ± {100 * (spread or 0):.1f}"
    return "" if mark is None else f"{mark:,.0f}"


def _pick(found: Mapping[str, T], names: Iterable[str], default: T | None = None) -> list[T | None]:
    return [found.get(name, default) for name in names]


def _three(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _head(name: str) -> str:
    return _HEADS.get(name, name)


def _language(code: str) -> str:
    """A language's name; of an unknown one the code."""
    return languages.name_of(code) if languages.is_known(code) else code


def _rows(build: Build) -> str:
    """What the rows are called."""
    return "rows" if build.lengths and "output" in build.lengths.texts else "pairs"


def _inert(text: str) -> str:
    """Foreign text within a line of Markdown, where it can neither end the line nor be anything but text."""
    return re.sub(r"([\\`*<>\[\]|&])", r"\\\1", " ".join(re.sub(_BIDI, "", text).split()))


def _row(*cells: str | int | Mark | None) -> str:
    texts = [str(cell) if isinstance(cell, int) else cell if isinstance(cell, str) else _plain(cell) for cell in cells]
    return f"| {' | '.join(map(_inert, texts))} |"


def _heads(*cells: str) -> str:
    return f"{_row(*cells)}\n|{'---|' * len(cells)}"


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Settings by their dotted names."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        elif value is not None:
            yield prefix + key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _curves(training: Training) -> Iterator[Curve]:
    """What is no finite number has no place on a curve."""
    steps = max((point.step for point in [*training.curve, *training.held_out]), default=0)
    for name, title in _CURVES.items():
        batches, held_out = (
            [(x.step, y) for x in points if (y := getattr(x, name)) is not None and math.isfinite(y)]
            for points in (training.curve, training.held_out)
        )
        values = [y for _, y in [*batches, *held_out]]
        if values and steps:
            low, high = (0.0, 1.0) if name == "accuracy" else (min(*values, 0.0), max(values))
            yield Curve(name, title, batches, held_out, low, high if high > low else low + 1, steps)
