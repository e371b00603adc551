"""A check on a GPU that needs no weights and no network: what trains, how much memory it takes, how fast the engines are.

    python -m benchmarks.gpu --out gpu.json                     0.5B, 4B and 8B: under ten minutes on one GPU
    python -m benchmarks.gpu --shapes tiny --ways lora          what the tests run on a CPU
    python -m benchmarks.gpu --shapes tiny --world 24           everything once on a CPU

Run it by an interpreter with torch, transformers, peft, accelerate, LLaMA-Factory (as `lidr env create train` has them) and, for
`--world`, lidr. Where a bare machine lacks some, `python -m benchmarks.gpu.wheels FOLDER` puts the wheels into one folder
beforehand, and there `pip install --no-index --no-deps FOLDER/*.whl`. Each step is a process of its own: one that fails is told,
and the others go on.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from lidr_plugin.machine.gpus import gpus

ROOT = Path(__file__).resolve().parents[2]
WORLD = ROOT / "examples/world/experiment.py"
LENGTHS = {"tiny": 64}
"""Tokens of a row, if not 1,024."""


def step(command: Sequence[str], patience: float, cwd: Path = ROOT) -> dict[str, Any]:
    """What a process of this interpreter finds; why it failed, where it does."""
    env = {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "DISABLE_VERSION_CHECK": "1", **os.environ}
    begun = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, *command], env=env, cwd=cwd, capture_output=True, text=True, timeout=patience, check=False
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"not done after {patience:g} s"}
    found = [line[6:] for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    if done.returncode:
        return {"failed": " ".join(done.stderr.split())[-500:]}
    return {**(json.loads(found[-1]) if found else {}), "step_seconds": time.monotonic() - begun}


def of_shape(name: str, args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All that is asked of a model of this shape."""
    model, patience = str(folder / name), args.patience
    found: dict[str, Any] = {"made": step(["-m", "benchmarks.gpu.shapes", name, model], patience)}
    if "failed" in found["made"]:
        return found
    length = str(LENGTHS.get(name, 1024))
    for way in args.ways:
        found[way] = step(["-m", "benchmarks.gpu.training", model, way, length], patience)
    if not args.no_engines:
        size = ["4", "8"] if name == "tiny" else ["64", "128"]
        found["engines"] = step(["-m", "benchmarks.gpu.engines", model, *size], patience)
    return found


def the_world(folder: Path, prompts: int, patience: float) -> dict[str, Any]:
    """A round in the small world, from prompts to what M1 gets right of as many questions; its model is shipped."""
    settings = ["rounds=1", f"max_prompts={prompts}", f"eval.limit={prompts}", f"train.python={sys.executable}"]
    found = step([str(WORLD), str(folder / "world"), *settings], patience, folder)
    result = folder / "world/result.json"
    return {**found, "changes": json.loads(result.read_text())["changes"]} if result.exists() else found


def machine() -> dict[str, Any]:
    """What it ran on."""
    versions = {}
    for name in ("torch", "transformers", "peft", "llamafactory", "vllm"):
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return {"python": platform.python_version(), "versions": versions, "gpus": [gpu.name for gpu in gpus()]}


def table(found: Mapping[str, Any]) -> str:
    """The same for people."""
    lines = ["| shape | what | came to |", "|---|---|---|"]
    for shape, steps in found["shapes"].items():
        for name, values in steps.items():
            lines.append(f"| {shape} | {name} | {words(values)} |")
    if "world" in found:
        lines.append(f"| | the small world, a round | {words(found['world'])} |")
    return "\n".join(lines)


def words(values: Mapping[str, Any]) -> str:
    """`peak_mb 2,301.0, …`, in a cell."""
    parts = [
        f"{name}: {words(x)}" if isinstance(x, dict) else f"{name} {x:,.3g}" if isinstance(x, float) else f"{name} {x}"
        for name, x in values.items()
    ]
    return "; ".join(parts).replace("|", "/")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=["0.5B", "4B", "8B"], choices=["tiny", "0.5B", "4B", "8B"])
    parser.add_argument("--ways", nargs="*", default=["lora", "qlora", "full"], choices=["lora", "qlora", "full"])
    parser.add_argument("--no-engines", action="store_true")
    parser.add_argument("--world", type=int, nargs="?", const=500, metavar="PROMPTS", help="a round in the small world")
    parser.add_argument("--patience", type=float, default=240.0, help="seconds for one step")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    args = parser.parse_args()
    found: dict[str, Any] = {"machine": machine(), "shapes": {}}
    with tempfile.TemporaryDirectory(prefix="lidr-gpu-") as folder:
        for name in args.shapes:
            found["shapes"][name] = of_shape(name, args, Path(folder))
            args.out.write_text(json.dumps(found, indent=1) + "\n")  # what there is, whatever happens to the rest
        if args.world:
            found["world"] = the_world(Path(folder), args.world, args.patience)
            args.out.write_text(json.dumps(found, indent=1) + "\n")
    print(table(found))


if __name__ == "__main__":
    main()
