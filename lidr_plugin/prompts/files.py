"""Reads the rows of one prompt file, in any of four formats, and names the line of whatever is wrong."""

import csv
import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import orjson

from lidr_plugin.config.columns import Columns
from lidr_plugin.errors import InputError
from lidr_plugin.machine.sources import Source, format_of, opened_source, source_lines

T = TypeVar("T")
_SHOWN = 20


class Row(NamedTuple):
    """One prompt in one language, as its file has it; `line` counts from 1 (rows, in Parquet), `file` a language's from 0."""

    line: int
    id: str | None
    instruction: str
    input: str
    final_answer: str | None
    response: str | None = None
    file: int = 0


class Extent(NamedTuple):
    """Which rows of the dominant language are prompts.

    Attributes:
        skip: so many rows at the beginning are left out.
        limit: so many after them are taken; None: all.
        before: so many rows come before those of the files, in the files of other shards.
    """

    skip: int = 0
    limit: int | None = None
    before: int = 0

    @property
    def first(self) -> int:
        """The position of the first prompt that is taken from the files."""
        return max(0, self.before - self.skip)

    def of(self, rows: Iterator[Row]) -> Iterator[Row]:
        """Those rows of the files that are prompts."""
        stop = None if self.limit is None else max(0, self.skip + self.limit - self.before)
        return islice(rows, max(0, self.skip - self.before), stop)

    @property
    def is_part(self) -> bool:
        """Whether the files may hold more than the prompts."""
        return bool(self.skip) or self.limit is not None


class _Broken(Exception):
    """A line that cannot be read. Yielded by a reader, the next lines still can be; raised by it, they cannot."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def _decoded(path: Source) -> Iterator[str]:
    """The file's lines as text; refuses any encoding but UTF-8, with the line."""
    for number, line in enumerate(source_lines(path), 1):
        if number == 1 and line.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise _Broken(1, "the file is UTF-16; convert it: iconv -f UTF-16 -t UTF-8")
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise _Broken(
                number, f"not UTF-8 (byte {error.start + 1} of the line); convert it: iconv -f LATIN1 -t UTF-8"
            ) from None


def _jsonl(path: Source) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(_decoded(path), 1):
        if not line.isspace():
            try:
                yield number, orjson.loads(line)
            except orjson.JSONDecodeError as error:
                yield number, _Broken(number, f"not valid JSON: {error.msg}")


def _json(path: Source) -> Iterator[tuple[int, Any]]:
    """A JSON list of objects. The file is in memory whole: JSONL and Parquet are for what is big."""
    text = "".join(_decoded(path))
    at = len(text) - len(text.lstrip())
    if text[at : at + 1] != "[":
        line = text.count("\n", 0, at) + 1
        raise _Broken(line, "expected a JSON list of objects, [{…}, …]; one object a line is JSONL: name it .jsonl")
    try:
        json.loads(text)
    except RecursionError:
        raise _Broken(1, "not a list of objects: nested too deeply") from None
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()):
            raise _Broken(text.rstrip().count("\n") + 1, "the JSON list is not closed: the file is cut") from None
        raise _Broken(error.lineno, f"not valid JSON: {error.msg}") from None
    except ValueError as error:  # a number of thousands of digits
        raise _Broken(1, f"not valid JSON: {error}") from None
    yield from _items(text, at + 1)


def _items(text: str, at: int) -> Iterator[tuple[int, Any]]:
    """The items of a valid JSON list from `at`, behind its bracket, each with its line, which `json` does not tell."""
    decode = json.JSONDecoder().raw_decode
    line = text.count("\n", 0, at) + 1
    while True:
        while text[at] in " \t\r\n,":
            line += text[at] == "\n"
            at += 1
        if text[at] == "]":
            return
        item, end = decode(text, at)
        yield line, item
        line += text.count("\n", at, end)
        at = end


def _csv(path: Source) -> Iterator[tuple[int, Any]]:
    csv.field_size_limit(1 << 30)
    reader = csv.reader(_decoded(path), strict=True)
    try:
        header = next(reader, None)
        if not header:
            raise _Broken(1, "no header line")
        for values in reader:
            if len(values) != len(header):
                yield (
                    reader.line_num,
                    _Broken(reader.line_num, f"{len(values)} fields where the header has {len(header)}"),
                )
            else:
                yield reader.line_num, dict(zip(header, values, strict=True))
    except csv.Error as error:
        raise _Broken(reader.line_num, f"not valid CSV: {error}") from None


