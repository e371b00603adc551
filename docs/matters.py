"""Draws docs/img/matters-*.svg and writes the tables of docs/what-matters.md, from docs/data/matters.json and world.json.

The data are what `python examples/world/sweep.py` left in `matters.json`; `--take FILE` adds those.
"""

import argparse
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from docs.world import percent, points, proofs, row

DOCS = Path(__file__).parent
DATA = DOCS / "data/matters.json"
PAGE = DOCS / "what-matters.md"
LANGUAGES = {"en": "English", "de": "German", "es": "Spanish"}
FOREIGN = ("de", "es")
SAID = {"verdicts": "right answers known", "blind": "right answers not known"}
"""lidr's verdicts, and what they go by."""
AXES = {
    "rate": "learning rate",
    "prompts": "prompts",
    "beta": "β (pref_beta)",
    "ftx": "pref_ftx",
    "epochs": "epochs",
    "dominant": "dominant_pairs",
    "slips": "share of translations with a wrong number, another each time",
    "mistakes": "share of results that are always told one too high",
    "garbled": "share of words in a translation that are another word",
    "stop": "learning rate, the training ended at stop_at_shift: 0.25",
    "lora": "learning rate of a LoRA of rank 16",
    "lora_rank": "rank of a LoRA at 2e-4",
}
FAULTS = ("slips", "mistakes", "garbled")
"""Sweeps of a translator's faults, with lidr's verdict on each."""
_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 250, 190, 52, 40, 30
_INK, _LINE, _GREY = "#1b1b1b", "#2a6f97", "#8a8a8a"


class Scale(NamedTuple):
    """From a value's place in its range, 0 to 1, to where it is drawn."""

    low: float
    high: float
    start: float
    length: float

    def __call__(self, value: float) -> float:
        """In pixels."""
        return self.start + self.length * (value - self.low) / (self.high - self.low or 1.0)


def entries() -> list[dict[str, Any]]:
    """One a training."""
    found: list[dict[str, Any]] = json.loads(DATA.read_text()) if DATA.exists() else []
    return found


def of_sweep(sweep: str) -> list[dict[str, Any]]:
    """Its trainings, in order; words keep theirs."""
    found = [x for x in entries() if x["sweep"] == sweep]
    return found if any(isinstance(x["value"], str) for x in found) else sorted(found, key=lambda x: float(x["value"]))


def shown(value: float | str) -> str:
    """As a person writes it: `1e-5`."""
    if isinstance(value, str):
        return value
    text = f"{value:g}"
    return re.sub(r"e-0?", "e-", f"{value:.1e}".replace(".0e", "e")) if 0 < value < 0.001 else text


def text(x: float, y: float, words: str, anchor: str = "middle", size: int = 12, colour: str = _INK) -> str:
    """Words at a place."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{words}</text>\n'


def line(x1: float, y1: float, x2: float, y2: float, colour: str = _GREY, width: float = 1) -> str:
    """From one place to another."""
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-width="{width}"/>\n'


def ticks(low: float, high: float) -> list[float]:
    """About five round numbers."""
    step = 10 ** math.floor(math.log10((high - low) / 3))
    step *= next(k for k in (1, 2, 5, 10) if (high - low) / (step * k) <= 6)
    return [step * k for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def head(title: str, width: int, height: int) -> str:
    """The beginning of a figure."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" role="img">\n'
        f'<title>{title}</title>\n<rect width="{width}" height="{height}" fill="#ffffff"/>\n'
    )


def grid(name: str, left: float, up: Scale) -> Iterator[str]:
    """A panel's head and its lines."""
    yield text(left + _WIDTH / 2, _TOP - 10, name, size=14)
    for value in ticks(up.low, up.high):
        yield line(left, up(value), left + _WIDTH, up(value), "#e4e4e4")
        yield text(left - 6, up(value) + 4, f"{value:+g}" if value else "0", "end", 11, _GREY)
    yield line(left, up(0), left + _WIDTH, up(0), _INK)


def dot(x: float, y: float, low: float, high: float) -> Iterator[str]:
    """A change with its interval."""
    yield line(x, low, x, high, _LINE, 2)
    yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{_LINE}"/>\n'


