"""Datasets made from the pairs for one training: the SFT baseline's rows, and the pairs that fit into `cutoff_len`."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from lidr_plugin import files
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.llamafactory import entry, read_info, sft_entry
from lidr_plugin.run_directory import RunDirectory

Row = dict[str, Any]


def rows_of(run: RunDirectory, name: str) -> Iterator[Row]:
    """The rows of a dataset in `data/`, in order."""
    with run.dataset(name).open("rb") as file:
        for line in file:
            yield orjson.loads(line)


def trained_on(config: Config, run: RunDirectory) -> str:
    """The name of the dataset that the method trains on; one that is no plain set of pairs is written now.

    The baseline "multilingual alignment" (paper, section 4.1) learns `t^{d->l}` as the answer to `x^l`: the chosen texts
    of the non-dominant languages.
    """
    if config.train.method != "sft_baseline":
        return config.dataset_name
    name = f"{config.dataset_name}_sft"
    rows = rows_of(run, config.dataset_name)
    _write(run, config, name, (row for row in rows if row["language"] != config.dominant_language))
    return name


def without(config: Config, run: RunDirectory, name: str, too_long: Iterable[int]) -> str:
    """Writes the dataset less the rows at these places, and those beside it with the reason `cutoff_len`."""
    places = frozenset(too_long)
    fitting = f"{name}_fitting"
    with files.replacing(run.data / f"{name}_dropped.jsonl") as dropped:
        rows = enumerate(rows_of(run, name))
        dropped.writelines(files.dump_line({**row, "reason": "cutoff_len"}) for at, row in rows if at in places)
    _write(run, config, fitting, (row for at, row in enumerate(rows_of(run, name)) if at not in places))
    return fitting


def _write(run: RunDirectory, config: Config, name: str, rows: Iterable[Row]) -> None:
    with files.replacing(run.dataset(name)) as file:
        file.writelines(map(files.dump_line, rows))
    made = sft_entry if config.train.method == "sft_baseline" else entry
    info = read_info(run.dataset_info)
    system = bool(config.generation.system)
    files.write_json(run.dataset_info, {**info, name: made(f"{name}.jsonl", system=system)})
