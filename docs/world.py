"""Writes the tables of the small world into docs/results.md, from docs/data/world.json.

The data are what `python examples/world/prove.py` left in `result.json`, one entry a seed; `--add FILE` puts one there.
"""

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lidr_plugin.evaluation.intervals import Share

DOCS = Path(__file__).parent
DATA = DOCS / "data/world.json"
PAGE = DOCS / "results.md"
BEGIN, END = "<!-- the world: python -m docs.world -->", "<!-- the world ends -->"
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


def tables() -> str:
    """All of it, a seed after another."""
    parts = []
    for proof in proofs():
        knobs = proof["knobs"]
        shares = " / ".join(f"{100 * knobs[code]:g}" for code in ("en", "de", "es"))
        head = f"**Seed {knobs['seed']}**: {shares} % of what M0 read are answers in en / de / es."
        parts.append(f"{head}\n\n{''.join(models(proof))}\n{''.join(changes(proof))}")
    return "\n".join(parts)


def page(text: str) -> str:
    """The page with its tables as the data have them."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables()}\n{END}{rest.partition(END)[2]}"


def main() -> None:
    """Writes them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--add", type=Path)
    if added := parser.parse_args().add:
        proof = json.loads(added.read_text())
        kept = [x for x in proofs() if x["knobs"] != proof["knobs"]]
        DATA.parent.mkdir(exist_ok=True)
        DATA.write_text(json.dumps(sorted([*kept, proof], key=lambda x: x["knobs"]["seed"]), indent=1) + "\n")
    PAGE.write_text(page(PAGE.read_text()))


if __name__ == "__main__":
    main()