def panel(code: str, found: Sequence[Mapping[str, Any]], left: float, up: Scale) -> Iterator[str]:
    """A language's changes, each with its interval; values stand at even distances."""
    across = Scale(-0.5, len(found) - 0.5, left, _WIDTH)
    yield from grid(LANGUAGES[code], left, up)
    places = [(across(n), *(up(x) for x in one["change"][code])) for n, one in enumerate(found)]
    way = " ".join(f"{x:.1f},{y:.1f}" for x, y, _, _ in places)
    yield f'<polyline points="{way}" fill="none" stroke="{_LINE}" stroke-width="1.5"/>\n'
    for one, (x, y, low, high) in zip(found, places, strict=True):
        yield from dot(x, y, low, high)
        yield text(x, _TOP + _HEIGHT + 18, shown(one["value"]), size=11)


def figure(sweep: str) -> str:
    """Small multiples, one a language: by how many points the right answers rose above M0's."""
    found = of_sweep(sweep)
    ends = [x for one in found for change in one["change"].values() for x in change]
    low, high = min(0.0, *ends), max(0.0, *ends)
    up = Scale(low - 0.05 * (high - low), high + 0.05 * (high - low), _TOP + _HEIGHT, -_HEIGHT)
    width, height = len(LANGUAGES) * (_LEFT + _WIDTH) + _GAP, _TOP + _HEIGHT + 50
    parts = [head(f"Change in right answers by {AXES[sweep]}, in points", width, height)]
    for n, code in enumerate(LANGUAGES):
        parts += panel(code, found, _LEFT + n * (_LEFT + _WIDTH), up)
    parts.append(text(width / 2, height - 8, f"{AXES[sweep]}; points against M0, with the paired 95 % interval"))
    return "".join([*parts, "</svg>\n"])


def figures() -> dict[str, str]:
    """All of them, by file."""
    drawn = {sweep: figure(sweep) for sweep in sorted({x["sweep"] for x in entries()})}
    return {
        f"matters-{name}.svg": svg
        for name, svg in (
            drawn | {"imbalance": imbalance_figure(), "shift": shift_figure(), "verdict": verdict_figure()}
        ).items()
    }


def table(sweep: str) -> str:
    """The numbers of a figure."""
    head = row([AXES[sweep], "pairs", "moved by", "en", "de", "es", "numbers copied, en / de / es"])
    lines = [
        row(
            [
                shown(one["value"]),
                f"{one['rows']:,}",
                f"{one['shift']:.2f}",
                *(points(one["change"][code]) for code in LANGUAGES),
                " / ".join(f"{one['lists'][code][0]:+.1f}" for code in LANGUAGES),
            ]
        )
        for one in of_sweep(sweep)
    ]
    return "".join([head, row(["---"] * 7), *lines])


def fault_table(sweep: str) -> str:
    """What the faults of a translator did, and what `lidr probe` said before: German and Spanish, one after the other."""
    head = row(
        [AXES[sweep], "pairs", *LANGUAGES, "chrF there and back", "expected", "verdict", "without answers", "verdict"]
    )
    lines = []
    for one in of_sweep(sweep):
        changed = [points(one["change"][code]) for code in LANGUAGES]
        trips = " / ".join(f"{100 * one['verdicts'][code]['round_trip']:.0f}" for code in FOREIGN)
        said = [
            x for key in SAID for x in (expected(one[key]), ", ".join(one[key][code]["verdict"] for code in FOREIGN))
        ]
        lines.append(row([shown(one["value"]), f"{one['rows']:,}", *changed, trips, *said]))
    return "".join([head, row(["---"] * 10), *lines])


def expected(verdicts: Mapping[str, Any]) -> str:
    """The benefit of a pair by language, in percent: `+90 ± 6 / +91 ± 5`."""
    found = [verdicts[code]["benefit"] for code in FOREIGN]
    return " / ".join(f"{100 * value:+.0f} ± {100 * half:.0f}" for value, half in found)


def verdict_figure() -> str:
    """What a round did, by the benefit that was expected of a pair before it: a point for each language and fault."""
    found = [one for sweep in FAULTS for one in of_sweep(sweep)]
    panels = {
        name: [(100 * one[key][code]["benefit"][0], one["change"][code]) for one in found for code in FOREIGN]
        for key, name in SAID.items()
    }
    return scatter(
        "Change in right answers by the benefit that was expected of a pair", panels, "benefit of a pair, in percent"
    )


