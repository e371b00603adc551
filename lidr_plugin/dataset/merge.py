"""Puts the shards of a run together, in order: the bytes of the run that has none."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from lidr_plugin import files
from lidr_plugin.completions.progress import Meter, Tally
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset import ownership
from lidr_plugin.dataset.build import describe, retire_configuration
from lidr_plugin.dataset.counts import Counts
from lidr_plugin.dataset.llamafactory import read_info, rows_kind
from lidr_plugin.dataset.marks import read_marks
from lidr_plugin.dataset.rows import RowJson, row_of
from lidr_plugin.dataset.shards import AGAIN, Made, Shard, read_made, settings_of
from lidr_plugin.dataset.writer import DatasetWriter
from lidr_plugin.errors import InputError, RunError
from lidr_plugin.machine.inputs import opened, read_lines, read_record
from lidr_plugin.methods.base import Outcome, Row
from lidr_plugin.run_directory import RunDirectory

_BLOCK = 1 << 20
"""Bytes of a shard's dataset that are in memory at once, and the rest of a row."""


class Finished(NamedTuple):
    """A finished shard: where it lies, what it was made of, and what its `report.json` says."""

    run: RunDirectory
    made: Made
    report: dict[str, Any]


class Merged(NamedTuple):
    """What a run, or its shards put together, came to.

    Attributes:
        reasons: each in words, in the order in which the page shows them.
        marks: how many of `lidr view` were honoured, by their kind.
    """

    counts: Counts
    meter: Meter
    reasons: Mapping[str, str]
    marks: Mapping[str, int]


def finished_shards(config: Config, command: str) -> list[Finished]:
    """All shards of a run, in order.

    Args:
        command: builds a shard, but for its `--shard K/N`.

    Raises:
        InputError: one is missing, unfinished, or made of something else than the others or than the configuration says.
    """
    top = RunDirectory.of(config.output_dir, config.store)
    of = _number_of_shards(top, command)
    shards = [Shard(number, of) for number in range(of)]
    found = {shard: read_made(top.shard(*shard)) for shard in shards}
    todo = [shard for shard, made in found.items() if made is None]
    if todo:
        there = {shard: top.shard(*shard).path.exists() for shard in todo}
        problems = [f"shard {shard} is {'not finished' if there[shard] else 'missing'}" for shard in todo]
        commands = "\n".join(f"{command} --shard {shard}" for shard in todo[:10])
        raise InputError.of(problems, str(top.shards), commands)
    made = [x for x in found.values() if x is not None]
    check_made(config, dict(zip(shards, made, strict=True)), made[0].models)
    _check_prompts(top, made)
    runs = [top.shard(*shard) for shard in shards]
    return [Finished(run, one, _report(run)) for run, one in zip(runs, made, strict=True)]


def check_made(config: Config, made: Mapping[Shard, Made], models: Mapping[str, str]) -> None:
    """Raises `InputError` where a finished shard was made with other settings, models or marks, each named with old and new."""
    top = RunDirectory.of(config.output_dir, config.store)
    settings, marks = settings_of(config), read_marks(top.marks).digest
    problems = [
        f"shard {shard}: {line}"
        for shard, one in made.items()
        for line in one.changed(replace(one, settings=settings, models=dict(models), marks=marks))
    ]
    if problems:
        hint = "set them back, or make the shards anew: remove the shard.json of each and run its command again"
        raise InputError.of(problems, str(top.shards), hint)


def numbers_of_shards(top: RunDirectory) -> set[int]:
    """Into how many shards the run was cut, by the folders that are there: more than one where runs are mixed up."""
    names = [path.name for path in top.shards.glob("*-of-*")] if top.shards.is_dir() else []
    return {int(of) for name in names for of in [name.rpartition("-")[2]] if of.isdecimal() and of.isascii()}


def _number_of_shards(top: RunDirectory, command: str) -> int:
    found = numbers_of_shards(top)
    if not found:
        raise InputError(f"{top.shards}: no shards", f"{command} --shard 0/2 and --shard 1/2, for example")
    if len(found) > 1:
        several = " and ".join(map(str, sorted(found)))
        raise InputError(f"{top.shards}: shards of {several}: those of which run?", "remove the folders of the others")
    return found.pop()


