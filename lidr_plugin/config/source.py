"""The raw values of a configuration, each with the place where it was written."""

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from lidr_plugin.errors import InputError
from lidr_plugin.errors.redaction import HIDDEN
from lidr_plugin.machine.inputs import is_there, read_text
from lidr_plugin.machine.secrets import mentions_secret

KeyPath: TypeAlias = tuple[str, ...]
_Place: TypeAlias = Callable[[Node], str]

_MOST_CHARACTERS = 1_000_000
"""A hundred times the longest configuration; the reader needs seconds for so many."""
_MOST_LEVELS = 32
_MOST_BRACKETS = 500
_MOST_VALUES = 10_000
"""Far more than a configuration has; aliases of aliases of aliases would fill the memory."""
_TAG = "tag:yaml.org,2002:"
_CONVERTED = ("null", "bool", "int", "float")
# A date, `<<` and `=`, which YAML 1.1 gave a meaning, are text here as in the core schema of YAML 1.2.
_KINDS = {
    ScalarNode: ("str", *_CONVERTED, "timestamp", "merge", "value"),
    SequenceNode: ("seq",),
    MappingNode: ("map",),
}
_JSON_ONLY = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What a JSON string may contain as it is, and YAML refuses or takes for a line break."""
_PLAINER = {
    r"'\t'": "found a tab; indent with spaces",
    "got '{'": "inside { }, a text with {language} in it needs quotes",
}
"""What the parser says, in plainer words."""


class _InvalidYAML(Exception):
    """A text that cannot be read at all."""

    def __init__(self, problem: str, line: int) -> None:
        super().__init__(problem)
        self.line = line


class Source:
    """The values, their places, and the problems found while they were read."""

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        self.data: dict[str, Any] = dict(data or {})
        self.problems: list[str] = []
        self.broken: set[KeyPath] = set()
        """Keys whose values could not be read; what else is wrong with them is not worth saying."""
        self.places: dict[KeyPath, str] = {(): ""}

    @classmethod
    def of_file(cls, path: Path) -> "Source":
        """The values of a YAML or JSON file.

        Raises:
            InputError: the file cannot be read at all. Lesser problems are collected.
        """
        source, text = cls(), _text_of(path)
        if path.suffix == ".json":
            text = _JSON_ONLY.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
        try:
            data = source._read(text, (), lambda node: f"{path}:{node.start_mark.line + 1}")
        except _InvalidYAML as error:
            raise InputError(f"{path}:{error.line}: not valid YAML: {error}") from None
        if not isinstance(data, dict | None):
            found = "a list" if isinstance(data, list) else repr(data)
            raise InputError(f"{path}:1: expected `key: value` lines, found {found}")
        source.data = data or {}
        source.places[()] = str(path)
        return source

    def override(self, argument: str) -> None:
        """Applies one `KEY=VALUE`; the value is read as YAML."""
        name, equals, text = argument.partition("=")
        key = tuple(name.strip().split("."))
        place = f"command line: {f'{name}={HIDDEN}' if mentions_secret(argument) else argument}"
        if not equals or not all(key) or len(key) > _MOST_LEVELS:
            self.problems.append(f"{place}: write KEY=VALUE, as in engine.concurrency=64")
            return
        if any("\ud800" <= char <= "\udfff" for char in name):  # the shell's way to hand over what is not UTF-8
            self.problems.append(f"{place}: not UTF-8")
            return
        self.places = {known: at for known, at in self.places.items() if known[: len(key)] != key}
        try:
            value = self._read(text, key, lambda _: place)
        except _InvalidYAML as error:
            self.problems.append(f"{place}: the value is not valid YAML: {error}")
            return
        target = self.data
        for depth, part in enumerate(key[:-1], start=1):
            if not isinstance(target.get(part), dict):
                target[part] = {}
                self.places[key[:depth]] = place
            self.places.setdefault(key[:depth], place)
            target = target[part]
        target[key[-1]] = value
        self.places.setdefault(key, place)

    def report(self, key: KeyPath, problem: str) -> None:
        """Adds a problem of a key, with the place where it or the nearest section around it was written."""
        if key not in self.broken:
            depth = next(depth for depth in range(len(key), -1, -1) if key[:depth] in self.places)
            self.report_at(self.places[key[:depth]], key, problem)

    def refuse(self, key: KeyPath, problem: str) -> None:
        """Adds a problem of a key beside which no other problem of it is worth saying."""
        self.report(key, problem)
        self.broken.add(key)

    def report_at(self, place: str, key: KeyPath, problem: str) -> None:
        """Adds a problem of a key at a place."""
        self.problems.append(": ".join(part for part in (place, ".".join(key), problem) if part))

    def _read(self, text: str, key: KeyPath, place: _Place) -> Any:
        """The value of a YAML text that is written at `key`."""
        if _brackets(text) > _MOST_BRACKETS:  # of which ruamel.yaml looks at each once for every other
            raise _InvalidYAML("nested too deeply", 1)
        reader = YAML(typ="safe", pure=True)
        reader.composer.warn_double_anchors = False  # YAML 1.2 lets an anchor be defined anew
        try:
            node = reader.compose(text)
            return None if node is None else _Builder(self, reader, place).value(node, key)
        except MarkedYAMLError as error:
            mark, problem = error.problem_mark or error.context_mark, str(error.problem)
            plainer = next((words for sign, words in _PLAINER.items() if sign in problem), problem)
            raise _InvalidYAML(plainer, mark.line + 1 if mark else 1) from None
        except ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise _InvalidYAML(f"the control character {text[error.position]!r}", line) from None
        except RecursionError:
            raise _InvalidYAML("nested too deeply, or an alias that contains itself", 1) from None
        except AssertionError:  # ruamel.yaml's way to refuse `%YAML 1.3`
            raise _InvalidYAML("only versions 1.1 and 1.2 of YAML are supported", 1) from None
        except (ValueError, OverflowError):  # and `"\U00110000"`
            raise _InvalidYAML("a \\U escape stands for no character", 1) from None


class _Builder:
    """Turns the nodes of one YAML text into plain values, and notes where each one stands."""

    def __init__(self, source: Source, reader: YAML, place: _Place) -> None:
        self._source = source
        self._reader = reader
        self._place = place
        self._count = 0

    def value(self, node: Node, key: KeyPath) -> Any:
        """The value of a node, which is that of `key`."""
        self._count += 1
        if self._count > _MOST_VALUES:
            raise _InvalidYAML(f"its aliases stand for more than {_MOST_VALUES:,} values", node.start_mark.line + 1)
        if len(key) > _MOST_LEVELS:
            raise _InvalidYAML(
                f"nested too deeply (more than {_MOST_LEVELS} levels), or an alias that contains itself",
                node.start_mark.line + 1,
            )
        self._source.places.setdefault(key, self._place(node))
        kind = str(node.tag).removeprefix(_TAG)
        if kind not in _KINDS[type(node)]:
            self._problem(node, key, f"the tag {kind} is not supported; only plain values are")
        if isinstance(node, SequenceNode):
            return [self.value(child, (*key, str(number))) for number, child in enumerate(node.value)]
        if isinstance(node, ScalarNode):
            return self._converted(node, key, kind) if kind in _CONVERTED else self._text(node, key)
        return self._mapping(node, key)

    def _mapping(self, node: Node, where: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode) or not key_node.value:
                self._source.report_at(self._place(key_node), where, "a key must be text")
                continue
            key = self._text(key_node, where)
            if key in values:
                self._problem(key_node, (*where, key), f"duplicate key (first at line {lines[key]})")
                continue
            lines[key] = key_node.start_mark.line + 1
            self._source.places[*where, key] = self._place(key_node)
            values[key] = self.value(value_node, (*where, key))
        return values

    def _converted(self, node: ScalarNode, key: KeyPath, kind: str) -> Any:
        """The value of a scalar that is not text."""
        try:
            value = self._reader.constructor.construct_object(node)
        except (ValueError, LookupError):  # `!!int x`, `!!bool x`, and `-_`, which ruamel.yaml takes for a number
            self._problem(node, key, f"{node.value[:40]!r} is not a valid {kind}")
            return None
        # JSON, in which a configuration is handed on, has no other numbers.
        if (isinstance(value, float) and not math.isfinite(value)) or (
            isinstance(value, int) and not -(2**63) <= value < 2**64
        ):
            self._problem(node, key, f"{node.value[:40]} is out of range")
            return None
        return value

    def _text(self, node: ScalarNode, key: KeyPath) -> str:
        """The text of a scalar; JSON writes what is beyond U+FFFF as two escapes, which are one character."""
        try:
            text = str(node.value).encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            self._problem(node, key, "half a surrogate pair is not text")
            return ""
        if "\0" in text:  # no path, variable or argument can hold it
            self._problem(node, key, "the character NUL is not text")
        return text

    def _problem(self, node: Node, key: KeyPath, problem: str) -> None:
        self._source.broken.add(key)
        self._source.report_at(self._place(node), key, problem)


def _brackets(text: str) -> int:
    """The most brackets that are open at once; those in quotes count too."""
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth = depth + 1 if bracket in "[{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest


def _text_of(path: Path) -> str:
    text = read_text(path, "name a configuration" if is_there(path) else "`lidr init` writes a commented one")
    if len(text) > _MOST_CHARACTERS:
        raise InputError(
            f"{path}: {len(text):,} characters are no configuration", "name the file that `lidr init` wrote"
        )
    return text
