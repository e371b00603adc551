"""What matters: one round from the usual M0 with one thing changed at a time, and what that does to the right answers.

    python examples/world/sweep.py runs/matters [rate prompts …]

Each step is a command that is printed; what was done is not done again. What came of it is in FOLDER/matters.json.
"""

import argparse
import json
import random
import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from controls import Row, copied
from experiment import CONFIG, DATASET, changes, experiment, lidr, measure, of_world, outcome, training, world_of
from reading import Knobs, spoilt

Value = float | str
BASE: Mapping[str, Value] = {"rounds": 1, "max_prompts": 500, "train.learning_rate": 1e-5}
"""What is changed one at a time; lidr.yaml has the rest."""
USUAL: Mapping[str, Value] = {
    "train.pref_beta": 0.1,
    "train.pref_ftx": 1.0,
    "train.num_train_epochs": 2.0,
    "dominant_pairs": "one",
}
"""What lidr.yaml, lidr and the recipe have anyway."""
SWEEPS: Mapping[str, tuple[str, Sequence[Value]]] = {
    "rate": ("train.learning_rate", (2.5e-6, 5e-6, 1e-5, 2e-5, 4e-5, 1.6e-4)),
    "prompts": ("max_prompts", (125, 250, 500, 1000, 2000)),
    "noise": ("", (0.0, 0.25, 0.5, 0.75, 1.0)),
    "beta": ("train.pref_beta", (0.02, 0.1, 0.5)),
    "ftx": ("train.pref_ftx", (0.0, 1.0, 4.0)),
    "dominant": ("dominant_pairs", ("none", "one", "all")),
    "epochs": ("train.num_train_epochs", (1.0, 2.0, 4.0)),
}
"""By name, the key that is changed and its values; noise is the share of pairs whose translated text has a wrong number."""


def spoil(share: float, row: Row, chance: random.Random) -> Row:
    """The translated text of a pair with one of its numbers changed, in so many pairs."""
    side = "chosen" if row["chosen_source"].startswith("translation") else "rejected"
    return {**row, side: spoilt(row[side], chance)} if chance.random() < share else row


def settings(changed: Mapping[str, Value]) -> list[str]:
    """The base with a change, as `KEY=VALUE`; what is as usual anyway is left out."""
    given = {**BASE, **changed}
    return [f"{key}={value}" for key, value in given.items() if USUAL.get(key) != value]


def folder_of(top: Path, given: Sequence[str]) -> Path:
    """Of a training; those of the same settings share it."""
    return top / "_".join(x.removeprefix("train.") for x in given)


def noisy(top: Path, share: float) -> dict[str, Any]:
    """The base's pairs, so many of them spoilt, trained on as they are."""
    given = settings({})
    world, base, folder = world_of(Knobs()), folder_of(top, given), top / f"noise={share}"
    experiment(base, Knobs(), given)
    result = folder / "result.json"
    if not result.exists():
        copied(base / "iter1", folder, DATASET, partial(spoil, share))
        lidr("train", CONFIG, *of_world(world), *given, f"output_dir={folder}")
        measure(folder / "all", world, {"M0": world / "m0", "M1": folder / "model"})
        found = {
            "rounds": [training(folder)],
            "models": outcome(folder / "all"),
            "changes": changes(folder / "all", [("M0", "M1")]),
        }
        result.write_text(json.dumps(found, indent=1) + "\n")
    return dict(json.loads(result.read_text()))


def entry(sweep: str, value: Any, found: dict[str, Any], how: str) -> dict[str, Any]:
    """What is drawn of a training."""
    (trained,) = found["rounds"]
    return {
        "sweep": sweep,
        "value": value,
        "rows": sum(trained["rows"].values()),
        "shift": trained["shift"],
        "right": {code: marks["accuracy"] for code, marks in found["models"]["M1"]["problems"].items()},
        "change": found["changes"]["M0 to M1"]["problems"],
        "lists": found["changes"]["M0 to M1"]["lists"],
        "how": how,
    }


def entries(top: Path, sweep: str) -> Iterator[dict[str, Any]]:
    """Of a sweep, one after another."""
    key, values = SWEEPS[sweep]
    for value in values:
        if sweep == "noise":
            yield entry(sweep, value, noisy(top, float(value)), f"python examples/world/sweep.py {top} noise")
            continue
        given = settings({key: value})
        words = ["python", "examples/world/experiment.py", "runs/one", *given]
        yield entry(sweep, value, experiment(folder_of(top, given), Knobs(), given), shlex.join(words))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("sweeps", nargs="*", metavar="SWEEP")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    record = given.folder / "matters.json"
    found = json.loads(record.read_text()) if record.exists() else []
    for sweep in given.sweeps or SWEEPS:
        for one in entries(given.folder, sweep):
            found = [*(x for x in found if (x["sweep"], x["value"]) != (sweep, one["value"])), one]
            record.write_text(json.dumps(found, indent=1) + "\n")
            print(sweep, one["value"], one["change"], one["shift"], flush=True)


if __name__ == "__main__":
    main()
