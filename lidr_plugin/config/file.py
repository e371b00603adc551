"""Turns `lidr.yaml` and `KEY=VALUE` overrides into a `Config`, or says everything that is wrong with them at once."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lidr_plugin import __version__
from lidr_plugin.config.schema import Config
from lidr_plugin.config.section import keys, results_of
from lidr_plugin.config.source import Source
from lidr_plugin.errors import InputError
from lidr_plugin.machine.secrets import secrets_in
from lidr_plugin.text.identifier import name_and_version

_MOST_TOLD = 100
"""Of thousands of problems nobody reads all, and to look for the key that each may mean takes seconds."""


def load(path: Path, overrides: Sequence[str] = ()) -> Config:
    """The configuration in `path`, with overrides applied.

    Raises:
        InputError: with every problem of the file and the overrides, each with its place.
    """
    source = Source.of_file(path)
    for argument in overrides:
        source.override(argument)
    return _validated(source, str(path), _folder(source, path))


def config_of(values: Mapping[str, Any]) -> Config:
    """The configuration with these values at its keys; relative paths start from the working directory.

    Raises:
        InputError: with every problem of the values.
    """
    return _validated(Source(values), "the configuration", Path())


def resolved(config: Config) -> dict[str, Any]:
    """The configuration with every default filled in and the folder that its relative paths start from.

    `load` reads it back: it is the `config.json` of a run, and what each stage of a round is given. What identifies
    languages stands beside the keys, and is no setting: a run is not changed by an update.
    """
    made_with = {"lidr": __version__, "identifier": name_and_version(), "folder": str(config.folder.absolute())}
    return {**made_with, **config.model_dump(mode="json")}


def _folder(source: Source, path: Path) -> Path:
    """Where relative paths start from: the file's folder, or the one named in what `resolved` wrote."""
    if source.data.pop("lidr", None) is None:
        return path.parent
    source.data.pop("identifier", None)
    return Path(str(source.data.pop("folder", path.parent)))


def _check_folder(folder: Path) -> None:
    """Recipes and the resolved configuration hold it, and both are UTF-8."""
    try:
        str(folder.absolute()).encode()
    except FileNotFoundError:
        raise InputError("the working directory is not there any more", "cd to another") from None
    except UnicodeEncodeError:
        raise InputError(f"{str(folder.absolute())!r}: the folder's name is not UTF-8", "rename it") from None


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What of the settings is not as it was; a key that an older lidr did not know counts as having had its default."""
    needed: dict[str, Any] = {"model_name_or_path": "x", "languages": ["la"], "prompts": "{language}"}
    method = now.get("method", "imbalance")
    if method == "mix":  # the one family that has no default of its own
        needed["mix"] = {"answer": 1.0}
    default = results_of(Config.model_validate({**needed, "method": method}))
    was = {key: before.get(key, default.get(key)) for key in now}
    return [f"{key}: was {was[key]!r}, is {value!r}" for key, value in sorted(now.items()) if was[key] != value]


def _validated(source: Source, where: str, folder: Path) -> Config:
    for secret in secrets_in(source.data):
        source.refuse(secret.key, secret.advice)
    try:
        config = Config.model_validate(source.data, context={"folder": folder})
    except ValidationError as error:
        for detail in error.errors()[:_MOST_TOLD]:
            _report(detail, source)
    _check_folder(folder)
    if source.problems:
        raise InputError.of(list(dict.fromkeys(source.problems)), where)
    return config


_WORDING = {
    "missing": "missing; it has no default",
    "string_type": "expected text",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "finite_number": "expected a finite number",
    "bool_type": "expected true or false",
    "list_type": "expected a list, such as [de, es]",
    "dict_type": "expected `key: value` lines",
    "model_type": "expected `key: value` lines",
}


def _report(error: ErrorDetails, source: Source) -> None:
    """Puts one of pydantic's errors in lidr's words."""
    key = tuple(_written(error, source.data))
    if error["type"] == "extra_forbidden":
        nearest = _nearest(".".join(key))
        source.report(key, "unknown key" + (f"; did you mean {nearest}?" if nearest else ""))
    elif error["type"] == "value_error":
        for line in str(error["ctx"]["error"]).splitlines():
            # A validator of a whole section begins its message with the key that is meant.
            if relative := re.match(r"([A-Za-z0-9_.]+): ", line):
                source.report((*key, *relative[1].split(".")), line[relative.end() :])
            else:
                source.report(key, line)
    else:
        wording = _WORDING.get(error["type"], error["msg"][:1].lower() + error["msg"][1:])
        found = "" if error["type"] == "missing" else f", found {_shortened(repr(error['input']))}"
        source.report(key, wording + found)


def _written(error: ErrorDetails, value: Any) -> Iterator[str]:
    """The key that an error is about: its location, without the kinds of value that pydantic tried."""
    for part in error["loc"]:
        parts = value if isinstance(value, Mapping) else range(len(value)) if isinstance(value, list | tuple) else ()
        if part in parts:
            value = value[part]
        elif error["type"] != "missing" or part != error["loc"][-1]:
            return
        yield str(part)


def _shortened(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}…"


def _nearest(key: str) -> str:
    """The known key that an unknown one is most likely to mean; nothing if none is like it."""
    names = [known.name for known in keys(Config)]
    section, _, last = key.rpartition(".")
    siblings = {name.rpartition(".")[2]: name for name in names if name.rpartition(".")[0] == section}
    if near := difflib.get_close_matches(last, siblings, 1, 0.75):
        return siblings[near[0]]
    if near := difflib.get_close_matches(last, [name.rpartition(".")[2] for name in names], 1, 0.8):
        namesakes = [name for name in names if name.rpartition(".")[2] == near[0]]
        return max(namesakes, key=lambda name: len({*name.split(".")} & {*key.split(".")}))
    if near := difflib.get_close_matches(last, siblings, 1, 0.5):
        return siblings[near[0]]
    return next(iter(difflib.get_close_matches(key, names, 1, 0.5)), "")
