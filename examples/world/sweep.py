"""What matters: one round from the usual M0 with one thing changed at a time, and what that does to the right answers.

    python examples/world/sweep.py runs/matters [rate prompts=125 …]

Each step is a command that is printed; what was done is not done again. What came of it is in FOLDER/matters.json.
"""

import argparse
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from controls import copied, unchanged
from experiment import CONFIG, DATASET, experiment, lidr, of_world, trained_and_asked, world_of
from noise import FAULTS, Fault, judged, noisy
from reading import Knobs

Value = float | str
Change = Mapping[str, Value]
BASE: Change = {"rounds": 1, "max_prompts": 500, "train.learning_rate": 1e-5}
"""What is changed one at a time; lidr.yaml has the rest."""
USUAL: Change = {
    "train.pref_beta": 0.1,
    "train.pref_ftx": 1.0,
    "train.num_train_epochs": 2.0,
    "train.lora_rank": 16,
    "train.lora_alpha": 32,
    "dominant_pairs": "one",
}
"""What lidr.yaml, lidr and the recipe have anyway."""


def each(key: str, *values: Value) -> dict[Value, Change]:
    """One key with several values."""
    return {value: {key: value} for value in values}


def stopped(rate: float) -> Change:
    """A training that ends where the log-probabilities have moved as far as the proof's first round moved them."""
    return {"train.learning_rate": rate, "train.stop_at_shift": 0.25}


def adapter(rate: float, rank: int = 16) -> Change:
    """LoRA."""
    return {"train.method": "lora", "train.learning_rate": rate, "train.lora_rank": rank, "train.lora_alpha": 2 * rank}


SWEEPS: Mapping[str, Mapping[Value, Change]] = {
    "rate": each("train.learning_rate", 2.5e-6, 5e-6, 1e-5, 2e-5, 4e-5),
    "prompts": each("max_prompts", 125, 250, 500, 1000),
    "slips": {share: {} for share in (0.0, 0.2, 0.5, 0.7, 1.0)},
    "mistakes": {share: {} for share in (0.0, 0.1, 0.2, 0.35, 0.5, 0.7)},
    "garbled": {share: {} for share in (0.0, 0.2, 0.4, 0.7, 1.0)},
    "dominant": each("dominant_pairs", "none", "one", "all"),
    "ftx": each("train.pref_ftx", 0.0, 1.0, 4.0),
    "stop": {rate: stopped(rate) for rate in (2e-5, 4e-5, 1.6e-4)},
    "lora": {rate: adapter(rate) for rate in (5e-5, 2e-4, 8e-4)},
    "beta": each("train.pref_beta", 0.02, 0.1, 0.5),
    "epochs": each("train.num_train_epochs", 1.0, 2.0, 4.0),
    "lora_rank": {rank: adapter(2e-4, rank) for rank in (2, 16, 64)},
}
"""By name and value, what is changed; for the faults of noise.py the share."""


def settings(changed: Change) -> list[str]:
    """The base with a change, as `KEY=VALUE`; what is as usual anyway is left out."""
    given = {**BASE, **changed}
    return [f"{key}={value}" for key, value in given.items() if USUAL.get(key) != value]


def folder_of(top: Path, given: Sequence[str]) -> Path:
    """Of a training; those of the same settings share it."""
    return top / "_".join(x.removeprefix("train.") for x in given)


def again(base: Path, folder: Path, given: Sequence[str]) -> dict[str, Any]:
    """Another training on the base's pairs."""
    result = folder / "result.json"
    if not result.exists():
        world = world_of(Knobs())
        copied(base / "iter1", folder, DATASET, unchanged)
        lidr("train", CONFIG, *of_world(world), *given, f"output_dir={folder}")
        result.write_text(json.dumps(trained_and_asked(folder, world), indent=1) + "\n")
    return dict(json.loads(result.read_text()))


def found_for(top: Path, sweep: str, value: Value, changed: Change) -> dict[str, Any]:
    """What a value does. The base's pairs are trained on again where nothing but the training differs."""
    usual, given = settings({}), settings(changed)
    base, folder = folder_of(top, usual), folder_of(top, given)
    if sweep in FAULTS:
        found, world = experiment(base, Knobs(), usual), world_of(Knobs())
        if value:
            return noisy(top / f"{sweep}={value}", world, given, Fault(sweep, float(value)))
        return {**found, **judged(top / "sound", [*of_world(world), *given])}
    if given == usual or not all(key.startswith("train.") for key in changed):
        return experiment(folder, Knobs(), given)
    experiment(base, Knobs(), usual)
    return again(base, folder, given)


def entry(sweep: str, value: Value, changed: Change, found: Mapping[str, Any]) -> dict[str, Any]:
    """What is drawn of a training, and the command for it alone."""
    (trained,) = found["rounds"]
    alone = (
        ["experiment.py", "runs/one", *settings(changed)]
        if sweep not in FAULTS
        else ["sweep.py", "runs/matters", sweep]
    )
    return {
        "sweep": sweep,
        "value": value,
        "rows": sum(trained["rows"].values()),
        "shift": trained["shift"],
        "right": {code: marks["accuracy"] for code, marks in found["models"]["M1"]["problems"].items()},
        "change": found["changes"]["M0 to M1"]["problems"],
        "lists": found["changes"]["M0 to M1"]["lists"],
        **{key: found[key] for key in ("verdicts", "blind") if key in found},
        "how": shlex.join(["python", f"examples/world/{alone[0]}", *alone[1:]]),
    }


def entries(top: Path, sweep: str, only: str = "") -> Iterator[dict[str, Any]]:
    """Of a sweep, one after another, or of one value alone."""
    for value, changed in SWEEPS[sweep].items():
        if only in ("", str(value)):
            yield entry(sweep, value, changed, found_for(top, sweep, value, changed))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("sweeps", nargs="*", metavar="SWEEP[=VALUE]")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    record = given.folder / "matters.json"
    found = json.loads(record.read_text()) if record.exists() else []
    for asked in given.sweeps or SWEEPS:
        sweep, _, only = asked.partition("=")
        for one in entries(given.folder, sweep, only):
            found = [*(x for x in found if (x["sweep"], x["value"]) != (sweep, one["value"])), one]
            record.write_text(json.dumps(found, indent=1) + "\n")
            print(sweep, one["value"], one["change"], one["shift"], flush=True)


if __name__ == "__main__":
    main()
