"""Reads `lidr.yaml` and `KEY=VALUE` overrides into a `Config`, and says all that is wrong with them at once."""

import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lidr_plugin import __version__
from lidr_plugin.config.schema import Config
from lidr_plugin.errors import InputError

KeyPath = tuple[str, ...]


class _Loader(yaml.SafeLoader):
    """Safe YAML, with numbers as LLaMA-Factory's reader takes them: `5e-7` is a number, not a string."""


_Loader.yaml_implicit_resolvers = {k: list(v) for k, v in yaml.SafeLoader.yaml_implicit_resolvers.items()}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)[eE][-+]?\d+$"),
    list("-+0123456789."),
)


class _Source:
    """The raw values of a configuration, and the place where each one was written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data: dict[str, Any] = {}
        self.places: dict[KeyPath, str] = {(): str(path)}
        self.problems: list[str] = []

    def read(self) -> None:
        """Takes the file's values; a file that cannot be read at all is an `InputError` at once."""
        try:
            text = self.path.read_bytes().decode("utf-8-sig")
        except FileNotFoundError:
            raise InputError(f"{self.path}: no such file", "`lidr init` writes a commented one") from None
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise InputError(f"{self.path}:{line}: not UTF-8 (byte {error.start})", "save it as UTF-8") from None
        except OSError as error:
            raise InputError(f"{self.path}: {error.strerror}") from None
        try:
            loader = _Loader(text)
            node = loader.get_single_node()
            self.data = self._build(loader, node, ()) if node is not None else {}
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            raise InputError(f"{self.path}:{line}: not valid YAML: {error.problem}") from None
        except yaml.YAMLError as error:
            raise InputError(f"{self.path}: not valid YAML: {str(error).splitlines()[0]}") from None
        if not isinstance(self.data, dict):
            raise InputError(f"{self.path}:1: expected `key: value` lines, found a {type(self.data).__name__}")

    def _build(self, loader: yaml.SafeLoader, node: yaml.Node, where: KeyPath) -> Any:
        self.places[where] = f"{self.path}:{node.start_mark.line + 1}"
        if isinstance(node, yaml.SequenceNode):
            return [self._build(loader, child, (*where, str(i))) for i, child in enumerate(node.value)]
        if not isinstance(node, yaml.MappingNode):
            return loader.construct_object(node, deep=True)
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            place = f"{self.path}:{key_node.start_mark.line + 1}"
            if key in values:
                self.problems.append(f"{place}: {'.'.join((*where, key))}: stands there twice")
            values[key] = self._build(loader, value_node, (*where, key))
            self.places[(*where, key)] = place
        return values

    def folder(self) -> Path:
        """Where relative paths start from: the file's folder, or for what `resolved` wrote the folder that it names."""
        if self.data.pop("lidr", None) is None:
            return self.path.parent
        return Path(str(self.data.pop("folder", self.path.parent)))

    def override(self, argument: str) -> None:
        """Applies one `KEY=VALUE`; the value is read as YAML."""
        name, equals, text = argument.partition("=")
        key = tuple(name.strip().split("."))
        place = f"command line: {argument}"
        if not equals or not all(key):
            self.problems.append(f"{place}: write KEY=VALUE, as engine.concurrency=64")
            return
        try:
            value = yaml.load(text, _Loader)
        except yaml.YAMLError:
            self.problems.append(f"{place}: the value is not valid YAML")
            return
        target = self.data
        for part in key[:-1]:
            below = target.setdefault(part, {})
            if below is None or not isinstance(below, dict):
                target[part] = below = {}
            target = below
        target[key[-1]] = value
        for depth in range(1, len(key) + 1):
            self.places.setdefault(key[:depth], place)
        self.places[key] = place

    def place_of(self, key: KeyPath) -> str:
        """Where `key` was written, or the nearest section around it."""
        while key not in self.places:
            key = key[:-1]
        return self.places[key]


def _known_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _known_keys(field.annotation, f"{prefix}{name}.")


def _nearest(key: str) -> str:
    known = list(_known_keys(Config))
    last = key.rsplit(".", maxsplit=1)[-1]
    same_name = [name for name in known if name.rsplit(".", maxsplit=1)[-1] == last]
    siblings = [name for name in known if name.rpartition(".")[0] == key.rpartition(".")[0]]
    close = (
        same_name
        or difflib.get_close_matches(key, siblings, 1, 0.5)
        or difflib.get_close_matches(key, known, 1, 0.4)
        or difflib.get_close_matches(last, known, 1, 0.3)
    )
    return close[0] if close else ""


_WORDING = {
    "missing": "missing; lidr needs it",
    "string_type": "expected text",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "bool_type": "expected true or false",
    "list_type": "expected a list, as [de, es]",
    "dict_type": "expected `key: value` lines",
    "model_type": "expected `key: value` lines",
}


def _describe(error: ErrorDetails, source: _Source) -> list[str]:
    key: KeyPath = ()
    value: Any = source.data
    for part in map(str, error["loc"]):
        key_exists = (isinstance(value, dict) and part in value) or (
            isinstance(value, list) and part.isdigit() and int(part) < len(value)
        )
        if not key_exists and not (error["type"] == "missing" and part == str(error["loc"][-1])):
            break
        key = (*key, part)
        value = value.get(part) if isinstance(value, dict) else value[int(part)] if isinstance(value, list) else None
    name = ".".join(key)
    place = source.place_of(key)
    if error["type"] == "extra_forbidden":
        nearest = _nearest(name)
        return [f"{place}: {name}: unknown key" + (f"; did you mean {nearest}?" if nearest else "")]
    if error["type"] == "value_error":
        lines = str(error["ctx"]["error"]).splitlines() if "ctx" in error else [error["msg"]]
        return [_refined(line, key, source) for line in lines]
    wording = _WORDING.get(error["type"], error["msg"][:1].lower() + error["msg"][1:])
    found = "" if error["type"] == "missing" else f", found {error['input']!r}"
    return [f"{place}: {name}: {wording}{found}"]


def _refined(line: str, key: KeyPath, source: _Source) -> str:
    """A validator of a whole section begins its message with the key that is meant."""
    first, colon, rest = line.partition(": ")
    if colon and re.fullmatch(r"[A-Za-z0-9_.]+", first):
        key, line = (*key, *first.split(".")), rest
    return f"{source.place_of(key)}: {'.'.join(key)}: {line}" if key else f"{source.place_of(key)}: {line}"


def load(path: Path, overrides: Sequence[str] = ()) -> Config:
    """The configuration in `path` with overrides applied.

    Raises:
        InputError: with every problem of the file and the overrides, each with its place.
    """
    source = _Source(path)
    source.read()
    for argument in overrides:
        source.override(argument)
    folder = source.folder()
    try:
        config = Config.model_validate(source.data, context={"folder": folder})
    except ValidationError as error:
        described = (line for detail in error.errors() for line in _describe(detail, source))
        source.problems.extend(dict.fromkeys(described))
    if source.problems:
        raise InputError.of(source.problems, str(path))
    return config


def resolved(config: Config) -> dict[str, Any]:
    """The configuration with every default filled in and the folder that its relative paths start from.

    `load` reads it back: it is the `config.json` of a run, and what a round's stages are given.
    """
    return {"lidr": __version__, "folder": str(config.folder.absolute()), **config.model_dump(mode="json")}
