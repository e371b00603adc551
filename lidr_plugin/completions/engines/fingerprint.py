"""The fingerprint of a model directory, which is worked out once for as long as its files stay as they are."""

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lidr_plugin import files
from lidr_plugin.errors import InputError
from lidr_plugin.machine.environments import home
from lidr_plugin.machine.hub import WEIGHT_FILES
from lidr_plugin.machine.inputs import read_json

MODEL_FILES = WEIGHT_FILES | {".json", ".jinja", ".model", ".txt", ".tiktoken", ".py"}
"""Suffixes of the files that decide what a model says: weights, configuration, tokenizer, chat template, code."""

_COARSEST = 2 * 10**9
"""Nanoseconds: file systems date a file to within two seconds at worst, so a younger one may change and keep its date."""


def fingerprint(directory: Path) -> str:
    """The identity of a model directory: a SHA-256 over names and contents of the files that decide its answers.

    Every byte is read the first time (about a second per gigabyte). Then it is remembered in `fingerprints.json`, beside
    the environments, by path, size and times of every file. Raises `OSError` if a file cannot be read.
    """
    directory = directory.resolve()
    paths = [path for path in sorted(directory.iterdir()) if path.is_file() and _decides(path)]
    now = time.time_ns()
    stats = {path.name: path.stat() for path in paths}
    marks = {name: [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns] for name, stat in stats.items()}
    known = _remembered().get(str(directory))
    if isinstance(known, dict) and known.get("files") == marks:
        found = str(known.get("fingerprint"))
        if re.fullmatch("sha256:[0-9a-f]{64}", found):
            return found
    total = hashlib.sha256()
    for path in paths:
        total.update(f"{path.name}\0{sha256_of(path)}\n".encode())
    made = f"sha256:{total.hexdigest()}"
    if all(stat.st_mtime_ns < now - _COARSEST for stat in stats.values()):
        _remember(directory, {"files": marks, "fingerprint": made})
    return made


def sha256_of(path: Path) -> str:
    """The digest of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _decides(path: Path) -> bool:
    return path.suffix in MODEL_FILES and not path.name.startswith(".")


def _remembered() -> dict[str, Any]:
    """By directory; empty if nothing is remembered, or the file is damaged."""
    with contextlib.suppress(InputError):
        found = read_json(home() / "fingerprints.json")
        return found if isinstance(found, dict) else {}
    return {}


def _remember(directory: Path, entry: Mapping[str, Any]) -> None:
    """Adds a directory, and leaves out those that are gone.

    Of two processes that write at once one may be forgotten, and reads its directory once more; so does everyone whose
    home cannot be written.
    """
    others = {name: kept for name, kept in _remembered().items() if os.path.isdir(name)}
    with contextlib.suppress(OSError):
        files.write_json(home() / "fingerprints.json", {**others, str(directory): entry})
