"""The page as HTML (one file, nothing loaded from elsewhere), as Markdown and as JSON."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any, NamedTuple, TypeVar

import jinja2

from lidr_plugin import __version__, languages
from lidr_plugin.errors.terminal import inert
from lidr_plugin.evaluation.benchmarks import heads_of
from lidr_plugin.evaluation.benchmarks.skills import Skill
from lidr_plugin.evaluation.intervals import Estimate, Mean, Share, Value, percent
from lidr_plugin.evaluation.results import plain
from lidr_plugin.pages.records import COUNTS, Build, Page, Training

T = TypeVar("T")
_CURVES = {"loss": "loss", "margin": "reward margin", "accuracy": "reward accuracy"}


class Curve(NamedTuple):
    """One kind of number over a training's steps, of its batches and of held-out rows; `low` and `high` bound the plot."""

    name: str
    title: str
    batches: Sequence[tuple[int, float]]
    held_out: Sequence[tuple[int, float]]
    low: float
    high: float
    steps: int


@cache
def _template(name: str) -> jinja2.Template:
    """Kept: the rounds of a run render the page many times, and to compile it takes longer than to fill it."""
    environment = jinja2.Environment(
        autoescape=name == "page.html", undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(inert=_inert, language=_language, pick=_pick, shown=_shown, straight=_straight)
    environment.globals.update(curves=_curves, flat=_flat, row=_row, rows=_rows)
    return environment.from_string((resources.files("lidr_plugin.pages") / name).read_text(encoding="utf-8"))


def rendered(page: Page, name: str) -> str:
    """The page for people (`page.html`), or its tables for a README (`page.md`)."""
    template = _template(name)
    builds = [x.build for x in page.rounds if x.build]
    words = {reason: text for x in builds for reason, text in x.reasons.items()}
    dropped = dict.fromkeys(reason for x in builds for reason in x.rejected)
    results = [x.results for x in page.models.values()]
    found = [(bench, marks) for x in results for bench, marks in x.items() if bench != "lm_eval"]
    named = [*(code for x in builds for code in x.candidates), *(code for _, marks in found for code in marks)]
    tasks = dict.fromkeys((task, x) for of in results for task in of.get("lm_eval", {}) for x in of["lm_eval"][task])
    return template.render(
        page=page,
        version=__version__,
        codes=list(dict.fromkeys([*named, *(x.language for x in page.answers)])),
        right_to_left=languages.RIGHT_TO_LEFT,
        reasons={reason: words.get(reason, "") for reason in [*words, *dropped] if reason in dropped},
        benches={bench: _heads_of(bench, [x for name, x in found if name == bench]) for bench, _ in found},
        tasks={x: [of.get("lm_eval", {}).get(x[0], {}).get(x[1]) for of in results] for x in tasks},
        titles={"mgsm": "MGSM", "prompts": "Held-out prompts"},
        plotted=_plotted,
    )


def json_of(page: Page, before: Mapping[str, Any]) -> dict[str, Any]:
    """The page for programs: at its top the counts as the build wrote them, or the sums of those of the rounds."""
    counts = {name: getattr(page.total, name) for name in COUNTS} if page.in_rounds and page.total else before
    builds = [replace(x.build, samples={}) if x.build and page.in_rounds else None for x in page.rounds]
    return {
        **counts,
        "run": page.name,
        "lidr": __version__,
        "rounds": [plain(replace(x, build=build)) for x, build in zip(page.rounds, builds, strict=True)],
        "models": plain(page.models),
        "head_to_head": [{"round": number, **plain(found)} for number, found in page.head_to_head.items()],
        "answers": page.answers,
        "notes": page.notes,
    }


def _heads_of(bench: str, found: Sequence[Mapping[str, Mapping[str, Value]]]) -> dict[str, str]:
    """The marks of a benchmark, or of a skill that the user named, and their heads; unknown ones are their names."""
    known = heads_of(()).get(bench, Skill.heads)
    return {mark: known.get(mark, mark) for by_language in found for x in by_language.values() for mark in x}


def _plotted(marks: Mapping[str, str]) -> list[str]:
    """Those of a benchmark's marks that are drawn, the right answers first."""
    right = next((x for x in ("accuracy_in_language", "accuracy") if x in marks), "")
    return [x for x in (right, "off_target", "response_level") if x in marks]


def _shown(value: Value | None) -> str:
    """A number and how sure it is, in percent: `93.3 (79-98)` or `10.4 ± 6.8`; a number that is no share as it is."""
    match value:
        case Share():
            return percent(value)
        case Mean(mean, error) | Estimate(mean, error):
            return f"{100 * mean:.1f} ± {100 * (error or 0):.1f}"
    return "" if value is None else f"{value:,.0f}"


def _pick(found: Mapping[str, T], names: Iterable[str], default: T | None = None) -> list[T | None]:
    return [found.get(name, default) for name in names]


def _language(code: str) -> str:
    """A language's name; of an unknown one the code."""
    return languages.name_of(code) if languages.is_known(code) else code


def _rows(build: Build) -> str:
    """What the rows are called."""
    return "rows" if build.lengths and "output" in build.lengths.texts else "pairs"


def _inert(text: str) -> str:
    """Foreign text within a line of Markdown, where it can neither end the line nor be anything but text."""
    return re.sub(r"([\\`*<>\[\]|&])", r"\\\1", " ".join(inert(_straight(text)).split()))


def _straight(text: str) -> str:
    """Without what could turn the rest of a line around."""
    return re.sub("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", "", text)


def _row(*cells: str | int | Value | None) -> str:
    texts = [str(cell) if isinstance(cell, int) else cell if isinstance(cell, str) else _shown(cell) for cell in cells]
    return f"| {' | '.join(map(_inert, texts))} |"


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
            low = 0.0 if -low < high / 200 else low  # a dip that cannot be seen would be the axis's longest label
            yield Curve(name, title, batches, held_out, low, high if high > low else low + 1, steps)
