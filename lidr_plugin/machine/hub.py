"""A Hugging Face Hub: all that lidr asks of one, by `huggingface_hub`.

So HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_HUB_OFFLINE, HF_TOKEN and the token of `hf auth login` mean here what they mean
to vLLM, transformers and LLaMA-Factory. What its cache has is not asked for. It is imported when something is asked.
"""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from lidr_plugin.errors import InputError
from lidr_plugin.machine.inputs import read_json
from lidr_plugin.machine.loopback import without_proxy

Kind = Literal["model", "dataset"]

WEIGHT_FILES = frozenset({".safetensors", ".bin", ".pt", ".gguf"})
"""Suffixes of the files with a model's weights."""

_SECONDS = 20
"""For one answer: a run that would wait longer for its first look-up should say so instead."""


def is_path(model: str) -> bool:
    """Whether a model's name can only be that of a directory here, be it there or not."""
    return model.startswith(("/", ".", "~")) or os.path.isdir(model)


def commit(model: str, revision: str, *, key: str) -> str:
    """The commit that a model's revision names: the one in the cache, else the Hub's.

    Args:
        key: what named the model, for the error.

    Raises:
        InputError: it is not cached, and the Hub does not tell it.
    """
    if re.fullmatch("[0-9a-f]{40}", revision):
        return revision
    with _asking(f"{key}: {model}: revision {revision}"):
        from huggingface_hub import HfApi, constants

        reference = Path(constants.HF_HUB_CACHE) / f"models--{model.replace('/', '--')}" / "refs" / revision
        if os.path.isfile(reference):
            return reference.read_text(encoding="utf-8").strip()
        return str(HfApi().model_info(model, revision=revision, timeout=_SECONDS).sha)


def cached(repository: str, name: str, *, revision: str = "main", kind: Kind = "model") -> Path | None:
    """A repository's file in the cache; None if it is not there."""
    _check_endpoint()
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(repository, name, revision=revision, repo_type=kind)
    except HFValidationError:
        return None
    return Path(found) if isinstance(found, str) else None


def download(repository: str, name: str, *, key: str, revision: str = "main", kind: Kind = "model") -> Path:
    """A repository's file in the cache, fetched if it is not there yet.

    Args:
        key: what named the repository, for the error.

    Raises:
        InputError: it is not cached, and the Hub does not give it.
    """
    if (path := cached(repository, name, revision=revision, kind=kind)) is not None:
        return path
    with _asking(f"{key}: {repository}: {name} could not be loaded"):
        from huggingface_hub import HfApi, hf_hub_download

        # First a question that fails at once: the download itself would try for half a minute.
        HfApi().repo_info(repository, repo_type=kind, revision=revision, timeout=_SECONDS)
        return Path(hf_hub_download(repository, name, repo_type=kind, revision=revision))


def layers_of(model: str, revision: str, *, key: str) -> int:
    """The number of a model's layers, by its `config.json`.

    Args:
        key: what names a layer, for the error.

    Raises:
        InputError: it is not there, or does not say.
    """
    folder = Path(os.path.expanduser(model))
    path = folder / "config.json" if is_path(model) else download(model, "config.json", key=key, revision=revision)
    remedy = f"set {key} to the number of a layer"
    found = read_json(path, remedy)
    told = found.get("text_config", found) if isinstance(found, dict) else {}
    layers = told.get("num_hidden_layers")
    if not isinstance(layers, int) or layers < 2:
        raise InputError(f"{path}: num_hidden_layers is not there, so nobody knows the middle layer", remedy)
    return layers


def _check_endpoint() -> None:
    """`huggingface_hub` does not even load with a broken address, or ends in an error that is none of its own."""
    try:
        address = urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
        sound = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise InputError("HF_ENDPOINT: not an http(s) address", "unset it, or write it like https://huggingface.co")


@contextmanager
def _asking(what: str) -> Iterator[None]:
    """Turns what `huggingface_hub` raises into what the user should know.

    Raises:
        InputError: what was asked for, why there is no answer, and what to do.
    """
    _check_endpoint()
    from huggingface_hub import errors
    from huggingface_hub.utils import logging as remarks

    before = remarks.get_verbosity()
    remarks.set_verbosity(logging.ERROR)  # its warnings show the address, and with it a password
    names = without_proxy(os.environ)
    variables = {name: os.environ.get(name) for name in names}
    os.environ.update(names)  # read when its client is made, at the first question
    try:
        yield
    except (errors.HTTPError, OSError, ValueError) as error:  # type: ignore[attr-defined]  # httpx's, from 2.0 on httpx2's
        refusal = _explained(error)
        raise InputError(f"{what}: {refusal.reason}", refusal.hint) from None
    finally:
        remarks.set_verbosity(before)
        for name, value in variables.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


class _Refusal(NamedTuple):
    reason: str
    hint: str


def _explained(error: Exception) -> _Refusal:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return _Refusal(
            "a gated repository", "accept its terms on its page, then log in: hf auth login, or set HF_TOKEN"
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        hint = "is the name right? a private one needs a token: hf auth login, or set HF_TOKEN"
        return _Refusal("no such repository, or a private one", hint)
    if isinstance(error, errors.RevisionNotFoundError | errors.RemoteEntryNotFoundError):
        return _Refusal("it is not there", "the repository is; look on its page for what it has")
    if isinstance(error, errors.HFValidationError):
        return _Refusal("not the name of a repository, nor of a directory here", "write namespace/name, or a directory")
    if isinstance(error, errors.OfflineModeIsEnabled):
        return _Refusal("not in the cache, and HF_HUB_OFFLINE is set", "download it once, or unset HF_HUB_OFFLINE")
    text = re.sub(r"//[^/@\s]*@", "//", " ".join(str(error).split()))
    if isinstance(error, OSError) and error.filename:
        return _Refusal(f"{error.filename}: {error.strerror}", "set HF_HOME to a folder that can be written")
    return _Refusal(f"no answer from the Hub ({text})", "is the network up, and HF_ENDPOINT right?")
