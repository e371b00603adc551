"""The proof: two rounds from the M0 of a small world, and other trainings from the same prompts to hold against them.

    python examples/world/prove.py runs/world [--seed 1 --rounds 1 --others swapped]

Each step is a command that is printed; what was done is not done again. The numbers are in FOLDER/result.json, the pages are
FOLDER/report.html (the rounds) and FOLDER/all/report.html (every model).
"""

import argparse
import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from controls import copied, own, swapped, unchanged
from experiment import CONFIG, DATASET, changes, lidr, line, measure, of_world, outcome, training, world_of
from make_world import add_knobs
from reading import Knobs

from lidr_plugin.evaluation import gate
from lidr_plugin.run_directory import RunDirectory

LORA = ["train.method=lora", "train.learning_rate=2.0e-4"]
CONTROLS = ("SFT", "swapped", "own")
OTHERS = (*CONTROLS, "LoRA")
STEPS = [("M0", "M1"), ("M0", "M2"), ("M1", "M2"), *(("M0", label) for label in OTHERS)]
"""The pairs of models that are compared on the same questions."""


class Rounds(NamedTuple):
    """The runs of M1, M2, …, and the model at which the gate stopped them; empty if it did not."""

    runs: dict[str, Path]
    stopped: str


def rounds(folder: Path, world: Path, count: int) -> Rounds:
    """M1, M2, …, as a user would make them. A model that the gate refuses is looked at all the same: what it lost is a result."""
    runs, stopped = {f"M{number}": folder / f"iter{number}" for number in range(1, count + 1)}, ""
    try:
        lidr("iterate", CONFIG, *of_world(world), f"rounds={count}", f"output_dir={folder}")
    except subprocess.CalledProcessError:
        runs = {label: path for label, path in runs.items() if (path / "eval/results.json").exists()}
        *_, before, stopped = ("", "M0", *runs)
        if not runs or not gate.problems_in(RunDirectory(runs[stopped]).eval_results, before, stopped)[0]:
            raise
    return Rounds(runs, stopped)


def other(label: str, folder: Path, world: Path) -> Path:
    """The run of one of the controls, or of M1's pairs as a LoRA."""
    run = folder / label.lower()
    given = [*of_world(world), f"output_dir={run}"]
    if label == "SFT":
        given.append("method=alignment")
        lidr("build-pairs", CONFIG, *given)
    else:
        copied(folder / "iter1", run, DATASET, {"swapped": swapped, "own": own, "LoRA": unchanged}[label])
    lidr("train", CONFIG, *given, *(LORA if label == "LoRA" else []))
    return run


def prove(folder: Path, knobs: Knobs, count: int, others: Sequence[str] = CONTROLS) -> dict[str, Any]:
    """All of it; what is in `result.json`."""
    begun, world = time.monotonic(), world_of(knobs)
    runs, stopped = rounds(folder, world, count)
    runs |= {label: other(label, folder, world) for label in others}
    measure(folder / "all", world, {"M0": world / "m0"} | {label: path / "model" for label, path in runs.items()})
    return {
        "knobs": asdict(knobs),
        "stopped": stopped,
        "training": {label: training(path) for label, path in runs.items()},
        "models": outcome(folder / "all"),
        "changes": changes(folder / "all", [step for step in STEPS if step[1] in runs and step[0] in ("M0", *runs)]),
        "seconds": round(time.monotonic() - begun),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--others", nargs="*", choices=OTHERS, default=CONTROLS)
    parser.add_argument("--rounds", type=int, default=2)
    add_knobs(parser)
    given = vars(parser.parse_args())
    folder, others, count = (given.pop(name) for name in ("folder", "others", "rounds"))
    result = prove(folder, Knobs(**given), count, others)
    (folder / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    for label in result["models"]:
        print(line(label, result))
    print(f"{result['seconds']} s; {folder}/report.html, {folder}/all/report.html")


if __name__ == "__main__":
    main()
