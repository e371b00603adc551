"""Models of the world asked twice, by transformers in this process and by a vLLM server that lidr starts: what is right by each.

    python examples/world/served.py runs/served M1=runs/world/iter1/model

M0 is asked anyway, all of them the same held-out questions; what was asked is not asked again. What came of it is in
FOLDER/served.json.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from experiment import CONFIG, lidr, marks, of_world, world_of
from reading import Knobs
from tasks import LANGUAGES

ENGINES = {
    "transformers": {"backend": "transformers", "dtype": "float32", "batch_size": 256, "concurrency": 1024},
    "vllm": {"backend": "vllm", "concurrency": 256, "args": {"dtype": "float32", "max_model_len": 256}},
}


def ask(folder: Path, world: Path, models: dict[str, str]) -> None:
    """`lidr eval` with each engine."""
    skills = json.dumps({"problems": str(world.absolute() / "held_out/{language}.jsonl")})
    for name, engine in ENGINES.items():
        given = [f"engine={json.dumps(engine)}", f"eval.models={json.dumps(models)}", f"eval.skills={skills}"]
        lidr("eval", CONFIG, *of_world(world), *given, f"output_dir={folder / name}")


def answers(folder: Path, label: str, code: str) -> list[str]:
    """In the order of the questions."""
    lines = (folder / f"eval/{label}.problems.{code}.jsonl").read_text().splitlines()
    return [json.loads(line)["answer"] for line in lines]


def compared(folder: Path, label: str, code: str) -> dict[str, Any]:
    """How many answers are right by each engine, right by one of them alone, and the same to the letter."""
    right = {name: marks(folder / name, label, "problems", code, "accuracy") for name in ENGINES}
    texts = [answers(folder / name, label, code) for name in ENGINES]
    return {
        "questions": len(texts[0]),
        **{name: sum(found) for name, found in right.items()},
        "apart": sum(a != b for a, b in zip(*right.values(), strict=True)),
        "same": sum(a == b for a, b in zip(*texts, strict=True)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("models", nargs="*", metavar="LABEL=PATH")
    parser.add_argument("--questions", type=int, default=500, help="of each language")
    given = parser.parse_args()
    world = world_of(Knobs(held_out=given.questions))
    models = {"M0": str((world / "m0").absolute())}
    models |= {label: str(Path(path).absolute()) for label, _, path in (x.partition("=") for x in given.models)}
    ask(given.folder, world, models)
    found = {label: {code: compared(given.folder, label, code) for code in LANGUAGES} for label in models}
    (given.folder / "served.json").write_text(json.dumps(found, indent=1) + "\n")
    for label, by_code in found.items():
        print(label, by_code)


if __name__ == "__main__":
    main()
