"""Writes the tables of the small world into docs/results.md, from docs/data/world.json and docs/data/methods.json.

The data are what `python examples/world/prove.py` left in `result.json`, one entry a seed; `--add FILE` puts one there. Those
of the methods are what `python examples/world/methods.py` left in `methods.json`; `--methods FILE` adds those.
"""

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lidr_plugin.evaluation.intervals import Share

DOCS = Path(__file__).parent
DATA = DOCS / "data/world.json"
PAGE = DOCS / "results.md"
METHODS = DOCS / "data/methods.json"
BEGIN, END = "<!-- the world: python -m docs.world -->", "<!-- the world ends -->"
BEGIN_METHODS, END_METHODS = "<!-- the methods: python -m docs.world -->", "<!-- the methods end -->"
MODELS = {
    "M0": "M0, trained from scratch",
    "M1": "**M1**: M0 after a round",
    "M2": "**M2**: M1 after a round",
    "LoRA": "M1's pairs as a LoRA",
    "SFT": "`alignment`: SFT on the translations",
    "own": "chosen is the model's own answer",
    "swapped": "half of the pairs swapped",
}


def proofs() -> list[dict[str, Any]]:
    """One a seed."""
    found: list[dict[str, Any]] = json.loads(DATA.read_text()) if DATA.exists() else []
    return found


def percent(counted: Iterable[int]) -> str:
    """A share with its Wilson interval: `84.5 (83-86)`."""
    share = Share(*counted)
    low, high = share.interval
    return f"{100 * share.share:.1f} ({100 * low:.1f}-{100 * high:.1f})"


def points(change: Iterable[float]) -> str:
    """A change with its paired interval: `+5.6 (+4.1 to +7.1)`; in bold where the interval leaves zero out."""
    rise, low, high = change
    text = f"{rise:+.1f} ({low:+.1f} to {high:+.1f})"
    return f"**{text}**" if low > 0 or high < 0 else text


def row(cells: Iterable[str]) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |\n"


def models(proof: Mapping[str, Any]) -> Iterator[str]:
    """Every model's right answers."""
    yield row(
        ["", "pairs or rows", "moved by", "right, en", "de", "es", "another language, de", "es", "lists, en / de / es"]
    )
    yield row(["---"] * 9)
    for label, what in MODELS.items():
        if label not in proof["models"]:
            continue
        trained, found = proof["training"].get(label), proof["models"][label]
        right = [percent(found["problems"][code]["accuracy"]) for code in ("en", "de", "es")]
        astray = [percent(found["problems"][code]["off_target"]) for code in ("de", "es")]
        lists = [Share(*found["lists"][code]["accuracy"]).share for code in ("en", "de", "es")]
        moved = [f"{sum(trained['rows'].values()):,}", f"{trained['shift']:.2f}"] if trained else ["", ""]
        yield row([what, *moved, *right, *astray, " / ".join(f"{100 * x:.1f}" for x in lists)])


def changes(proof: Mapping[str, Any]) -> Iterator[str]:
    """The changes between models on the same questions."""
    yield row(["in points, paired", "en", "de", "es", "lists, en", "de", "es"])
    yield row(["---"] * 7)
    for step, by_skill in proof["changes"].items():
        yield row(
            [step, *(points(by_skill[skill][code]) for skill in ("problems", "lists") for code in ("en", "de", "es"))]
        )


def mean(changes_: Iterable[Iterable[float]]) -> tuple[float, float, float]:
    """Of independent changes, with an interval from theirs (their distances are added as squares, as Newcombe's are)."""
    found = [tuple(x) for x in changes_]
    rise = sum(x[0] for x in found) / len(found)
    below, above = (sum((x[0] - x[n]) ** 2 for x in found) ** 0.5 / len(found) for n in (1, 2))
    return round(rise, 1), round(rise - below, 1), round(rise + above, 1)


def means(step: str) -> list[float]:
    """That of the worlds that took a step between models, in every language, one number after another."""
    found = [proof["changes"][step]["problems"] for proof in proofs() if step in proof["changes"]]
    return [x for code in ("en", "de", "es") for x in mean(one[code] for one in found)]


def closed(proof: Mapping[str, Any], code: str) -> float:
    """How much of a language's gap to English the rounds closed, in percent."""
    last = "M2" if "M2" in proof["models"] else "M1"
    before, after = (proof["models"][label]["problems"] for label in ("M0", last))
    (en, there), now = (before[x]["accuracy"][0] for x in ("en", code)), after[code]["accuracy"][0]
    return float(100 * (now - there) / (en - there))


