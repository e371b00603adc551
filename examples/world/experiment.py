"""One experiment: rounds of lidr from the M0 of a small world, and what every model of it gets right.

    python examples/world/experiment.py runs/sweep/rate-1e-5 --de 0.003 rounds=1 train.learning_rate=1.0e-5

Options are knobs of the world (reading.py), KEY=VALUE is lidr's configuration, over that of lidr.yaml. Each step is a command
that is printed; what was done is not done again. What came of it is in FOLDER/result.json.
"""

import argparse
import json
import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from make_world import HERE, add_knobs, make
from reading import Knobs

from lidr_plugin.evaluation.changes import Change
from lidr_plugin.evaluation.intervals import Share
from lidr_plugin.evaluation.results import read_results

CONFIG = HERE / "lidr.yaml"
WORLDS = Path("runs/worlds")
DATASET = "world"
SKILLS = ("problems", "lists")


def lidr(*words: str | Path) -> None:
    """Runs a command as a user would. Raises `CalledProcessError` if it fails."""
    print("$", shlex.join(["lidr", *map(str, words)]), flush=True)
    code = "from lidr_cli.main import main; main()"
    subprocess.run([sys.executable, "-c", code, *map(str, words)], check=True)


def world_of(knobs: Knobs) -> Path:
    """The folder of a world; it is made if it is not there."""
    usual = asdict(Knobs())
    changed = [f"{name}{value}" for name, value in asdict(knobs).items() if value != usual[name]]
    folder = WORLDS / ("-".join(changed) or "usual")
    print(f"$ python examples/world/make_world.py {folder}", flush=True)
    make(folder, knobs)
    return folder


def of_world(world: Path) -> list[str]:
    """The settings that name a world's files; all its experiments share one store."""
    base = world.absolute()
    skills = {"problems": "held_out", "lists": "lists"}
    return [
        f"model_name_or_path={json.dumps(str(base / 'm0'))}",
        f"prompts={json.dumps(str(base / 'prompts/{language}.jsonl'))}",
        f"store={json.dumps(str(base / 'completions.sqlite'))}",
        *(f"eval.skills.{name}={json.dumps(str(base / part / '{language}.jsonl'))}" for name, part in skills.items()),
    ]


def measure(folder: Path, world: Path, models: Mapping[str, Path], settings: Sequence[str] = ()) -> None:
    """`lidr eval` of the models, the first of them the one that the others are compared with."""
    named = json.dumps({label: str(path.absolute()) for label, path in models.items()})
    lidr("eval", CONFIG, *of_world(world), *settings, f"output_dir={folder}", f"eval.models={named}")


def marks(folder: Path, label: str, skill: str, language: str, mark: str) -> list[bool]:
    """One mark of every answer of a model, in the order of the questions."""
    lines = (folder / f"eval/{label}.{skill}.{language}.jsonl").read_text().splitlines()
    return [json.loads(line)[mark] for line in lines]


def change(folder: Path, before: str, after: str, skill: str, language: str, mark: str = "accuracy") -> Change:
    """From one model to another, on the same questions."""
    return Change.of(*(marks(folder, label, skill, language, mark) for label in (before, after)))


def outcome(folder: Path) -> dict[str, Any]:
    """What `lidr eval` found: by model, skill, language and mark the hits and the questions."""
    found = read_results(folder / "eval/results.json").results
    return {
        label: {
            skill: {
                code: {name: [x.hits, x.total] for name, x in values.items() if isinstance(x, Share)}
                for code, values in results[skill].items()
            }
            for skill in SKILLS
        }
        for label, results in found.items()
    }


def changes(folder: Path, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """By pair of models, skill and language, in points: how many more answers are right, with the paired 95 % interval."""
    found: dict[str, Any] = {}
    for before, after in pairs:
        by_skill = found.setdefault(f"{before} to {after}", {})
        for skill in SKILLS:
            for code in read_results(folder / "eval/results.json").results[after][skill]:
                seen = change(folder, before, after, skill, code)
                low, high = seen.interval
                by_skill.setdefault(skill, {})[code] = [round(100 * x, 1) for x in (seen.rise, low, high)]
    return found


def training(run: Path) -> dict[str, Any]:
    """What a model was trained on, and how far that moved it."""
    state = json.loads((run / "train.json").read_text())
    rows = map(json.loads, (run / "data" / f"{DATASET}.jsonl").read_text().splitlines())
    report = json.loads((run / "report.json").read_text()) if (run / "rejected.jsonl").exists() else {}
    return {
        "rows": Counter(row["language"] for row in rows),
        "rejected": report.get("rejected", {}),
        "shift": round(state["merge"]["shift"], 4),
        "train_seconds": round(state["result"]["train_runtime"]),
    }


def trained_and_asked(folder: Path, world: Path) -> dict[str, Any]:
    """What a run's model was trained on and gets right, beside the M0 that it was trained from."""
    measure(folder / "all", world, {"M0": world / "m0", "M1": folder / "model"})
    return {
        "rounds": [training(folder)],
        "models": outcome(folder / "all"),
        "changes": changes(folder / "all", [("M0", "M1")]),
    }


def experiment(folder: Path, knobs: Knobs, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Rounds as the settings have them, without the gate; what is in `result.json`."""
    begun, result = time.monotonic(), folder / "result.json"
    asked = {"knobs": asdict(knobs), "settings": list(settings)}
    if result.exists() and {key: (before := json.loads(result.read_text()))[key] for key in asked} == asked:
        return dict(before)
    world = world_of(knobs)
    given = [*of_world(world), *settings, f"output_dir={folder}"]
    lidr("iterate", CONFIG, *given, "--until", "train")
    rounds = sorted(folder.glob("iter[0-9]*"), key=lambda path: int(path.name.removeprefix("iter")))
    models = {"M0": world / "m0"} | {f"M{n}": path / "model" for n, path in enumerate(rounds, 1)}
    measure(folder, world, models, settings)
    labels = list(models)
    steps = [("M0", label) for label in labels[1:]] + list(pairwise(labels[1:]))
    found = {
        **asked,
        "rounds": [training(path) for path in rounds],
        "models": outcome(folder),
        "changes": changes(folder, steps),
        "seconds": round(time.monotonic() - begun),
    }
    result.write_text(json.dumps(found, indent=1) + "\n")
    return found


def line(label: str, result: Mapping[str, Any]) -> str:
    """A model's right answers, in percent, and of them astray."""
    parts = []
    for skill in SKILLS:
        for mark in ("accuracy", "off_target"):
            values = [100 * x[mark][0] / x[mark][1] for x in result["models"][label][skill].values()]
            parts.append(f"{skill} {mark} " + " / ".join(f"{x:.1f}" for x in values))
    return f"{label}: " + "; ".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE")
    add_knobs(parser)
    given = vars(parser.parse_intermixed_args())
    folder, settings = given.pop("folder"), given.pop("settings")
    result = experiment(folder, Knobs(**given), settings)
    for label in result["models"]:
        print(line(label, result))
    for number, found in enumerate(result["rounds"], 1):
        print(f"round {number}: rows {dict(found['rows'])}, moved by {found['shift']}")


if __name__ == "__main__":
    main()
