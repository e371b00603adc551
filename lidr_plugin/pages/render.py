"""The overview as a page (one file, nothing loaded from elsewhere) and as Markdown."""

from collections.abc import Iterator, Sequence
from importlib import resources
from typing import Any

import jinja2

from lidr_plugin import languages
from lidr_plugin.evaluation.intervals import percent
from lidr_plugin.pages.report import REASONS, bar

WIDTH, HEIGHT = 320, 120
_SHARES = {
    "mgsm": {"accuracy": "MGSM", "accuracy_in_language": "MGSM in its language", "off_target": "MGSM off target"},
    "prompts": {
        "response_level": "right language",
        "line_level": "in every line",
        "degenerate": "endless repetition",
        "cut": "cut",
    },
}
"""The shares that are shown, by benchmark, with their heads."""
_CURVES = {"loss": "loss", "margin": "reward margin", "accuracy": "reward accuracy"}


def page(found: dict[str, Any]) -> str:
    """The HTML page."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((resources.files("lidr_plugin.pages") / "overview.html").read_text())
    codes = _codes(found)
    return template.render(
        found=found,
        codes=codes,
        names={code: languages.name_of(code) for code in codes},
        direction={code: "rtl" if languages.base(code) in languages.RIGHT_TO_LEFT else "ltr" for code in codes},
        benches=_benches(found),
        dots=_dots(found, codes),
        tasks=_tasks(found),
        bars=[(x["round"], {code: bar(x["build"], code) for code in x["build"]["candidates"]}) for x in _built(found)],
        reasons=[(reason.value, text, f"r{n}") for n, (reason, text) in enumerate(REASONS.items())],
        curves=[(x["round"], list(_plots(x["training"]))) for x in found["rounds"] if x["training"]],
        percent=percent,
        width=WIDTH,
        height=HEIGHT,
    )


def _built(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [x for x in found["rounds"] if x["build"]]


def _codes(found: dict[str, Any]) -> list[str]:
    """Every language of the run, in the order in which the stages name them."""
    named = [code for x in _built(found) for code in x["build"]["candidates"]]
    named += [code for model in found["models"].values() for bench in _SHARES for code in model.get(bench, {})]
    named += [sample["language"] for sample in found["samples"]]
    return list(dict.fromkeys(named))


def _benches(found: dict[str, Any]) -> list[tuple[str, dict[str, str]]]:
    return [(name, heads) for name, heads in _SHARES.items() if any(name in x for x in found["models"].values())]


def _tasks(found: dict[str, Any]) -> list[tuple[str, str, list[dict[str, float | None] | None]]]:
    """lm-eval's tasks: task, metric, and each model's value and standard error."""
    results = [model.get("lm_eval", {}) for model in found["models"].values()]
    names = dict.fromkeys((task, metric) for one in results for task, metrics in one.items() for metric in metrics)
    return [(task, metric, [one.get(task, {}).get(metric) for one in results]) for task, metric in names]


def _dots(found: dict[str, Any], codes: Sequence[str]) -> list[tuple[str, list[tuple[str, list[tuple[str, Any]]]]]]:
    """For the plots: what is shown, then by language the models' shares."""
    wanted = [("mgsm", "accuracy_in_language"), ("mgsm", "off_target"), ("prompts", "response_level")]
    plots = []
    for bench, name in wanted:
        rows = [
            (code, [(label, x[bench][code][name]) for label, x in found["models"].items() if code in x.get(bench, {})])
            for code in codes
        ]
        if any(shares for _, shares in rows):
            plots.append((_SHARES[bench][name], [(code, shares) for code, shares in rows if shares]))
    return plots


