"""A store's completions as JSON lines: written out, also of a damaged store, and read in again."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from lidr_plugin import files
from lidr_plugin.completions.requests import Completion, key_of
from lidr_plugin.completions.rows import Entry
from lidr_plugin.completions.salvage import lost_rows, salvaged
from lidr_plugin.completions.store import Store
from lidr_plugin.completions.store_errors import UnreadableError, check_place
from lidr_plugin.errors import InputError
from lidr_plugin.run_directory import RunDirectory

_LONGEST = 64 << 20
"""Bytes of a line: many times the longest answer, and little enough for any memory."""
_MOST = 1 << 63
_BATCH = 500


class Exported(NamedTuple):
    """What became of an export.

    Attributes:
        written: completions in the file.
        lost: the numbers of the rows that cannot be read; further ones may be gone without a trace.
        damage: what is wrong with the store, be it in a place that holds no row; empty if it is well.
    """

    written: int
    lost: list[int]
    damage: list[str]


def verify(path: Path) -> list[str]:
    """What is wrong with a store, also with one that cannot be opened. Raises `InputError` where there is none."""
    try:
        with Store(path, read_only=True) as store:
            return store.verify()
    except UnreadableError as error:
        return [error.message, *lost_rows(path)]


def export(path: Path, target: Path) -> Exported:
    """Writes all completions with their requests as JSON lines, ordered by key; of a damaged store what can be read.

    Raises:
        InputError: there is no store; or `target` is the store, or a file that no export wrote.
        OSError: the file cannot be written.
    """
    damage = verify(path)
    _check_target(path, target)
    if not damage:
        with Store(path, read_only=True) as store:
            return Exported(_write(store, target), [], [])
    lost: list[int] = []
    with Store(None) as saved:
        saved.put_many(_noting(salvaged(path), lost.append))
        return Exported(_write(saved, target), lost, damage)


def _noting(found: Iterator[Entry | int], note: Callable[[int], None]) -> Iterator[Entry]:
    for item in found:
        if isinstance(item, int):
            note(item)
        else:
            yield item


def _write(store: Store, target: Path) -> int:
    written = 0
    with files.replacing(target) as file:
        for entry in store.entries():
            file.write(files.dump_line(entry_json(entry)))
            written += 1
    return written


def _check_target(path: Path, target: Path) -> None:
    """An earlier export may be replaced; nothing else, and least of all the store or what lies beside it."""
    store, place = os.path.realpath(path), os.path.realpath(target)
    if place in {store, *(f"{store}{suffix}" for suffix in ("-wal", "-shm", "-journal"))}:
        raise InputError(f"{target}: that is the store itself", "name another FILE")
    if target.is_file() and target.stat().st_size:
        try:
            next(read_entries(target))
        except InputError:
            raise InputError(f"{target} is there already, and is no export of lidr's", "name another FILE") from None


def entry_json(entry: Entry) -> dict[str, Any]:
    """An entry as one object of an exported JSONL file."""
    c = entry.completion
    further = {"first_token": c.first_token} if c.first_token else {}
    return {
        "request": orjson.loads(entry.request),
        "text": c.text,
        "finish_reason": c.finish_reason,
        "prompt_tokens": c.prompt_tokens,
        "completion_tokens": c.completion_tokens,
        "prefilled": c.prefilled,
        **further,
    }


class Imported(NamedTuple):
    """What became of an import.

    Attributes:
        added: completions that were new.
        kept: requests to which the store had another answer, which stays.
    """

    added: int
    kept: int


def load(run: RunDirectory, source: Path) -> Imported:
    """Adds the completions of an exported file to a run's store, all of them or none; what is there already stays.

    Raises:
        InputError: a line is not an exported completion, or contradicts an earlier one; nothing was written.
        RunError: another process holds the run's directory, or the store cannot be written.
    """
    check_place(run.store)
    with Store(None) as read:
        lines = _numbered(source)
        while batch := list(islice(lines, _BATCH)):
            if read.put_many([entry for _, entry in batch]) < len(batch):
                _check_repeated(read, batch, source)
        kept: list[bytes] = []
        with run.locked(), Store(run.store) as store:
            added = store.put_many(_contradicting(store, read.entries(), kept.append))
    return Imported(added, len(kept))


def _check_repeated(store: Store, batch: Sequence[tuple[int, Entry]], source: Path) -> None:
    there = store.get_many([key_of(entry.request) for _, entry in batch])
    for number, entry in batch:
        if there[key_of(entry.request)] != entry.completion:
            what = f"{source}:{number}: another answer to a request that an earlier line has"
            raise InputError(what, "leave one of the two lines out")


def _contradicting(store: Store, entries: Iterator[Entry], note: Callable[[bytes], None]) -> Iterator[Entry]:
    """The entries, each of which is noted where the store has another answer to its request."""
    while batch := list(islice(entries, _BATCH)):
        there = store.get_many([key_of(entry.request) for entry in batch])
        for entry in batch:
            key = key_of(entry.request)
            if there.get(key, entry.completion) != entry.completion:
                note(key)
            yield entry


def read_entries(path: Path) -> Iterator[Entry]:
    """The entries of an exported JSONL file.

    Raises:
        InputError: a line is not an exported completion.
    """
    return (entry for _, entry in _numbered(path))


def _numbered(path: Path) -> Iterator[tuple[int, Entry]]:
    hint = "an import takes what `lidr store export` wrote, whole or not at all"
    number = 0
    try:
        with path.open("rb") as file:
            while line := file.readline(_LONGEST + 1):
                number += 1
                if len(line) > _LONGEST:
                    raise ValueError(f"longer than {_LONGEST >> 20} MB")
                if not line.isspace():
                    yield number, _entry(orjson.loads(line))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        why = f": {error}" if isinstance(error, ValueError) else ""
        raise InputError(f"{path}:{number}: not a line of `lidr store export`{why}", hint) from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", hint) from None


def _entry(item: dict[str, Any]) -> Entry:
    """The entry of an exported object.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is none.
    """
    request = item.pop("request")
    if not (isinstance(request, dict) and isinstance(request.get("weights"), str) and request.get("messages")):
        raise ValueError("`request` is no request")
    tokens = item.pop("first_token", None)
    completion = Completion(**item, first_token=_tokens(tokens) if tokens is not None else None)
    kinds = (str, str, int, int, bool)
    if any(type(value) is not kind for value, kind in zip(completion, kinds, strict=False)):
        raise ValueError("a value has another type")
    if completion.finish_reason not in ("stop", "length"):
        raise ValueError("`finish_reason` is neither `stop` nor `length`")
    if not all(0 <= count < _MOST for count in completion[2:4]):
        raise ValueError("a number of tokens is negative, or beyond 64 bits")
    return Entry(orjson.dumps(request, option=orjson.OPT_SORT_KEYS), completion)


def _tokens(found: Any) -> tuple[tuple[str, float], ...] | None:
    tokens = tuple((token, value) for token, value in found)
    for token, value in tokens:
        if type(token) is not str or type(value) not in (int, float) or not math.isfinite(value):
            raise ValueError("`first_token` is no list of tokens with their log-probabilities")
    return tokens or None
