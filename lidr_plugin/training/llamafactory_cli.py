"""Runs `llamafactory-cli train` and watches it: live numbers, a log, and the likely cause when it fails."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lidr_plugin.completions.progress import Steps
from lidr_plugin.errors import RunError
from lidr_plugin.machine.children import guarded
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training.environment import environment


class Cause(NamedTuple):
    """What a line of a log tells, and what to do about it."""

    pattern: str
    what: str
    fix: str


CAUSES = (
    Cause(
        r"out of memory|OutOfMemoryError|bad_alloc|DefaultCPUAllocator|Cannot allocate memory|SIGKILL|exitcode: -9",
        "out of memory",
        "lower cutoff_len, set train.per_device_train_batch_size=1, or take a smaller method (qlora, zero3_offload); "
        "`lidr plan CONFIG` says what fits",
    ),
    Cause(
        r"No space left on device|Disk quota exceeded|No usable temporary",
        "the disk is full",
        "free some space; the last checkpoint is kept, and the same command goes on from there",
    ),
    Cause(
        r"Template .* does not exist|Cannot find valid samples|check `data/README.md`|chat_template",
        "the template does not suit the data",
        "`lidr doctor CONFIG` compares the template with the model's and proposes one",
    ),
    Cause(
        r"couldn't connect|Connection error|OfflineModeIsEnabled|LocalEntryNotFound|is not a local folder|401 Client",
        "the model or its tokenizer cannot be read",
        "is model_name_or_path right, the Hub reachable, the model's licence accepted (HF_TOKEN)?",
    ),
    Cause(
        r"keys are not used by the HfArgumentParser|arguments are not used|Invalid value|invalid choice",
        "LLaMA-Factory does not take one of the settings",
        "see the line above; settings come from train: in the configuration",
    ),
    Cause(
        r"Address already in use|EADDRINUSE|NCCL|DistNetworkError|rendezvous",
        "the processes did not find each other",
        "set MASTER_ADDR and MASTER_PORT in train.env; on several nodes also NNODES and NODE_RANK",
    ),
    Cause(
        r"CUDA driver version|no kernel image|libcudart|undefined symbol|torchaudio",
        "the environment does not suit this machine",
        "`lidr doctor` compares the versions; `lidr env create train` makes the one that works",
    ),
)


def cause_of(log: str, status: int) -> Cause | None:
    """The likeliest cause of a failure, by the last line that tells one; a process killed from outside lacked memory."""
    lines = list(reversed(log.splitlines()[-400:]))
    for line in lines:
        for cause in CAUSES:
            if re.search(cause.pattern, line):
                return cause
    return CAUSES[0] if status in (137, -9) else None


class _NewLines:
    """Lines that LLaMA-Factory adds to `trainer_log.jsonl`, those of an earlier run left out."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = path.stat().st_size if path.exists() else 0

    def read(self) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._at)
            whole, _, _ = file.read().rpartition(b"\n")
        self._at += len(whole) + 1 if whole else 0
        return [json.loads(line) for line in whole.splitlines() if line.strip()]


def sweep_checkpoints(folder: Path) -> str | None:
    """Removes checkpoints that a kill left unfinished; returns the name of the last whole one.

    The trainer's state is the last file that it writes. Weights without any checkpoint beside them, which LLaMA-Factory
    would refuse to overwrite, are of a training that did not end; they go too.
    """
    whole = []
    for path in folder.glob("checkpoint-*"):
        try:
            json.loads((path / "trainer_state.json").read_bytes())
            whole.append(path)
        except (OSError, ValueError):
            shutil.rmtree(path, ignore_errors=True)
    if not whole:
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2])).name


def fit(
    run: RunDirectory, files: tuple[Path, Path], python: Path, env: Mapping[str, str], watch: Callable[[], None]
) -> dict[str, Any]:
    """Trains to the end, and returns what LLaMA-Factory measured: nothing on a further node.

    Args:
        files: the recipe, in the run's directory, and the log.
        python: the interpreter beside `llamafactory-cli`.
        env: additions to the environment.
        watch: called some times a second; what it raises ends the training.

    Raises:
        RunError: it failed; with the end of its log and the likely cause.
    """
    # A bare file name, for LLaMA-Factory splits the command line that it gives to torchrun at spaces.
    recipe, log_file = files
    command = [str(python.parent / "llamafactory-cli"), "train", recipe.name]
    news = _NewLines(run.checkpoint / "trainer_log.jsonl")
    last: dict[str, Any] = {}
    with log_file.open("ab") as log, Steps() as steps:
        start = log.tell()
        log.write(f"\n$ cd {run.path.absolute()} && {' '.join(command)}\n".encode())
        log.flush()
        process = subprocess.Popen(
            guarded(command),
            cwd=run.path,
            env=environment(python, env),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while process.poll() is None:
                watch()
                for line in news.read():
                    if "loss" in line or "eval_loss" in line:
                        last = line if "loss" in line else last
                        steps.update(line)
                time.sleep(0.1)
        finally:
            process.terminate()
            process.wait()
    if process.returncode:
        raise _failure(run, log_file, _said(log_file, start), process.returncode)
    if last.get("loss") != last.get("loss"):
        raise RunError(f"the loss is not a number; {log_file} has the course", "lower train.learning_rate")
    if recipe != run.train_yaml:
        return {}
    return {**json.loads((run.checkpoint / "all_results.json").read_bytes()), "last_loss": last.get("loss")}


def _said(path: Path, start: int) -> str:
    """The log from `start`, progress bars left out."""
    with path.open("rb") as file:
        file.seek(max(start, os.path.getsize(path) - 200_000))
        text = file.read().decode(errors="replace")
    lines = (line.rpartition("\r")[2] for line in text.splitlines())
    return "\n".join(line for line in lines if not re.search(r"\d+%\|", line))


def _failure(run: RunDirectory, log: Path, said: str, status: int) -> RunError:
    end = "\n".join(f"  {line}" for line in said.splitlines()[-20:])
    cause = cause_of(said, status)
    why = f" (likely: {cause.what})" if cause else ""
    hint = f"{cause.fix}\n" if cause else ""
    kept = sorted(run.checkpoint.glob("checkpoint-*")) if run.checkpoint.exists() else []
    again = "the same command goes on from the last checkpoint" if kept else "the whole log may say more"
    return RunError(f"llamafactory-cli ended with status {status}{why}. The end of {log}:\n{end}", hint + again)
