"""Seconds from the command to the first training step: `lidr train` against a bare `llamafactory-cli train` of its file.

    python -m benchmarks.train_start CONFIG [--times 3]

CONFIG is of a run whose dataset is built and whose model is small; both are started in turn, each time anew.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from lidr_plugin.config.file import load
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training.llamafactory_cli import environment, interpreter


def first_step(command: list[str], run: RunDirectory, env: dict[str, str]) -> float:
    """Starts it, waits for the first line of LLaMA-Factory's log of steps, and stops it."""
    shutil.rmtree(run.checkpoint, ignore_errors=True)
    run.train_json.unlink(missing_ok=True)
    log = run.checkpoint / "trainer_log.jsonl"
    start = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
    while not (log.exists() and log.stat().st_size):
        if child.poll() is not None:
            raise SystemExit(f"{' '.join(command)} ended with status {child.returncode} before its first step")
        time.sleep(0.01)
    seconds = time.monotonic() - start
    child.terminate()
    child.wait()
    time.sleep(2)
    return seconds


def main() -> None:
    """Measures both in turn and prints the medians and their difference against the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    config = load(options.config)
    run, python = RunDirectory(Path(config.output_dir)), interpreter(config)
    env = environment(python, {key: str(value) for key, value in config.train.env.items()})
    ours = [sys.executable, "-c", "from lidr_cli.main import main; main()", "train", str(options.config)]
    bare = [str(python.parent / "llamafactory-cli"), "train", str(run.train_yaml.absolute())]
    first_step(ours, run, env)
    seconds = [(first_step(ours, run, env), first_step(bare, run, env)) for _ in range(options.times)]
    lidr, alone = (statistics.median(column) for column in zip(*seconds, strict=True))
    print(f"lidr train {lidr:.2f} s, llamafactory-cli train {alone:.2f} s: {lidr - alone:+.2f} s", end=", ")
    print(f"{(lidr - alone) / 2:.2f} of the 2 s limit; ratio {lidr / alone:.3f}")


if __name__ == "__main__":
    main()
