"""The files of a run that `lidr view` reads, finished or being written."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from lidr_plugin.errors import InputError
from lidr_plugin.machine.inputs import opened, read_json
from lidr_plugin.pages.view.items import Item, Side
from lidr_plugin.run_directory import RunDirectory

_ABOUT = ("expected", "correct", "accuracy", "off_target", "cut")
"""Marks of an answer that are shown beside it."""


class Source(NamedTuple):
    """A file as it was found.

    Attributes:
        inode: what stays when a finished file takes its name.
        lines: whether it has a row in each line and may grow; else it is part of an evaluation.
    """

    inode: int
    path: Path
    round: int
    size: int
    changed: int
    lines: bool


class Place(NamedTuple):
    """An item and where its line begins; `end`: where the next one does."""

    item: Item | None
    start: int
    end: int
    line: bytes


def rounds_of(top: RunDirectory) -> dict[int, RunDirectory]:
    """The rounds of a run by their numbers; a run without rounds is number 0."""
    numbers = sorted(int(path.name[4:]) for path in top.path.glob("iter*") if path.name[4:].isdecimal())
    return {number: top.round(number) for number in numbers} or {0: top}


def sources_of(top: RunDirectory) -> list[Source]:
    """All files that there are, in the order in which their items are shown."""
    found = []
    for number, run in rounds_of(top).items():
        for path in [*_datasets(run), *_rejected(run)]:
            found.append(_found(path, number, lines=True))
        for path in sorted(run.eval_results.parent.glob("*.json*")):
            if path.name.count(".") >= 3:  # label.benchmark.language.json
                found.append(_found(path, number, lines=False))
    return [source for source in found if source]


def _datasets(run: RunDirectory) -> Iterator[Path]:
    """The datasets, without the views of them that a training makes; of one that is not there what is being written."""
    names = {path.name for path in run.data.glob("*.jsonl")}
    for name in sorted(names):
        whole = name.removesuffix(".jsonl").removesuffix("_fitting").removesuffix("_dropped").removesuffix("_kto")
        if name == f"{whole}.jsonl" or f"{whole}.jsonl" not in names:
            yield run.data / name
    if not names:
        yield from _newest(run.data, ".*.jsonl.*.part")


def _rejected(run: RunDirectory) -> Iterator[Path]:
    if run.rejected.exists():
        yield run.rejected
    else:
        yield from _newest(run.path, ".rejected.jsonl.*.part")


def _newest(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern), key=lambda path: -(_stat(path) or os.stat_result([0] * 10)).st_mtime)[:1]


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:  # it has just gone
        return None


def _found(path: Path, round: int, *, lines: bool) -> Source | None:
    stat = _stat(path)
    return stat and Source(stat.st_ino, path, round, stat.st_size, stat.st_mtime_ns, lines)


def lines_from(path: Path, start: int) -> Iterator[tuple[int, int, bytes]]:
    """The whole lines of a file from a place on: where each begins and ends. The last may be half written, and is left."""
    with opened(path) as file:
        file.seek(start)
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield start, start + len(line), line
            start += len(line)


def line_at(path: Path, inode: int, start: int) -> bytes | None:
    """The line that begins at a place; None if the file is another one by now."""
    try:
        with opened(path) as file:
            if os.fstat(file.fileno()).st_ino != inode:
                return None
            file.seek(start)
            return file.readline()
    except InputError:
        return None


class _Answer(NamedTuple):
    """What one model answered to a question, as an evaluation wrote it down."""

    key: str
    prompt: str
    side: Side


def answers_of(sources: list[Source]) -> Iterator[Item]:
    """The answers of an evaluation: each question with those of all models. What cannot be read is left out."""
    questions: dict[tuple[int, str, str, str], list[_Answer]] = {}
    for source in sources:
        label, benchmark, language = source.path.name.rsplit(".", 3)[:3]
        for answer in _answers(source.path, label):
            questions.setdefault((source.round, benchmark, language, answer.key), []).append(answer)
    for (round, benchmark, language, key), found in questions.items():
        name = "prompts" if benchmark == "alpaca_eval" else benchmark
        id = "" if key == found[0].prompt else key
        sides = tuple([answer.side for answer in found])
        yield Item("answers", round, language, id, name, "", found[0].prompt, sides)


def _answers(path: Path, label: str) -> Iterator[_Answer]:
    for row in _rows(path):
        if isinstance(row.get("output"), str) and isinstance(row.get("instruction"), str):
            yield _Answer(row["instruction"], row["instruction"], Side(label, row["output"]))
        elif isinstance(row.get("answer"), str) and "id" in row:
            about = ", ".join(f"{name} {_shown(row[name])}" for name in _ABOUT if name in row)
            yield _Answer(str(row["id"]), "", Side(label, row["answer"], "", about))


def _shown(value: Any) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        whole = path.suffix == ".json"
        value = read_json(path) if whole else [orjson.loads(line) for _, _, line in lines_from(path, 0)]
    except (InputError, orjson.JSONDecodeError):
        return []
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
