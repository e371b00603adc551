"""`llamafactory-cli train` as a child process: where it is, how it is started and watched, why it failed."""

import importlib.util
import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from lidr_plugin.completions.progress import Steps
from lidr_plugin.config.schema import Config
from lidr_plugin.errors import InputError, RunError
from lidr_plugin.machine.children import running
from lidr_plugin.machine.environments import python_of
from lidr_plugin.machine.inputs import is_there, made_by, read, read_json
from lidr_plugin.machine.loopback import without_proxy
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training.shift import last_shift


def interpreter(config: Config) -> Path:
    """The Python that has LLaMA-Factory: the one named, that of `lidr env create train`, or this one.

    Raises:
        InputError: there is none.
    """
    if config.train.python:
        path = Path(os.path.expanduser(config.train.python)).absolute()
        if not is_there(path.parent / "llamafactory-cli"):
            raise InputError(
                f"train.python: {path}: no llamafactory-cli beside it", "name the python of an environment that has it"
            )
        return path
    if found := python_of("train"):
        return found
    if importlib.util.find_spec("llamafactory"):
        return Path(sys.executable)
    raise InputError("LLaMA-Factory is not installed", "`lidr env create train`, or set train.python")


def environment(python: Path, env: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child there: its `bin` comes first, so that LLaMA-Factory finds its own torchrun."""
    path = os.pathsep.join((str(python.parent), os.environ.get("PATH", "")))
    seen = {**os.environ, **env}
    return {**seen, **without_proxy(seen), "PATH": path, "PYTHONUNBUFFERED": "1"}


_PAUSE = 0.2
"""Seconds between two looks at a training: short beside most steps, long beside the reading of some thousand lines."""
_END = 200_000
"""Bytes of a log's end that are searched for a cause: some thousand lines, though a progress bar may fill most of them."""


class Cause(NamedTuple):
    """What a line of a log tells, and what to do about it."""

    pattern: str
    what: str
    fix: str


@cache
def causes() -> Sequence[Cause]:
    """The content of `causes.yaml`; lack of memory comes first."""
    from ruamel.yaml import YAML

    return [Cause(**item) for item in YAML(typ="safe", pure=True).load(Path(__file__).with_name("causes.yaml"))]


def cause_of(log: str, status: int) -> Cause | None:
    """The likeliest cause of a failure, by the last line that tells one; a process killed from outside lacked memory."""
    for line in reversed(log.splitlines()[-400:]):
        for cause in causes():
            if re.search(cause.pattern, line):
                return cause
    return causes()[0] if status in (137, -9) else None


def step_of(checkpoint: Path) -> int:
    """The step of a `checkpoint-<step>`; -1 for a name of somebody's own."""
    number = re.fullmatch(r"checkpoint-([0-9]{1,18})", checkpoint.name)
    return int(number[1]) if number else -1


def sweep_checkpoints(folder: Path) -> str | None:
    """Removes checkpoints that a kill left unfinished; returns the name of the last whole one.

    The trainer's state is the last file that it writes. Weights without any checkpoint beside them, which LLaMA-Factory
    would refuse to overwrite, are of a training that did not end; they go too.
    """
    whole = []
    for path in folder.glob("checkpoint-*"):
        try:
            read_json(path / "trainer_state.json")
            whole.append(path)
        except InputError:
            shutil.rmtree(path, ignore_errors=True)
    if not whole:
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return max(whole, key=step_of).name


def _steps_of(run: RunDirectory) -> list[bytes]:
    """The lines of `trainer_log.jsonl`, to which LLaMA-Factory adds one a step; one that is not whole yet is left out."""
    path = run.checkpoint / "trainer_log.jsonl"
    with made_by("LLaMA-Factory"):
        return read(path).split(b"\n")[:-1] if is_there(path) else []


def _logged(line: bytes) -> Mapping[str, Any]:
    """A step's numbers; none in a line that is no JSON object."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def run_training(
    run: RunDirectory,
    recipe: Path,
    log_file: Path,
    *,
    python: Path,
    env: Mapping[str, str],
    script: Path | None = None,
) -> float | None:
    """Runs `llamafactory-cli train` to its end and returns the last loss that it logged.

    Args:
        recipe: in the run's directory.
        log_file: what it says is added there.
        python: the interpreter beside `llamafactory-cli`.
        env: additions to the environment.
        script: what is started in its place, with the same arguments.

    Raises:
        RunError: it failed; with the end of its log and the likely cause.
    """
    # A bare file name, for LLaMA-Factory splits the command line that it gives to torchrun at spaces.
    started = [str(python), str(script)] if script else [str(python.parent / "llamafactory-cli")]
    command = [*started, "train", recipe.name]
    seen = len(_steps_of(run))  # those of an earlier call
    loss: float | None = None
    with log_file.open("ab") as log, Steps() as steps:
        start = log.tell()
        log.write(f"\n$ cd {run.path.absolute()} && {' '.join(command)}\n".encode())
        log.flush()
        variables, none = environment(python, env), subprocess.DEVNULL
        with running(command, cwd=run.path, env=variables, stdin=none, stdout=log, stderr=subprocess.STDOUT) as process:
            ended = False
            while not ended:
                ended = process.poll() is not None  # asked before the lines are read, so that the last are not missed
                new = _steps_of(run)[seen:]
                seen += len(new)
                for line in map(_logged, new):
                    loss = line["loss"] if isinstance(line.get("loss"), int | float) else loss
                    if "loss" in line or "eval_loss" in line:
                        steps.update({**line, "shift": moved.shift if (moved := last_shift(run)) else None})
                time.sleep(0 if ended else _PAUSE)
    if process.returncode:
        raise _failure(run, log_file, start, process.returncode)
    if loss is not None and math.isnan(loss):
        raise RunError(f"the loss is not a number; {log_file} has the course", "lower train.learning_rate")
    return loss


def _failure(run: RunDirectory, log_file: Path, start: int, status: int) -> RunError:
    with log_file.open("rb") as file:
        file.seek(max(start, os.path.getsize(log_file) - _END))
        text = file.read().decode(errors="replace")
    lines = [line for line in text.splitlines() if not re.search(r"\d%\|", line)]  # progress bars left out
    end = "\n".join(f"  {line}" for line in lines[-20:])
    cause = cause_of("\n".join(lines), status)
    why = f" (likely: {cause.what})" if cause else ""
    hint = f"{cause.fix}\n" if cause else ""
    kept = any(run.checkpoint.glob("checkpoint-*"))
    again = "the same command goes on from the last checkpoint" if kept else "the whole log may say more"
    return RunError(f"llamafactory-cli ended with status {status}{why}. The end of {log_file}:\n{end}", hint + again)
