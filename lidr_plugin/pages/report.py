"""The report of a run: `report.json` for programs, `report.html` for people (one file, nothing loaded from elsewhere)."""

from dataclasses import dataclass
from importlib import resources
from typing import Any

import jinja2

from lidr_plugin import __version__, files, languages
from lidr_plugin.completions.progress import Meter
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.counts import Counts, bin_edge
from lidr_plugin.methods.base import Reason
from lidr_plugin.run_directory import RunDirectory

_WIDTH, _HEIGHT = 320, 120

REASONS = {
    Reason.TRANSLATION_FAILED: "no usable translation came back",
    Reason.TRUNCATED: "the chosen text, or its source, was cut at max_tokens",
    Reason.IDENTICAL: "chosen equals rejected",
    Reason.OFF_TARGET: "chosen is in another language",
    Reason.REPETITION: "chosen repeats itself without end",
    Reason.LENGTH_RATIO: "chosen and rejected differ too much in length",
    Reason.EMPTY: "an answer is empty",
    Reason.TRANSLATION_PROMPT: "the prompt asks for a translation itself",
    Reason.ANSWER: "the final answer is not as answer_filter wants it",
    Reason.REQUEST_FAILED: "a request failed for good",
}
"""Each reason in words, in the order of the plot's colours."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar: its share of the bar in percent, its count, its name and its colour class."""

    share: float
    count: int
    name: str
    colour: str


def summary(config: Config, tally: Counts, meter: Meter) -> dict[str, Any]:
    """The content of `report.json` (contract, section 4)."""
    return {
        **tally.counts([config.dominant_language, *config.languages]),
        "completions": {"generated": meter.generated, "reused": meter.reused, "failed": meter.failed},
        "tokens": {"prompt": meter.prompt_tokens, "completion": meter.completion_tokens},
        "seconds": round(meter.seconds, 3),
        "tokens_per_second": round(meter.tokens_per_second, 3),
        "model_name_or_path": config.model_name_or_path,
        "lidr": __version__,
    }


def write_report(run: RunDirectory, config: Config, tally: Counts, meter: Meter) -> dict[str, Any]:
    """Writes both reports and returns the one for programs."""
    report = summary(config, tally, meter)
    files.write_text(run.report_html, page(report, config, tally, meter))
    files.write_json(run.report_json, report)
    return report


def page(report: dict[str, Any], config: Config, tally: Counts, meter: Meter) -> str:
    """The HTML page."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((resources.files("lidr_plugin.pages") / "report.html").read_text())
    codes = [config.dominant_language, *config.languages]
    return template.render(
        report=report,
        config=config.model_dump(mode="json"),
        codes=codes,
        names={code: languages.name_of(code) for code in codes},
        direction={code: "rtl" if languages.base(code) in languages.RIGHT_TO_LEFT else "ltr" for code in codes},
        bars={code: bar(report, code) for code in codes},
        reasons=[(reason.value, text, f"r{n}") for n, (reason, text) in enumerate(REASONS.items())],
        lengths={code: _lengths(*tally.lengths[code]) for code in codes if code in tally.lengths},
        length_ticks=[(round(n / 24 * _WIDTH, 1), f"{bin_edge(n):,}") for n in range(0, 24, 6)],
        throughput=_throughput(meter),
        width=_WIDTH,
        height=_HEIGHT,
        samples={code: tally.sample(code) for code in codes},
    )


def bar(report: dict[str, Any], code: str) -> list[Segment]:
    """A language's candidates as parts of a bar: the pairs, then each reason."""
    total = report["candidates"][code]
    parts = [("pairs", report["pairs"][code], "kept")]
    for number, reason in enumerate(REASONS):
        parts.append((reason.value, report["rejected"].get(reason.value, {}).get(code, 0), f"r{number}"))
    return [Segment(100 * count / total, count, name, colour) for name, count, colour in parts if count]


def _lengths(chosen: list[int], rejected: list[int]) -> dict[str, str]:
    """Two step lines over the length bins, as points of SVG polylines."""
    most = max(*chosen, *rejected, 1)
    step = _WIDTH / len(chosen)

    def points(counts: list[int]) -> str:
        corners = []
        for number, count in enumerate(counts):
            y = _HEIGHT - count / most * (_HEIGHT - 8)
            corners += [f"{number * step:.1f},{y:.1f}", f"{(number + 1) * step:.1f},{y:.1f}"]
        return " ".join(corners)

    return {"chosen": points(chosen), "rejected": points(rejected)}


def _throughput(meter: Meter) -> dict[str, Any] | None:
    """Bars of completion tokens per second over the run; None if nothing was generated."""
    if not meter.timeline:
        return None
    rates = [tokens / meter.bin_seconds for tokens in meter.timeline]
    most = max(*rates, 1.0)
    step = 2 * _WIDTH / len(rates)
    bars = [
        (n * step, _HEIGHT - rate / most * (_HEIGHT - 8), step, rate / most * (_HEIGHT - 8))
        for n, rate in enumerate(rates)
    ]
    return {
        "bars": [tuple(round(x, 2) for x in bar) for bar in bars],
        "most": round(most),
        "seconds": round(len(rates) * meter.bin_seconds),
    }
