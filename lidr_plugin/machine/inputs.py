"""Files that a person or another program wrote, and may have damaged: opened with a look at what they are, read within limits.

Whatever is wrong with one is an `InputError` with the file, the place in it and the remedy.
"""

import errno
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BufferedReader
from pathlib import Path
from typing import Any, TypeVar, cast

import orjson
from pydantic import TypeAdapter, ValidationError

from lidr_plugin.errors import InputError, RunError, remedy_of

T = TypeVar("T")


@contextmanager
def made_by(program: str) -> Iterator[None]:
    """What another program has just made, and cannot be read, is no wrong input: the run failed.

    Raises:
        RunError: in place of `InputError`.
    """
    try:
        yield
    except InputError as error:
        raise RunError(f"what {program} left cannot be read: {error.message}", error.hint) from None


def is_there(path: Path) -> bool:
    """Whether there is anything of that name, be it a link to nowhere; where `Path.exists` raises, there is nothing."""
    return os.path.lexists(path)


def opened(path: Path, remedy: str = "") -> BufferedReader:
    """A regular file, open for reading. A device, or a pipe that nobody writes to, would never end.

    Raises:
        InputError: it cannot be opened, or is no regular file.
    """
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            raise InputError(f"{path}: {_kind(mode)}, not a file", remedy)
        return path.open("rb")
    except OSError as error:
        what = "no such file" if error.errno == errno.ENOENT else error.strerror
        raise InputError(f"{path}: {what}", "\n".join(filter(None, (remedy_of(error), remedy)))) from None
    except ValueError:  # NUL, or half of a surrogate pair
        raise InputError(f"{str(path)!r}: no file can have this name", remedy) from None


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"


def read(path: Path, remedy: str = "") -> bytes:
    """The content of a file; raises as `opened` does."""
    with opened(path, remedy) as file:
        return file.read()


def read_text(path: Path, remedy: str = "") -> str:
    """The content of a UTF-8 file, without a byte order mark.

    Raises:
        InputError: as `opened` does; or it is in another encoding, with the line.
    """
    data = read(path, remedy)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}: not UTF-8 (byte {error.start})", remedy or "save it as UTF-8") from None


def read_json(path: Path, remedy: str = "") -> Any:
    """The content of a JSON file that lidr can write again: no number beyond 64 bits, no half of a surrogate pair, not endless.

    NaN and infinity, which Python's own writer has, are read.

    Raises:
        InputError: as `opened` does; or it is no such JSON, with the line.
    """
    text = read_text(path, remedy)
    try:
        value = json.loads(text)
        orjson.dumps(value)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not valid JSON: {error.msg}", remedy) from None
    except RecursionError:
        raise InputError(f"{path}: not valid JSON: nested too deeply", remedy) from None
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: {_unwritable(str(error))}", remedy) from None
    return value


def _unwritable(said: str) -> str:
    """What Python and orjson say of a value, in plainer words."""
    words = {
        "digits": "a number has thousands of digits",
        "64-bit": "a number is beyond 64 bits",
        "surrogates": "a text holds half of a surrogate pair",
        "Recursion": "nested too deeply",
    }
    return next((plain for sign, plain in words.items() if sign in said), said)


def adapter_of(kind: type[T]) -> TypeAdapter[T]:
    """Reads and writes values of a type."""
    return _adapter(cast(Any, kind))


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Made once for each type: that takes longer than a file takes to read."""
    return TypeAdapter(kind)


def read_record(kind: type[T], path: Path, remedy: str) -> T:
    """The record in a JSON file.

    Raises:
        InputError: as `read_json` does; or it is no such record, with the place.
    """
    return record_of(kind, read_json(path, remedy), str(path), remedy)


def record_of(kind: type[T], value: Any, where: str, remedy: str) -> T:
    """The record that a value is; raises `InputError` with the place if it is none."""
    try:
        return adapter_of(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(f"{where}: damaged{place and f' at {place}'}: {first['msg']}", remedy) from None


def read_lines(path: Path, remedy: str = "") -> Iterator[bytes]:
    """The lines of a file, with their ends; raises as `opened` does."""
    with opened(path, remedy) as file:
        yield from file