def seeds(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The same of every world, a line each, and the mean."""
    steps = [(step, code) for step in ("M0 to M1", "M1 to M2", "M0 to swapped") for code in ("de", "es")]
    steps += [("M0 to M1", "en"), ("M0 to M2", "en")]
    yield row(["", *(f"{step}, {code}" for step, code in steps), "gap closed, de / es"])
    yield row(["---"] * (len(steps) + 2))
    for proof in found:
        changed = proof["changes"]
        cells = [points(changed[step]["problems"][code]) if step in changed else "" for step, code in steps]
        gaps = " / ".join(f"{closed(proof, code):.0f} %" for code in ("de", "es"))
        yield row([f"seed {proof['knobs']['seed']}", *cells, gaps])
    taken = {
        step: [proof["changes"][step]["problems"] for proof in found if step in proof["changes"]] for step, _ in steps
    }
    means_ = [points(mean(x[code] for x in taken[step])) if len(taken[step]) > 1 else "" for step, code in steps]
    yield row(["mean", *means_, ""])


def measured_methods() -> list[dict[str, Any]]:
    """One a method and seed."""
    found: list[dict[str, Any]] = json.loads(METHODS.read_text()) if METHODS.exists() else []
    return found


def by_method(found: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """A method's worlds, by seed."""
    grouped: dict[str, list[Mapping[str, Any]]] = {}
    for one in sorted(found, key=lambda x: int(x["knobs"]["seed"])):
        grouped.setdefault(one["method"], []).append(one)
    return grouped


def gains(worlds: Sequence[Mapping[str, Any]], skill: str = "problems") -> list[tuple[float, float, float]]:
    """By language, a method's change in points: of several worlds the mean."""
    return [mean(one["changes"]["M0 to M1"][skill][code] for one in worlds) for code in ("en", "de", "es")]


def spent(worlds: Sequence[Mapping[str, Any]]) -> list[str]:
    """What a method asked for, and the seconds of its build and its training; those of the world in which it sent the most."""
    requests, scores = (round(sum(one[name] for one in worlds) / len(worlds)) for name in ("requests", "scores"))
    timed = [one for one in worlds if "seconds" in one]
    if not timed:
        return [f"{requests:,}, {scores:,}", "", ""]
    one = max(timed, key=lambda x: int(x["sent"]))
    return [
        f"{requests:,}, {scores:,}",
        f"{one['seconds']['build']:,} ({one['sent']:,})",
        f"{one['seconds']['train']:,}",
    ]


def methods() -> str:
    """The methods side by side: the mean of their worlds, then each world."""
    grouped = by_method(measured_methods())
    head = [
        "",
        "worlds",
        "requests, scores",
        "s to build (sent)",
        "s to train",
        "en",
        "de",
        "es",
        "lists, en / de / es",
    ]
    lines = [row(head), row(["---"] * len(head))]
    for name, worlds in grouped.items():
        lists = " / ".join(f"{rise:+.1f}" for rise, _, _ in gains(worlds, "lists"))
        lines.append(row([f"`{name}`", str(len(worlds)), *spent(worlds), *map(points, gains(worlds)), lists]))
    head = ["", "seed", "rows", "moved by", "right, en", "de", "es", "change, de", "es", "another language, de", "es"]
    lines += ["\n", row(head), row(["---"] * len(head))]
    for one in (one for worlds in grouped.values() for one in worlds):
        lines.append(row([f"`{one['method']}`", str(one["knobs"]["seed"]), *of_world(one)]))
    return "".join(lines)


def of_world(one: Mapping[str, Any]) -> Iterator[str]:
    """A method in one world: what it was trained on, and what its model gets right."""
    trained, found = one["training"], one["models"]["M1"]["problems"]
    yield " and ".join(f"{sum(x['rows'].values()):,}" for x in trained)
    yield " and ".join(f"{x['shift']:.2f}" for x in trained)
    yield from (percent(found[code]["accuracy"]) for code in ("en", "de", "es"))
    yield from (points(one["changes"]["M0 to M1"]["problems"][code]) for code in ("de", "es"))
    yield from (percent(found[code]["off_target"]) for code in ("de", "es"))


def taken(known: Iterable[Mapping[str, Any]], new: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The methods' results with further ones; those of the same method and world are replaced."""
    found = {(one["method"], json.dumps(one["knobs"], sort_keys=True)): one for one in (*known, *new)}
    return list(found.values())


def tables() -> str:
    """All of it, a seed after another."""
    parts = ["".join(seeds(proofs()))]
    for proof in proofs():
        knobs = proof["knobs"]
        shares = " / ".join(f"{100 * knobs[code]:g}" for code in ("en", "de", "es"))
        head = f"**Seed {knobs['seed']}**: {shares} % of what M0 read are answers in en / de / es."
        if stopped := proof.get("stopped"):
            head += f" The gate of `lidr iterate` stopped the loop at {stopped}."
        parts.append(f"{head}\n\n{''.join(models(proof))}\n{''.join(changes(proof))}")
    return "\n".join(parts)


def page(text: str) -> str:
    """The page with its tables as the data have them."""
    for begin, end, made in ((BEGIN, END, tables()), (BEGIN_METHODS, END_METHODS, methods())):
        before, found, rest = text.partition(begin)
        text = f"{before}{begin}\n\n{made}\n{end}{rest.partition(end)[2]}" if found else text
    return text


def main() -> None:
    """Writes them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--add", type=Path)
    parser.add_argument("--methods", type=Path)
    given = parser.parse_args()
    if given.methods:
        found = taken(measured_methods(), json.loads(given.methods.read_text()))
        METHODS.write_text(json.dumps(found, indent=1) + "\n")
    if added := given.add:
        proof = {key: value for key, value in json.loads(added.read_text()).items() if key != "seconds"}
        kept = [x for x in proofs() if x["knobs"] != proof["knobs"]]
        DATA.parent.mkdir(exist_ok=True)
        DATA.write_text(json.dumps(sorted([*kept, proof], key=lambda x: x["knobs"]["seed"]), indent=1) + "\n")
    PAGE.write_text(page(PAGE.read_text()))


if __name__ == "__main__":
    main()
