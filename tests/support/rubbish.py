"""Rubbish for readers: values that nobody sane writes, and files that a crash or a person has damaged."""

import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias

import yaml
from hypothesis import strategies as st

NESTED = "[" * 3000 + "]" * 3000
TEXTS = [
    "",
    " ",
    "\x00",
    "a\x00b",
    "\ud800",
    "\udcff",
    "\ufeff",
    "☃ 한국어",
    "\u202e",
    "\x1b[2J",
    "\n",
    "a\nb: c",
    "x" * 300,
    "../" * 40,
    "/dev/null",
    "/dev/full",
    "/proc/self/mem",
    "~nobody/x",
    "{language}",
    "{",
    "%s",
    "<b>",
    "[bold]",
    "null",
    "1e999",
    "NaN",
    "9" * 5000,
    "-1",
    "0x10",
    "2026-02-30",
    "99999-12-31T25:61:61Z",
    "checkpoint-x",
    "é".encode("latin-1").decode("utf-8", "replace"),
]
NUMBERS = [
    0,
    -1,
    1,
    2,
    10**9,
    10**18,
    2**63 - 1,
    2**63,
    2**64,
    -(2**63) - 1,
    10**30,
    10**400,
    0.5,
    -0.0,
    1e-320,
    1e308,
    float("inf"),
    float("-inf"),
    float("nan"),
]


def _deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


VALUES: list[Any] = [
    None,
    True,
    False,
    *NUMBERS,
    *TEXTS,
    [],
    {},
    [[]],
    [None],
    {"": None},
    {"a": {"b": []}},
    [1, "a", None, {}],
    _deep(40),
    _deep(300),
    {"hits": 5, "total": 2},
    {"hits": -1, "total": 0},
    {"hits": 1, "total": 10**30},
    {"hits": True, "total": 0.5},
    [0.1, 0.2],
    [1, 2, 3],
]
WORDS = [
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b'"\\ud800"',
    b"1e999",
    b"9" * 5000,
    b"-",
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b",",
    b":",
    b"\n",
    b"\r",
    b"\t",
    b"NaN",
    b"Infinity",
    b"null",
    b"&a [*a]",
    b"<<: *a",
    b"!!python/name:os.system ",
    b"? [a]",
    b"---\n",
    b"%YAML 1.3\n---\n",
    b"\xe2\x80\xa8",
    b"\x85",
    b"*x",
    b"|\n",
    b"#",
    NESTED.encode(),
    b"18446744073709551616",
]

Damage: TypeAlias = Callable[[Path], None]
"""Something that is done to a file."""


def _bytes_damage(draw: st.DrawFn) -> Damage:
    kind = draw(st.sampled_from(["flip", "cut", "insert", "double", "empty", "utf-16", "latin-1"]))
    place, more = draw(st.floats(0, 1, exclude_max=True)), draw(st.floats(0, 1, exclude_max=True))
    byte, word = draw(st.integers(0, 255)), draw(st.sampled_from(WORDS))

    def damage(path: Path) -> None:
        data = path.read_bytes()
        at, to = sorted((int(place * len(data)), int(more * len(data))))
        made = {
            "flip": data[:at] + bytes([byte]) + data[at + 1 :],
            "cut": data[:at],
            "insert": data[:at] + word + data[at:],
            "double": data[:to] + data[at:],
            "empty": b"",
            "utf-16": data.decode("utf-8", "replace").encode("utf-16"),
            "latin-1": data.decode("utf-8", "replace").encode("latin-1", "replace") + b"\xe9",
        }
        path.write_bytes(made[kind])

    return damage


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a value of JSON, its top included."""
    yield at
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*at, key))


def _replaced(value: Any, place: tuple[Any, ...], what: str, rubbish: Any) -> Any:
    if not place:
        return rubbish
    *above, last = place
    below = value
    for key in above:
        below = below[key]
    if what == "remove":
        del below[last]
    elif what == "rename" and isinstance(below, dict):
        below[rubbish if isinstance(rubbish, str) else str(rubbish)[:50]] = below.pop(last)
    else:
        below[last] = rubbish
    return value


def _written(path: Path, values: list[Any]) -> None:
    """JSON as Python writes it, NaN and halves of surrogate pairs included; YAML where the file is YAML."""
    if path.suffix == ".yaml":
        with contextlib.suppress(ValueError, RecursionError):  # what YAML's writer refuses is tried as JSON
            path.write_text(yaml.safe_dump(values[0], allow_unicode=True), encoding="utf-8", errors="surrogatepass")
            return
    lines = [json.dumps(value, ensure_ascii="\ud800" in repr(value)) for value in values]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogatepass")


def _value_damage(draw: st.DrawFn) -> Damage:
    what, rubbish = draw(st.sampled_from(["replace", "replace", "remove", "rename"])), draw(st.sampled_from(VALUES))
    where, which = draw(st.floats(0, 1, exclude_max=True)), draw(st.floats(0, 1, exclude_max=True))

    def damage(path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        if path.suffix not in (".json", ".jsonl", ".yaml"):
            path.write_text(text.replace(text[int(where * len(text)) :][:3], str(rubbish)[:400]), errors="replace")
            return
        lines = text.splitlines() if path.suffix == ".jsonl" else [text]
        values = [(yaml.safe_load if path.suffix == ".yaml" else json.loads)(line) for line in lines]
        number = int(which * len(values))
        found = list(places(values[number]))
        values[number] = _replaced(values[number], found[int(where * len(found))], what, rubbish)
        with contextlib.suppress(ValueError):  # a number of more digits than Python writes
            _written(path, values)

    return damage


def replaced_by(path: Path, kind: str) -> None:
    """What is no file takes the place of one."""
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as listening:  # a long path has none
            listening.bind(str(path))
    elif kind != "gone":
        path.symlink_to({"loop": path.name, "dangling": "nowhere", "device": "/dev/zero", "full": "/dev/full"}[kind])


def _file_damage(draw: st.DrawFn) -> Damage:
    kind = draw(st.sampled_from(["folder", "pipe", "socket", "loop", "dangling", "device", "full", "gone"]))
    return lambda path: replaced_by(path, kind)


@st.composite
def damages(draw: st.DrawFn) -> Damage:
    """What is done to a file of JSON, JSON lines, YAML or plain text."""
    kind = draw(st.sampled_from(["bytes", "value", "value", "value", "file"]))
    return {"bytes": _bytes_damage, "value": _value_damage, "file": _file_damage}[kind](draw)


@st.composite
def overrides(draw: st.DrawFn, keys: list[str]) -> str:
    """A `KEY=VALUE` that nobody sane writes."""
    key = draw(st.sampled_from([*keys, "x", "", "a..b", "engine.args." + "a." * 50 + "b"]))
    value = draw(st.sampled_from([*TEXTS, *VALUES, NESTED[:200], "&a [*a]", "!!int x", "{a: 1, a: 2}", "[", "|"]))
    if isinstance(value, str):
        return f"{key}={value}".replace("\x00", "\\0")  # no argument holds NUL
    with contextlib.suppress(ValueError):
        return f"{key}={json.dumps(value)}"
    return f"{key}={'9' * 400}"


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fails what hangs."""

    def hang(_: int, frame: FrameType | None) -> None:
        raise AssertionError(f"it hangs, at {frame}")

    before = signal.signal(signal.SIGALRM, hang)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
