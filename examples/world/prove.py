"""The proof: two rounds from the M0 of a small world, and four other trainings from the same prompts to hold against them.

    python examples/world/prove.py runs/world [--seed 1]

Each step is a command that is printed; what was done is not done again. The numbers are in FOLDER/result.json, the pages are
FOLDER/report.html (the rounds) and FOLDER/all/report.html (every model).
"""

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from controls import copied, own, swapped, unchanged
from experiment import CONFIG, DATASET, changes, lidr, line, measure, of_world, outcome, training, world_of
from make_world import add_knobs
from reading import Knobs

LORA = ["train.method=lora", "train.learning_rate=2.0e-4"]
STEPS = [("M0", "M1"), ("M0", "M2"), ("M1", "M2"), ("M0", "SFT"), ("M0", "swapped"), ("M0", "own"), ("M0", "LoRA")]
"""The pairs of models that are compared on the same questions."""


def rounds(folder: Path, world: Path) -> None:
    """M1 and M2, as a user would make them."""
    lidr("iterate", CONFIG, *of_world(world), f"output_dir={folder}")


def others(folder: Path, world: Path) -> Mapping[str, Path]:
    """By label, the runs of the controls, and of M1's pairs as a LoRA."""
    base, built = of_world(world), folder / "iter1"
    sft = [*base, "method=alignment", f"output_dir={folder / 'sft'}", "train.learning_rate=1.0e-5"]
    lidr("build-pairs", CONFIG, *sft)
    lidr("train", CONFIG, *sft)
    for name, change in (("swapped", swapped), ("own", own), ("lora", unchanged)):
        copied(built, folder / name, DATASET, change)
        lidr("train", CONFIG, *base, f"output_dir={folder / name}", *(LORA if name == "lora" else []))
    return {"SFT": folder / "sft", "swapped": folder / "swapped", "own": folder / "own", "LoRA": folder / "lora"}


def prove(folder: Path, knobs: Knobs) -> dict[str, Any]:
    """All of it; what is in `result.json`."""
    begun, world = time.monotonic(), world_of(knobs)
    rounds(folder, world)
    runs = {"M1": folder / "iter1", "M2": folder / "iter2", **others(folder, world)}
    measure(folder / "all", world, {"M0": world / "m0"} | {label: path / "model" for label, path in runs.items()})
    return {
        "knobs": asdict(knobs),
        "training": {label: training(path) for label, path in runs.items()},
        "models": outcome(folder / "all"),
        "changes": changes(folder / "all", STEPS),
        "seconds": round(time.monotonic() - begun),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    add_knobs(parser)
    given = vars(parser.parse_args())
    folder = given.pop("folder")
    result = prove(folder, Knobs(**given))
    (folder / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    for label in result["models"]:
        print(line(label, result))
    print(f"{result['seconds']} s; {folder}/report.html, {folder}/all/report.html")


if __name__ == "__main__":
    main()
