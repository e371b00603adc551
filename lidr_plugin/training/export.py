"""A trained model for what serves models: Ollama, llama.cpp, vLLM."""

import os
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from subprocess import PIPE
from typing import NamedTuple

from lidr_plugin import files
from lidr_plugin.config.file import load
from lidr_plugin.config.schema import Config
from lidr_plugin.errors import InputError, RunError
from lidr_plugin.machine.children import last_said, running, said_by
from lidr_plugin.machine.environments import python_of
from lidr_plugin.machine.inputs import is_there
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training.checks import modelfile_of
from lidr_plugin.training.llamafactory_cli import interpreter
from lidr_plugin.training.processes import launch_of
from lidr_plugin.training.recipe import train_settings

_CONVERTER = "convert_hf_to_gguf.py"
"""llama.cpp's own."""
_TEMPLATE = ("template", "default_system", "enable_thinking")


class Exported(NamedTuple):
    """What was written, and the commands that come next."""

    path: Path | None
    commands: list[str]


def opened(run: RunDirectory, overrides: Sequence[str] = ()) -> Config:
    """The configuration of a run whose trained model is there, with overrides applied.

    Raises:
        InputError: nothing was trained.
    """
    if not is_there(run.model / "config.json") or not is_there(run.config):
        raise InputError(
            f"{run.model}: no trained model", "lidr train makes it; of lidr iterate, name a round: RUN/iter2"
        )
    return load(run.config, overrides)


def ollama(run: RunDirectory) -> Exported:
    """Writes `Modelfile` beside the model, by LLaMA-Factory's own template.

    Raises:
        InputError: nothing was trained, or there is no train environment.
        RunError: the model's tokenizer cannot be read.
    """
    config = opened(run)
    launch = launch_of(config)
    settings = train_settings(config, run, launch, stage=config.stage)
    job = {
        "model": str(run.model.absolute()),
        "trust_remote_code": config.trust_remote_code,
        "template": {key: settings[key] for key in _TEMPLATE if key in settings},
    }
    text = modelfile_of(job, interpreter(config), launch.env).replace("FROM .\n", f"FROM ./{run.model.name}\n", 1)
    path = run.path / "Modelfile"
    files.write_text(path, text)
    name = config.dataset_name
    return Exported(path, [shlex.join(["ollama", "create", name, "-f", str(path)]), f"ollama run {shlex.quote(name)}"])


def gguf(run: RunDirectory) -> Exported:
    """Converts the model by llama.cpp's converter; where that is not found, says how it is done.

    It is looked for in `PATH` and in `LLAMA_CPP`, the folder of llama.cpp.

    Raises:
        InputError: nothing was trained, or there is no train environment.
        RunError: the converter failed.
    """
    config = opened(run)
    target = run.path / f"{config.dataset_name}.gguf"
    folder = os.environ.get("LLAMA_CPP", "")
    found = shutil.which(_CONVERTER) or (folder and shutil.which(_CONVERTER, mode=os.F_OK, path=folder))
    words = [str(run.model), "--outfile", str(target), "--outtype", "bf16", "--model-name", config.dataset_name]
    serve = shlex.join(["llama-server", "-m", str(target)])
    if not found:
        python = python_of("train")
        needs = [] if python else ["pip install -r llama.cpp/requirements/requirements-convert_hf_to_gguf.txt"]
        convert = shlex.join([str(python or "python"), f"llama.cpp/{_CONVERTER}", *words])
        return Exported(None, ["git clone --depth 1 https://github.com/ggml-org/llama.cpp", *needs, convert, serve])
    part = words[2] = str(target.with_suffix(".part"))
    command = [str(interpreter(config)), found, *words]
    try:
        with running(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, encoding="utf-8", errors="replace") as child:
            _, errors = said_by(child, "")
        if child.returncode or not os.path.exists(part):
            end = "\n".join(f"  {line}" for line in last_said(errors))
            raise RunError(f"{found} failed:\n{end}", "does this llama.cpp know the model's architecture? update it")
        os.replace(part, target)
    finally:
        Path(part).unlink(missing_ok=True)
    return Exported(target, [serve])


def vllm(run: RunDirectory) -> Exported:
    """The command that serves the model.

    Raises:
        InputError: nothing was trained.
    """
    config, python = opened(run), python_of("vllm")
    program = str(python.with_name("vllm")) if python else "vllm"
    words = [program, "serve", str(run.model), "--served-model-name", config.dataset_name]
    return Exported(None, [shlex.join([*words, *(["--trust-remote-code"] if config.trust_remote_code else [])])])
