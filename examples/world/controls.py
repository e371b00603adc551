"""Controls: the dataset of a run changed so that what a training gains from it cannot come from the language imbalance."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from lidr_plugin import files
from lidr_plugin.dataset import llamafactory
from lidr_plugin.run_directory import RunDirectory

Row = dict[str, Any]


def swapped(row: Row, chance: random.Random) -> Row:
    """In about half of the pairs, at random, chosen and rejected swapped: the same texts, and the direction is noise."""
    if chance.random() < 0.5:
        return row
    sides = ("chosen", "rejected"), ("rejected", "chosen")
    return {**row, **{f"{to}{end}": row[f"{of}{end}"] for to, of in sides for end in ("", "_source")}}


def own(row: Row, chance: random.Random) -> Row:
    """Chosen is the model's own answer in place of the translated one: what is left is training on what it says anyway."""
    answer = "rejected" if row["rejected_source"].startswith("response") else "chosen"
    return {**row, "chosen": row[answer], "chosen_source": row[f"{answer}_source"]}


def unchanged(row: Row, chance: random.Random) -> Row:
    """The pair as it is, for another training."""
    return row


def copied(source: Path, target: Path, name: str, change: Callable[[Row, random.Random], Row]) -> None:
    """The dataset of a run with every row changed, as one of another run."""
    run, other, chance = RunDirectory(source), RunDirectory(target), random.Random(42)
    with run.dataset(name).open("rb") as rows, files.replacing(other.dataset(name)) as file:
        for row in map(orjson.loads, rows):
            file.write(files.dump_line(change(row, chance)))
    files.write_json(other.dataset_info, llamafactory.read_info(run.dataset_info))