def _plots(training: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plot a curve: the steps of the training as a line, held-out evaluations as points."""
    last = max((x["step"] for x in [*training["curve"], *training["held_out"]]), default=0)
    for name, title in _CURVES.items():
        lines = {kind: [(x["step"], x[name]) for x in training[kind] if name in x] for kind in ("curve", "held_out")}
        values = [value for points in lines.values() for _, value in points]
        if not values or not last:
            continue
        low, high = (0.0, 1.0) if name == "accuracy" else (min(*values, 0.0), max(values))
        span = (high - low) or 1.0

        def place(points: list[tuple[int, float]], low: float = low, span: float = span) -> list[tuple[float, float]]:
            return [
                (round(step / last * WIDTH, 1), round(HEIGHT - (value - low) / span * (HEIGHT - 12), 1))
                for step, value in points
            ]

        yield {
            "title": title,
            "line": " ".join(f"{x},{y}" for x, y in place(lines["curve"])),
            "points": place(lines["held_out"]),
            "low": f"{low:.3g}",
            "high": f"{high:.3g}",
            "steps": last,
            "last": f"{lines['curve'][-1][1]:.3g}" if lines["curve"] else "",
            "held_out": f"{lines['held_out'][-1][1]:.3g}" if lines["held_out"] else "",
        }


def _with_error(value: dict[str, float | None] | None) -> str:
    if value is None:
        return ""
    return f"{100 * (value['value'] or 0):.1f} ± {100 * (value['stderr'] or 0):.1f}"


def _repeated(result: dict[str, Any]) -> list[str]:
    return ["{:.1f} ± {:.1f}".format(*(100 * x for x in result["repeated"]))] if "repeated" in result else []


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [" | ".join(row) for row in [heads, ["---"] * len(heads), *rows]]
    return "\n".join(f"| {line} |" for line in lines)


def markdown(found: dict[str, Any]) -> str:
    """The tables of the page."""
    parts = [f"# {found['run']}"]
    for bench, heads in _benches(found):
        extra = ["repeated 4-grams"] if bench == "prompts" else []
        rows = [
            [code, label, *(percent(result[name]) for name in heads), *_repeated(result)]
            for code in _codes(found)
            for label, model in found["models"].items()
            if (result := model.get(bench, {}).get(code))
        ]
        parts += [f"## {bench}: percent, with 95 % intervals", _table(["", "model", *heads.values(), *extra], rows)]
    if tasks := _tasks(found):
        rows = [[task, metric, *(_with_error(value) for value in values)] for task, metric, values in tasks]
        parts += ["## lm-eval: percent, with standard errors", _table(["task", "metric", *found["models"]], rows)]
    for versus in found["head_to_head"]:
        names = ("win", "tie", "lose", "consistent", "first_position")
        rows = [
            [code, label, *(percent(result[name]) for name in names), f"{100 * result['win_rate']:.1f}"]
            for label, by_language in versus["results"].items()
            for code, result in by_language.items()
        ]
        columns = ["", "model", "win", "tie", "lose", "orders agree", "for the first placed", "win rate"]
        parts += [f"## Against {versus['against']}, judged by {versus['judge']} in both orders", _table(columns, rows)]
        parts += [f"Warning: {versus['warning']}."] if versus["warning"] else []
    for x in _built(found):
        build = x["build"]
        codes = list(build["candidates"])
        rows = [["pairs", *(str(build["pairs"][code]) for code in codes)]]
        rows += [[name, *(str(counts.get(code, 0)) for code in codes)] for name, counts in build["rejected"].items()]
        parts += [f"## Round {x['round']}: pairs", _table(["candidates", *codes], rows)]
    for x in found["rounds"]:
        if x["training"]:
            parts += [f"## Round {x['round']}: training", _training_table(x["training"])]
    return "\n\n".join(parts) + "\n"


def _training_table(training: dict[str, Any]) -> str:
    lines = [("steps", training["curve"][:1] + training["curve"][-1:]), ("held out", training["held_out"])]
    rows = [
        [f"{kind} {x['step']}", *(f"{x[name]:.3f}" if name in x else "" for name in _CURVES)]
        for kind, points in lines
        for x in points
    ]
    return _table(["step", *_CURVES.values()], rows)