def _parquet(path: Source) -> Iterator[tuple[int, Any]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InputError(f"{path}: Parquet needs pyarrow", "pip install 'lidr[parquet]'") from None
    number = 0
    with opened_source(path) as file:
        try:
            for batch in pyarrow.parquet.ParquetFile(file).iter_batches(4096):
                for item in batch.to_pylist():
                    number += 1
                    yield number, item
        # A date beyond the year 9999 overflows, a text that is not UTF-8 is a ValueError.
        except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise _Broken(number + 1, f"not valid Parquet: {said[:200]}") from None


_FORMATS: dict[str, Callable[[Source], Iterator[tuple[int, Any]]]] = {
    ".jsonl": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
}


def _text(item: dict[str, Any], column: str, *, needed: bool) -> str:
    value = item.get(column)
    if value is None and not needed:
        return ""
    if value is None:
        have = ", ".join(map(str, item)) or "none"
        raise ValueError(
            f"no column {column!r} (there is: {have}); set `columns`" if column not in item else f"{column} is null"
        )
    if not isinstance(value, str):
        raise ValueError(f"{column} is a {type(value).__name__}, not text")
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise ValueError(f"{column} holds half of a surrogate pair")
    if needed and not value.strip():
        raise ValueError(f"{column} is empty")
    return value


def _row(line: int, item: dict[str, Any], columns: Columns, *, need_id: bool) -> Row:
    ident = item.get(columns.id)
    if isinstance(ident, int) and not isinstance(ident, bool):
        ident = str(ident)
    if ident is not None and (not isinstance(ident, str) or not ident.strip()):
        raise ValueError(f"{columns.id} must be text or a whole number, found {ident!r}")
    if ident is None and need_id:
        raise ValueError(f"no {columns.id!r}; name the column in `columns.id`, or join by place: join_on: row")
    answer = item.get(columns.final_answer)
    if answer is not None and (isinstance(answer, bool) or not isinstance(answer, str | int | float)):
        raise ValueError(f"{columns.final_answer} is a {type(answer).__name__}, not a number or text")
    return Row(
        line=line,
        id=ident,
        instruction=_text(item, columns.instruction, needed=True),
        input=_text(item, columns.input, needed=False),
        final_answer=None if answer is None or answer == "" else str(answer),
        response=_text(item, columns.response, needed=False).strip() or None if columns.response else None,
    )


def read_rows(path: Source, columns: Columns, *, need_id: bool) -> Iterator[Row]:
    """The rows of a prompt file, in order. Raises `InputError` as `read_items`."""
    return read_items(path, lambda line, item: _row(line, item, columns, need_id=need_id))


def read_items(path: Source, make: Callable[[int, dict[str, Any]], T]) -> Iterator[T]:
    """What is made of the objects in a file, in order.

    Args:
        make: is told the line, too; raises `ValueError` with what is wrong with an object.

    Raises:
        InputError: after the last readable row, with the first 20 problems, each as `file:line: what`.
    """
    reader = _FORMATS.get(suffix := format_of(path))
    if reader is None:
        kinds = "prompts are .json, .jsonl, .csv or .parquet; all but .parquet may be packed (.gz, .zst)"
        raise InputError(f"{path}: {suffix or 'no suffix'}: {kinds}")
    problems: list[str] = []
    count = 0
    try:
        for line, item in reader(path):
            try:
                yield make(line, _object(item))
            except (ValueError, _Broken) as error:
                problems.append(f"{path}:{line}: {error}")
                if len(problems) == _SHOWN:
                    problems.append("(further problems are not shown)")
                    break
            count += 1
    except _Broken as error:
        problems.append(f"{path}:{error.line}: {error}")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    if problems:
        raise InputError.of(problems, str(path))
    if not count:
        raise InputError(f"{path}:1: no prompts in the file")


def _object(item: Any) -> dict[str, Any]:
    if isinstance(item, _Broken):
        raise item
    if not isinstance(item, dict):
        raise ValueError(f"expected an object, found a {type(item).__name__}")
    return item
