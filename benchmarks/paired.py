"""What changed between the first model and the others on the same prompts and questions, as paired differences.

    python -m benchmarks.paired runs/demo

Two intervals that overlap can hide a difference, for the same prompts are hard for both models. Here each prompt is compared
with itself. All languages together count a prompt once, with its mean over them, since translations of one prompt are not
independent. Reads what `lidr eval` kept in `eval/`.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from lidr_plugin.evaluation.intervals import Mean
from lidr_plugin.evaluation.results import read_results
from lidr_plugin.text.repetition import repeated_share

_ANSWERS: Mapping[str, Callable[[str], float]] = {
    "repeated 4-grams, points": lambda text: 100 * repeated_share(text),
    "characters": len,
}
_QUESTIONS = {"MGSM accuracy, points": "correct", "MGSM off target, points": "off_target"}


def measured(folder: Path, label: str, codes: Sequence[str]) -> dict[str, dict[str, list[float]]]:
    """By measure and language a value for each prompt or question, in their order."""
    found: dict[str, dict[str, list[float]]] = {}
    for code in codes:
        for name, value in _ANSWERS.items():
            rows = _rows(folder / f"{label}.alpaca_eval.{code}.json")
            found.setdefault(name, {})[code] = [value(row["output"]) for row in rows]
        for name, key in _QUESTIONS.items():
            rows = _rows(folder / f"{label}.mgsm.{code}.jsonl")
            # A language that cannot be identified has no off_target.
            found.setdefault(name, {})[code] = [100.0 * row[key] for row in rows if key in row]
    return found


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    text = path.read_bytes()
    return list(orjson.loads(text)) if path.suffix == ".json" else [orjson.loads(line) for line in text.splitlines()]


def main() -> None:
    """Prints a line a model, measure and language."""
    folder = Path(sys.argv[1]) / "eval"
    results = read_results(folder / "results.json").results
    first, *others = results
    codes = list(dict.fromkeys(code for name in ("prompts", "mgsm") for code in results[first].get(name, {})))
    before = measured(folder, first, codes)
    for label in others:
        after = measured(folder, label, codes)
        for name, by_language in after.items():
            changes = {
                code: [new - old for new, old in zip(values, before[name][code], strict=True)]
                for code, values in by_language.items()
                if values
            }
            if changes:
                changes["all"] = [sum(row) / len(row) for row in zip(*changes.values(), strict=True)]
            for code, values in changes.items():
                print("{} - {}, {}, {}: {:+.1f} ± {:.1f}".format(label, first, name, code, *Mean.of(values)))


if __name__ == "__main__":
    main()
