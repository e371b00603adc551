"""Methods side by side: from the same prompts of a small world one round each, and what each model gets right.

    python examples/world/methods.py runs/methods [--seed 1] [answer scpo …] [KEY=VALUE …]

Each step is a command that is printed; what was done is not done again. What came of it is in FOLDER/methods.json. All have the
world's training (lidr.yaml: rate, epochs, batch) and the loss of their own recipe. Those that rank put the same samples in order.
"""

import argparse
import json
import resource
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import judge
from controls import copied, swapped
from experiment import CONFIG, DATASET, changes, lidr, measure, of_world, outcome, training, world_of
from make_world import HERE, add_knobs
from reading import Knobs

from lidr_plugin.config.methods import family_of
from lidr_plugin.errors import InputError
from lidr_plugin.machine.environments import python_of

METHODS = (
    "imbalance",
    "swapped",
    "alignment",
    "answer",
    "scpo",
    "best_of_n",
    "mapo",
    "icr",
    "qalign",
    "calm",
    "cm_align",
    "clo",
    "stt",
    "xllm",
    "crossin",
    "plug",
    "question_only",
    "lacomsa",
    "croco",
    "dice",
    "sao",
    "self_rewarding",
)
"""`swapped` is a control: imbalance's pairs, half of them swapped."""
AFTER_DPO = ("icr", "dice")
"""Want a model that was trained on preferences and what it was before: their M0 is imbalance's M1."""
JUDGED = ("sao", "self_rewarding")
"""Want a judge: that of judge.py."""
SAME = ("max_prompts=500",)
SAMPLES = ("rank.samples=8", "rank.temperature=0.8", "rank.top_p=1.0", "rank.pairs=1", "rank.max_tokens=64")
"""Of every method that ranks, in place of its paper's: what differs is how the samples are put in order."""
WHOLE = tuple(f"train.{key}=null" for key in ("val_size", "eval_strategy", "eval_steps", "load_best_model_at_end"))
"""Every row is trained on: ScPO's recipe keeps a twentieth to choose a checkpoint by."""


def reward_model(world: Path) -> Path:
    """The world's own, trained on answers that are known to be right or wrong. Raises `InputError` without the environment."""
    folder, python = world / "reward", python_of("train")
    if python is None:
        raise InputError(
            "a reward model is trained in the train environment, which is not there", "lidr env create train"
        )
    if not folder.with_suffix(".json").exists():
        subprocess.run([str(python), str(HERE / "train_reward.py"), str(world / "m0"), str(folder)], check=True)
    return folder


def named(path: Path) -> str:
    """A model of the world as a scorer."""
    return json.dumps({"model_name_or_path": str(path.absolute()), "backend": "transformers", "dtype": "float32"})


def settings_of(method: str, top: Path, world: Path) -> list[str]:
    """What the configuration has to say for a method, beside the address of a judge."""
    given = [f"method={method}"]
    if family_of(method) == "rank":
        given += SAMPLES
    match method:
        case "scpo" | "question_only":
            given += WHOLE
        case "best_of_n" | "croco":
            given.append(f"rank.scorer={named(reward_model(world))}")
        case "mapo":
            given.append("rank.scorer=policy")
        case "sao":
            given.append("rank.samples=2")
        case "icr" | "dice":
            given += [f"model_name_or_path={json.dumps(str(base_of(method, top, world)))}"]
            given.append(f"rank.scorer={named(world / 'm0')}")
    return given


def base_of(method: str, top: Path, world: Path) -> Path:
    """The model that a method begins with."""
    return (top / "imbalance/model" if method in AFTER_DPO else world / "m0").absolute()


def trained(method: str, top: Path, world: Path, settings: Sequence[str]) -> list[Path]:
    """The runs of a method, one after another; QAlign has two trainings."""
    run, given = top / method, [*of_world(world), *SAME]
    if method == "swapped":
        copied(top / "imbalance", run, DATASET, swapped)
        return [timed("train", run, [*given, *settings])]
    given += [*settings_of(method, top, world), *settings]
    if method in JUDGED:
        with judge.served(judge.Judge(world)) as address:
            scorer = {"model_name_or_path": judge.MODEL, "backend": "openai", "base_url": address}
            return [build_and_train(run, [*given, f"rank.scorer={json.dumps(scorer)}"])]
    if method != "qalign":
        return [build_and_train(run, given)]
    first = build_and_train(run / "questions", [*given, "mix.stage=1"])
    later = f"model_name_or_path={json.dumps(str((first / 'model').absolute()))}"
    return [first, build_and_train(run / "answers", [*given, "mix.stage=2", later])]


