"""A store's completions and scores as JSON lines: written out, also of a damaged store, and read in again."""

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import orjson

from lidr_plugin import files
from lidr_plugin.completions.exchange_lines import AnyEntry, entry_json, entry_of
from lidr_plugin.completions.requests import Completion, Scored, key_of
from lidr_plugin.completions.rows import Entry
from lidr_plugin.completions.salvage import Lost, lost_rows, salvaged
from lidr_plugin.completions.score_rows import ScoreEntry
from lidr_plugin.completions.store import Store
from lidr_plugin.completions.store_errors import UnreadableError, check_place
from lidr_plugin.errors import InputError
from lidr_plugin.run_directory import RunDirectory

_LONGEST = 64 << 20
"""Bytes of a line: many times the longest answer, and little enough for any memory."""
_BATCH = 500


class Exported(NamedTuple):
    """What became of an export.

    Attributes:
        written, scores: completions and scores in the file.
        lost: the rows that cannot be read; further ones may be gone without a trace.
        damage: what is wrong with the store, be it in a place that holds no row; empty if it is well.
    """

    written: int
    scores: int
    lost: list[Lost]
    damage: list[str]


def verify(path: Path) -> list[str]:
    """What is wrong with a store, also with one that cannot be opened. Raises `InputError` where there is none."""
    try:
        with Store(path, read_only=True) as store:
            return store.verify()
    except UnreadableError as error:
        return [error.message, *lost_rows(path)]


def export(path: Path, target: Path) -> Exported:
    """Writes all completions, and then all scores, with their requests as JSON lines, each ordered by key; of a damaged store
    what can be read.

    Raises:
        InputError: there is no store; or `target` is the store, or a file that no export wrote.
        OSError: the file cannot be written.
    """
    damage = verify(path)
    _check_target(path, target)
    if not damage:
        with Store(path, read_only=True) as store:
            return Exported(*_write(store, target), [], [])
    lost: list[Lost] = []
    with Store(None) as saved:
        saved.put_many(_noting(salvaged(path), lost.append))
        return Exported(*_write(saved, target), lost, damage)


def _noting(found: Iterator[AnyEntry | Lost], note: Callable[[Lost], None]) -> Iterator[AnyEntry]:
    for item in found:
        if isinstance(item, Lost):
            note(item)
        else:
            yield item


def _all(store: Store) -> Iterator[AnyEntry]:
    return chain(store.entries(), store.score_entries())


def _answers(store: Store, entries: Sequence[AnyEntry]) -> dict[bytes, Completion | Scored]:
    """What the store has for the requests of these entries."""
    keys = [key_of(entry.request) for entry in entries]
    return {**store.get_many(keys), **store.get_scores(keys)}


def _write(store: Store, target: Path) -> tuple[int, int]:
    """Gives how many completions and scores there were."""
    written = scores = 0
    with files.replacing(target) as file:
        for entry in _all(store):
            file.write(files.dump_line(entry_json(entry)))
            scores += isinstance(entry, ScoreEntry)
            written += isinstance(entry, Entry)
    return written, scores


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


class Imported(NamedTuple):
    """What became of an import.

    Attributes:
        added, scores: completions and scores that were new.
        kept: requests to which the store had another answer, which stays.
    """

    added: int
    scores: int
    kept: int


def load(run: RunDirectory, source: Path) -> Imported:
    """Adds what is in an exported file to a run's store, all of them or none; what is there already stays.

    Raises:
        InputError: a line is none of an export, or contradicts an earlier one; nothing was written.
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
            before = len(store), store.scores
            store.put_many(_contradicting(store, _all(read), kept.append))
            return Imported(len(store) - before[0], store.scores - before[1], len(kept))


def _check_repeated(store: Store, batch: Sequence[tuple[int, AnyEntry]], source: Path) -> None:
    there = _answers(store, [entry for _, entry in batch])
    for number, entry in batch:
        if there[key_of(entry.request)] != entry.answer:
            what = f"{source}:{number}: another answer to a request that an earlier line has"
            raise InputError(what, "leave one of the two lines out")


def _contradicting(store: Store, entries: Iterator[AnyEntry], note: Callable[[bytes], None]) -> Iterator[AnyEntry]:
    """The entries, each of which is noted where the store has another answer to its request."""
    while batch := list(islice(entries, _BATCH)):
        there = _answers(store, batch)
        for entry in batch:
            key = key_of(entry.request)
            if there.get(key, entry.answer) != entry.answer:
                note(key)
            yield entry


def read_entries(path: Path) -> Iterator[AnyEntry]:
    """The entries of an exported JSONL file.

    Raises:
        InputError: a line is none of an export.
    """
    return (entry for _, entry in _numbered(path))


def _numbered(path: Path) -> Iterator[tuple[int, AnyEntry]]:
    hint = "an import takes what `lidr store export` wrote, whole or not at all"
    number = 0
    try:
        with path.open("rb") as file:
            while line := file.readline(_LONGEST + 1):
                number += 1
                if len(line) > _LONGEST:
                    raise ValueError(f"longer than {_LONGEST >> 20} MB")
                if not line.isspace():
                    yield number, entry_of(orjson.loads(line))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        why = f": {error}" if isinstance(error, ValueError) else ""
        raise InputError(f"{path}:{number}: not a line of `lidr store export`{why}", hint) from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", hint) from None
