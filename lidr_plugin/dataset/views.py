"""A dataset's rows, read back, and datasets made of it: of those that fit into `cutoff_len`."""

from collections.abc import Iterable, Iterator

import orjson

from lidr_plugin import files
from lidr_plugin.config.methods import Stage
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.llamafactory import merge_entry, read_info, rows_kind
from lidr_plugin.dataset.rows import RowJson
from lidr_plugin.dataset.writer import DatasetWriter
from lidr_plugin.errors import InputError
from lidr_plugin.machine.inputs import read_lines
from lidr_plugin.methods.base import Preference
from lidr_plugin.run_directory import RunDirectory

_ANEW = "`lidr build-pairs` writes it anew; what is in the store is not asked again"
_TEXTS = ("instruction", "input", "chosen", "rejected", "output")


def rows_of(run: RunDirectory, name: str) -> Iterator[RowJson]:
    """The rows of a dataset in `data/`, in order.

    Raises:
        InputError: a line is no row, or the file cannot be read.
    """
    path = run.dataset(name)
    for number, line in enumerate(read_lines(path, _ANEW), 1):
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise InputError(f"{path}:{number}: not valid JSON: {error.msg}", _ANEW) from None
        if problem := _problem(row):
            raise InputError(f"{path}:{number}: {problem}", _ANEW)
        yield row


def _problem(row: object) -> str:
    """Why a line is no row; empty if it is one."""
    if not isinstance(row, dict):
        return f"expected an object, found a {type(row).__name__}"
    if "instruction" not in row or not ({"chosen", "rejected"} <= row.keys() or "output" in row):
        return "a row has instruction, and chosen and rejected or output"
    wrong = next((key for key in _TEXTS if not isinstance(row.get(key, ""), str)), None)
    return f"{wrong} is a {type(row[wrong]).__name__}, not text" if wrong else ""


def stage_on_disk(config: Config, run: RunDirectory) -> Stage:
    """LLaMA-Factory's stage for the dataset as it was built; for one that is not there yet, the method's.

    Raises:
        InputError: the configuration names a method that makes other rows.
    """
    entry = read_info(run.dataset_info).get(config.alpaca_name)
    if entry is None:
        return config.stage
    stage: Stage = "dpo" if rows_kind(entry) is Preference else "sft"
    if "method" in config.model_fields_set and stage != config.stage:
        there = "pairs" if stage == "dpo" else "SFT rows"
        raise InputError(
            f"{run.dataset(config.alpaca_name)}: holds {there}, which method: {config.method} does not make",
            "`lidr build-pairs` with this configuration makes the others; what is in the store is not asked again",
        )
    return stage


def without(config: Config, run: RunDirectory, name: str, too_long: Iterable[int]) -> str:
    """Writes the dataset less the rows at these places, and those beside it with the reason `cutoff_len`."""
    places = frozenset(too_long)
    fitting = f"{name}_fitting"
    with files.replacing(run.data / f"{name}_dropped.jsonl") as dropped:
        rows = enumerate(rows_of(run, name))
        dropped.writelines(files.dump_line({**row, "reason": "cutoff_len"}) for at, row in rows if at in places)
    with files.replacing(run.dataset(fitting)) as file:
        writer = DatasetWriter(file)
        for at, row in enumerate(rows_of(run, name)):
            if at not in places:
                writer.add(row)
        writer.close()
    kind = rows_kind(read_info(run.dataset_info)[name])
    merge_entry(run.dataset_info, fitting, kind, system=bool(config.generation.system))
    return fitting


def copies_of(run: RunDirectory, name: str) -> float:
    """How many rows there are for each pair, where pairs are written by their weight; 1 for every other dataset.

    What is wrong with the file is told where its rows are needed.
    """
    rows = pairs = 0
    last: RowJson | None = None
    try:
        for row in rows_of(run, name):
            if "weight" not in row:
                return 1.0
            rows += 1
            pairs += row != last
            last = row
    except InputError:
        return 1.0
    return rows / pairs if pairs else 1.0