def _check_prompts(top: RunDirectory, made: list[Made]) -> None:
    """Whether the shards hold the same prompts, each of them once."""
    whole = made[0].first == 0 and made[-1].end == made[0].total
    if not whole or any(one.end != two.first or one.total != two.total for one, two in pairwise(made)):
        raise InputError(
            f"{top.shards}: the shards were made of other prompts, the one than the other",
            f"the prompt files changed in between; {AGAIN}",
        )


def _report(run: RunDirectory) -> dict[str, Any]:
    return read_record(dict[str, Any], run.report_json, AGAIN)


def rows_of_shards(config: Config, shards: list[Finished]) -> type[Row]:
    """What the shards' datasets hold."""
    return rows_kind(read_info(shards[0].run.dataset_info).get(config.alpaca_name))


def merge(config: Config, run: RunDirectory, shards: list[Finished]) -> Merged:
    """Writes dataset, entry, card and `rejected.jsonl` of a run from its shards; nothing but one row of them is in memory.

    Raises:
        RunError: what a shard holds is not what its report counted.
    """
    counts = Counts([entry.name for entry in config.mix_in])
    with files.replacing(run.rejected) as dropped, files.replacing(run.dataset(config.alpaca_name)) as dataset:
        writer = DatasetWriter(dataset)

        def keep(row: RowJson, position: int) -> None:
            writer.add(row)
            counts.add(Outcome(position, (row_of(row),), ()))

        def drop(row: RowJson, _: int) -> None:
            dropped.write(files.dump_line(row))
            counts.add_drop(row["language"], row["reason"])

        position = 0
        for shard in shards:
            path, kept = shard.run.dataset(config.alpaca_name), sum(shard.report["pairs"].values())
            if "ranking" not in shard.report and ownership.is_as_written(shard.run, config.alpaca_name):
                _copy(path, kept, writer)
                counts.add_rows_of(shard.report, position)
                position += kept
            else:
                position = _each(path, position, kept, keep)
            lost = sum(sum(counter.values()) for counter in shard.report["rejected"].values())
            _each(shard.run.rejected, position, lost, drop)
        counts.prompts = sum(shard.report["prompts"] for shard in shards)
        for shard in shards:  # the same in all that have rows
            counts.ranking.length_control |= shard.report.get("ranking", {}).get("length_control", {})
        ownership.note(run, config.alpaca_name, writer.close())
        retire_configuration(run, config)
    describe(run, config, rows_of_shards(config, shards), counts)
    marks: Counter[str] = Counter()
    for shard in shards:
        marks.update(shard.report["marks"])
    return Merged(counts, _meter(shards), shards[0].report["reasons"], marks)


def _copy(path: Path, wanted: int, writer: DatasetWriter) -> None:
    """Copies the rows of a shard's dataset that is as lidr wrote it."""
    number = 0
    with opened(path, AGAIN) as file:
        while lines := file.read(_BLOCK):
            lines += file.readline()
            number += lines.count(b"\n")
            writer.copy(lines)
    _check_number(path, number, wanted)


def _check_number(path: Path, number: int, wanted: int) -> None:
    if number != wanted:
        raise RunError(f"{path}: {number:,} rows, and its report counts {wanted:,}", AGAIN)


def _each(path: Path, position: int, wanted: int, take: Callable[[RowJson, int], None]) -> int:
    """Hands on every row of a shard's file with a number that tells its prompt from the others; returns the last one."""
    number, ident = 0, None
    for number, line in enumerate(read_lines(path, AGAIN), 1):
        try:
            row = orjson.loads(line)
            position += row["id"] != ident
            ident = row["id"]
            take(row, position)
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            raise RunError(f"{path}:{number}: damaged, or edited since lidr wrote it", AGAIN) from None
    _check_number(path, number, wanted)
    return position


def _meter(shards: list[Finished]) -> Meter:
    """The shards' completions, tokens and seconds together."""
    total: Counter[str] = Counter()
    for shard in shards:
        total.update(shard.report["completions"])
        total.update({f"{name} tokens": number for name, number in shard.report["tokens"].items()})
        total.update({f"{name} scores": number for name, number in shard.report["scores"].items()})
        total["seconds"] += shard.report["seconds"]
    return Meter(
        generated=total["generated"],
        reused=total["reused"],
        failed=total["failed"],
        scores=Tally(**{field.name: total[f"{field.name} scores"] for field in fields(Tally)}),
        prompt_tokens=total["prompt tokens"],
        completion_tokens=total["completion tokens"],
        started=time.monotonic() - total["seconds"],
    )
