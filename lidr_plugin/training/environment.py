"""The train environment from outside: its interpreter, `llamafactory-cli` in it, and lidr's scripts that run there."""

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.views import rows_of
from lidr_plugin.errors import InputError, RunError
from lidr_plugin.machine.children import guarded
from lidr_plugin.machine.environments import python_of
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training import inside
from lidr_plugin.training.recipe import Settings

_SAMPLE = 64


def interpreter(config: Config) -> Path:
    """The Python that has LLaMA-Factory: the one named, that of `lidr env create train`, or this one.

    Raises:
        InputError: there is none.
    """
    if config.train.python:
        path = Path(config.train.python).expanduser()
        if not (path.parent / "llamafactory-cli").exists():
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
    return {**os.environ, **env, "PATH": path, "PYTHONUNBUFFERED": "1"}


class Script:
    """A script of `lidr_plugin/intrain` at work in the train environment; its job was sent, its answer is awaited."""

    def __init__(self, python: Path, name: str, job: Mapping[str, Any], env: Mapping[str, str]) -> None:
        self.name = name
        file = Path(inside.__file__).with_name(f"{name}.py")
        self._process = subprocess.Popen(
            guarded([str(python), str(file)]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environment(python, env), "CUDA_VISIBLE_DEVICES": ""},
            text=True,
            start_new_session=True,
        )
        self._job: str | None = json.dumps(job)
        self._output: tuple[str, str] | None = None

    def poll(self) -> bool:
        """Whether it has ended."""
        if self._output is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._output = self._process.communicate(self._job, timeout=0.01)
            self._job = None  # it was sent
        return self._output is not None

    def result(self) -> dict[str, Any]:
        """Waits for its answer.

        Raises:
            RunError: it failed; with the end of what it said.
        """
        try:
            while not self.poll():
                time.sleep(0.05)
        except KeyboardInterrupt:
            self.end()
            raise
        assert self._output is not None
        output, said = self._output
        for line in reversed(output.splitlines()):
            if line.startswith("LIDR "):
                found: dict[str, Any] = json.loads(line[5:])
                return found
        end = "\n".join(f"  {line}" for line in said.splitlines()[-12:])
        raise RunError(f"lidr's {self.name} in the train environment failed:\n{end}", "`lidr doctor` checks it")

    def end(self) -> None:
        """Stops it."""
        self._process.terminate()
        self._process.wait()


def check_job(config: Config, run: RunDirectory, settings: Settings, rows: list[dict[str, str]]) -> dict[str, Any]:
    """The job of `intrain/check.py`: a dataset where there is one, else prompts with an answer made up."""
    dataset = run.dataset(settings["dataset"])
    return {
        "model": settings["model_name_or_path"],
        "revision": settings.get("model_revision", "main"),
        "trust_remote_code": config.trust_remote_code,
        "template": settings["template"],
        "default_system": settings.get("default_system"),
        "thinking": settings["enable_thinking"],
        "stage": settings["stage"],
        "cutoff_len": settings.get("cutoff_len", 2048),
        "dataset": str(dataset) if dataset.exists() else None,
        "rows": rows,
        "sample": _SAMPLE,
    }


def merge_job(config: Config, run: RunDirectory, settings: Settings) -> dict[str, Any]:
    """The job of `intrain/merge.py`; its probes are the first rows of the dataset."""
    probes = []
    for row in rows_of(run, settings["dataset"]):
        probes.append(f"{row['instruction']}\n{row.get('chosen') or row['output']}")
        if len(probes) == 4:
            break
    return {
        "base": settings["model_name_or_path"],
        "revision": settings.get("model_revision", "main"),
        "trust_remote_code": config.trust_remote_code,
        "checkpoint": str(run.checkpoint.absolute()),
        "target": str(run.model.absolute().with_name(".model.unproved")),
        "adapter": settings["finetuning_type"] == "lora",
        "dtype": config.train.merge_dtype,
        "probes": probes,
        "probe_tokens": 64,
    }