def page(written: str) -> str:
    """The page with its tables as the data have them."""

    def filled(mark: re.Match[str]) -> str:
        sweep = mark["sweep"]
        if sweep == "imbalance":
            drawn = "![What a round gave, by what was right before it](img/matters-imbalance.svg)"
            return f"<!-- sweep imbalance -->\n\n{drawn}\n\n{imbalance_table()}\n<!-- end -->"
        if sweep == "shift":
            drawn = "![Change in right answers by how far the training moved the model](img/matters-shift.svg)"
            return f"<!-- sweep shift -->\n\n{drawn}\n\n<!-- end -->"
        if sweep == "verdict":
            drawn = "![Change in right answers by the benefit that was expected of a pair](img/matters-verdict.svg)"
            return f"<!-- sweep verdict -->\n\n{drawn}\n\n<!-- end -->"
        drawn = f"![Change in right answers by {AXES[sweep]}](img/matters-{sweep}.svg)"
        numbers = fault_table(sweep) if sweep in FAULTS else table(sweep)
        return f"<!-- sweep {sweep} -->\n\n{drawn}\n\n{numbers}\n<!-- end -->"

    return re.sub(r"<!-- sweep (?P<sweep>\w+) -->.*?<!-- end -->", filled, written, flags=re.DOTALL)


def gains() -> list[tuple[str, list[int], list[float]]]:
    """Of every world and round: the language, what was right before, and the change."""
    found = []
    for proof in proofs():
        for before, after in (("M0", "M1"), ("M1", "M2")):
            for code in ("de", "es") if after in proof["models"] else ():
                right = proof["models"][before]["problems"][code]["accuracy"]
                name = f"seed {proof['knobs']['seed']}, {LANGUAGES[code]}, {before} to {after}"
                found.append((name, right, proof["changes"][f"{before} to {after}"]["problems"][code]))
    return sorted(found, key=lambda x: x[1][0])


Points = Sequence[tuple[float, Sequence[float]]]


def scatter(title: str, panels: Mapping[str, Points], below: str) -> str:
    """Small multiples of changes over a number, each with its interval."""
    found = [point for points_ in panels.values() for point in points_]
    ends = [x for _, change in found for x in change]
    low, high = min(0.0, *ends), max(0.0, *ends)
    up = Scale(low - 0.05 * (high - low), high + 0.05 * (high - low), _TOP + _HEIGHT, -_HEIGHT)
    first, last = min(x for x, _ in found), max(x for x, _ in found)
    width, height = len(panels) * (_LEFT + _WIDTH) + _GAP, _TOP + _HEIGHT + 50
    parts = [head(title, width, height)]
    for n, (name, points_) in enumerate(panels.items()):
        left = _LEFT + n * (_LEFT + _WIDTH)
        across = Scale(first - 0.1 * (last - first), last + 0.1 * (last - first), left, _WIDTH)
        parts += grid(name, left, up)
        parts += [text(across(x), _TOP + _HEIGHT + 18, f"{x:g}", size=11) for x in ticks(first, last)]
        for value, change in points_:
            parts += dot(across(value), *map(up, change))
    parts.append(text(width / 2, height - 8, f"{below}; points, with the paired 95 % interval"))
    return "".join([*parts, "</svg>\n"])


def imbalance_figure() -> str:
    """What a round gave, by what was right before it: a point for each world and round."""
    panels = {
        name: [(100 * hits / total, change) for label, (hits, total), change in gains() if name in label]
        for name in (LANGUAGES["de"], LANGUAGES["es"])
    }
    return scatter(
        "Gain of a round by the share of right answers before it", panels, "right before the round, in percent"
    )


def shift_figure() -> str:
    """What a training gave, by how far it moved the model: all trainings on sound pairs."""
    found = {one["how"]: one for one in entries() if one["sweep"] not in FAULTS}.values()
    panels = {name: [(one["shift"], one["change"][code]) for one in found] for code, name in LANGUAGES.items()}
    return scatter("Change in right answers by how far the training moved the model", panels, "moved by")


def imbalance_table() -> str:
    """The numbers of that figure."""
    lines = [row([name, percent(right), points(change)]) for name, right, change in gains()]
    return "".join([row(["", "right before, %", "change in points"]), row(["---"] * 3), *lines])


def main() -> None:
    """Writes them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--take", type=Path)
    if taken := parser.parse_args().take:
        found = {(one["sweep"], one["value"]): one for one in (*entries(), *json.loads(taken.read_text()))}
        DATA.write_text(json.dumps(list(found.values()), indent=1) + "\n")
    for name, drawn in figures().items():
        (DOCS / "img" / name).write_text(drawn)
    PAGE.write_text(page(PAGE.read_text()))


if __name__ == "__main__":
    main()