def build_and_train(run: Path, given: Sequence[str]) -> Path:
    """A run, as a user would make it."""
    timed("build-pairs", run, given)
    return timed("train", run, given)


def timed(command: str, run: Path, given: Sequence[str]) -> Path:
    """A command of a run; what it took is added to the run's `seconds.json`: of processors, for others may work beside it."""
    before = processor_seconds()
    lidr(command, CONFIG, *given, f"output_dir={run}")
    record = run / "seconds.json"
    found = json.loads(record.read_text()) if record.exists() else {}
    found[command] = found.get(command, 0.0) + processor_seconds() - before
    record.write_text(json.dumps(found) + "\n")
    return run


def processor_seconds() -> float:
    """Of all processes that this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def asked(run: Path) -> dict[str, int]:
    """What a build asked for, whether or not the store had it; and what it had to send, for the store did not have it."""
    path = run / "report.json"
    report = json.loads(path.read_text()) if path.exists() else {}
    counts = {"requests": report.get("completions", {}), "scores": report.get("scores", {})}
    found = {name: sum(x.get(key, 0) for key in ("generated", "reused")) for name, x in counts.items()}
    return {**found, "sent": sum(x.get("generated", 0) for x in counts.values())}


def seconds(runs: Sequence[Path]) -> dict[str, int]:
    """What building and training took, of processors."""
    found = [json.loads((run / "seconds.json").read_text()) for run in runs]
    return {
        name: round(sum(x.get(key, 0) for x in found)) for name, key in (("build", "build-pairs"), ("train", "train"))
    }


def compared(method: str, top: Path, knobs: Knobs, settings: Sequence[str] = ()) -> dict[str, Any]:
    """A method's model beside the one that it began with."""
    result = top / method / "result.json"
    if result.exists():
        found = dict(json.loads(result.read_text()))
        if (found["knobs"], found.get("settings", [])) != (asdict(knobs), list(settings)):
            raise InputError(f"{result}: made in another world, or with other settings", "name another folder")
        return found
    world = world_of(knobs)
    runs = trained(method, top, world, settings)
    folder = top / method / "all"
    measure(folder, world, {"M0": base_of(method, top, world), "M1": runs[-1] / "model"}, settings)
    spent = [asked(run) for run in runs]
    found = {
        "method": method,
        "knobs": asdict(knobs),
        "settings": list(settings),
        **{name: sum(one[name] for one in spent) for name in ("requests", "scores", "sent")},
        "seconds": seconds(runs),
        "training": [training(run) for run in runs],
        "models": outcome(folder),
        "changes": changes(folder, [("M0", "M1")]),
    }
    if method in JUDGED:
        found["mistaken"] = judge.MISTAKEN
    if method in ("best_of_n", "croco"):
        found["reward"] = json.loads(reward_model(world).with_suffix(".json").read_text())["right"]
    result.write_text(json.dumps(found, indent=1) + "\n")
    return found


def told(found: Mapping[str, Any]) -> str:
    """A line about a method."""
    return f"{found['method']}: {found['changes']['M0 to M1']['problems']}, moved by {found['training'][-1]['shift']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("words", nargs="*", metavar="METHOD | KEY=VALUE")
    add_knobs(parser)
    given = vars(parser.parse_intermixed_args())
    top, words = given.pop("folder"), given.pop("words")
    settings, wanted = ([x for x in words if ("=" in x) == is_setting] for is_setting in (True, False))
    if unknown := [x for x in wanted if x not in METHODS]:
        parser.error(f"{unknown[0]}: not among {', '.join(METHODS)}")
    top.mkdir(parents=True, exist_ok=True)
    record = top / "methods.json"
    found = json.loads(record.read_text()) if record.exists() else []
    for method in wanted or METHODS:
        one = compared(method, top, Knobs(**given), settings)
        found = [*(x for x in found if x["method"] != method), one]
        record.write_text(json.dumps(found, indent=1) + "\n")
        print(told(one), flush=True)


if __name__ == "__main__":
    main()
