"""The identity of the weights that an engine asks: what tells M0's completions from M1's."""

from pathlib import Path

from lidr_plugin.completions.engines.base import backend_of
from lidr_plugin.completions.engines.fingerprint import fingerprint
from lidr_plugin.config.engine import EngineSettings
from lidr_plugin.errors import InputError
from lidr_plugin.machine import hub


def weights_of(config: EngineSettings, model: str, revision: str, *, key: str = "model_name_or_path") -> str:
    """The identity that goes into completion keys (contract, section 3, `engine.weights`).

    Args:
        key: what named the model, for the error.

    Raises:
        InputError: the directory does not exist or cannot be read, or the Hub id's revision is neither cached nor to be looked up.
    """
    if config.weights:
        return config.weights
    if backend_of(config) == "openai":
        return config.model or model
    directory = Path(model).expanduser()
    if directory.is_dir():
        if not (directory / "config.json").is_file():
            raise InputError(f"{key}: {model} has no config.json: not a checkpoint")
        try:
            return fingerprint(directory)
        except OSError as error:
            raise InputError(f"{key}: {error.filename or directory}: {error.strerror}") from None
    if hub.is_path(model) or model.count("/") != 1:
        raise InputError(f"{key}: {model}: no such directory")
    try:
        return f"{model}@{hub.commit(model, revision, key=key)}"
    except InputError as error:
        own = "set engine.weights to a name of your own for these weights" if key == "model_name_or_path" else ""
        raise InputError(error.message, "\n".join(filter(None, (error.hint, own)))) from None
