"""Makes a small world: parallel prompts, held-out questions, and M0, a model with a known imbalance.

    python examples/world/make_world.py runs/world

The same seed and knobs make the same world. M0 with the default knobs lies beside this file and is taken from there; any other is
trained from scratch, in the environment of `lidr env create train`.
"""

import argparse
import json
import random
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from reading import Knobs
from tasks import LANGUAGES, Copy, Problem, Task

from lidr_plugin.errors import InputError
from lidr_plugin.machine.environments import python_of

HERE = Path(__file__).resolve().parent


def different(chance: random.Random, count: int, knobs: Knobs, taken: set[str]) -> Iterator[Problem]:
    """So many problems, none of them taken."""
    while count:
        problem = Problem.drawn(chance, knobs.steps)
        if (text := problem.question("en")) not in taken:
            taken.add(text)
            count -= 1
            yield problem


def write_questions(folder: Path, tasks: Sequence[Task]) -> None:
    """One file a language, joined by their ids."""
    folder.mkdir(parents=True, exist_ok=True)
    for code in LANGUAGES:
        rows = [
            {
                "id": str(n),
                "instruction": task.question(code),
                "final_answer": task.final(code),
                "response": task.answer(code),
            }
            for n, task in enumerate(tasks)
        ]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{code}.jsonl").write_text(text, encoding="utf-8")


def make_m0(knobs: Knobs, folder: Path) -> None:
    """M0, from beside this file or trained. Raises `InputError` without the environment for that."""
    record = HERE / "m0.json"
    if json.loads(record.read_text())["knobs"] == knobs.of_m0:
        shutil.copytree(HERE / "m0", folder, dirs_exist_ok=True)
        shutil.copy(record, folder.with_suffix(".json"))
        return
    python = python_of("train")
    if python is None:
        raise InputError("M0 is trained in the train environment, which is not there", "lidr env create train")
    command = [str(python), str(HERE / "train_m0.py"), str(folder), json.dumps(asdict(knobs))]
    subprocess.run(command, check=True)


def make(folder: Path, knobs: Knobs) -> bool:
    """Makes a world; false if it was made before, with the same knobs."""
    record = folder / "world.json"
    if record.exists() and json.loads(record.read_text()) == asdict(knobs):
        return False
    chance, taken = random.Random(knobs.seed), set[str]()
    write_questions(folder / "prompts", list(different(chance, knobs.prompts, knobs, taken)))
    write_questions(folder / "held_out", list(different(chance, knobs.held_out, knobs, taken)))
    write_questions(folder / "lists", [Copy.drawn(chance) for _ in range(min(300, knobs.held_out))])
    make_m0(knobs, folder / "m0")
    record.write_text(json.dumps(asdict(knobs), indent=1) + "\n")
    return True


def add_knobs(parser: argparse.ArgumentParser) -> None:
    """An option for each knob."""
    for knob in fields(Knobs):
        parser.add_argument(f"--{knob.name.replace('_', '-')}", type=type(knob.default), default=knob.default)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    add_knobs(parser)
    given = vars(parser.parse_args())
    folder = given.pop("folder")
    made = make(folder, Knobs(**given))
    print(f"{folder}: prompts, held-out questions, and M0 in {folder / 'm0'}" if made else f"{folder}: made before")


if __name__ == "__main__":
    main()
