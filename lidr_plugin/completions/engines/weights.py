"""The identity of the weights that an engine asks: what tells M0's completions from M1's."""

import hashlib
from pathlib import Path

from lidr_plugin.completions.engines.base import backend_of
from lidr_plugin.config.engine import EngineSettings
from lidr_plugin.errors import InputError
from lidr_plugin.machine import hub

MODEL_FILES = frozenset(
    {".safetensors", ".bin", ".pt", ".gguf", ".json", ".jinja", ".model", ".txt", ".tiktoken", ".py"}
)
"""Suffixes of the files that decide what a model says: weights, configuration, tokenizer, chat template, code."""


def fingerprint(directory: Path) -> str:
    """The identity of a model directory: a SHA-256 over names and contents of the files that decide its answers.

    Reads every byte once (about a second per gigabyte). Raises `OSError` if a file cannot be read.
    """
    total = hashlib.sha256()
    for path in sorted(directory.iterdir()):
        if path.is_file() and path.suffix in MODEL_FILES and not path.name.startswith("."):
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            total.update(f"{path.name}\0{digest}\n".encode())
    return f"sha256:{total.hexdigest()}"


def weights_of(config: EngineSettings, model: str, revision: str, *, key: str = "model_name_or_path") -> str:
    """The identity that goes into completion keys (contract, section 3, `engine.weights`).

    Args:
        key: what named the model, for the error.

    Raises:
        InputError: the directory does not exist, or the Hub id's revision is neither cached nor to be looked up.
    """
    if config.weights:
        return config.weights
    if backend_of(config) == "openai":
        return config.model or model
    directory = Path(model).expanduser()
    if directory.is_dir():
        if not (directory / "config.json").is_file():
            raise InputError(f"{key}: {model} has no config.json: not a checkpoint")
        return fingerprint(directory)
    if hub.is_path(model) or model.count("/") != 1:
        raise InputError(f"{key}: {model}: no such directory")
    try:
        return f"{model}@{hub.commit(model, revision, key=key)}"
    except InputError as error:
        own = "set engine.weights to a name of your own for these weights" if key == "model_name_or_path" else ""
        raise InputError(error.message, "\n".join(filter(None, (error.hint, own)))) from None
