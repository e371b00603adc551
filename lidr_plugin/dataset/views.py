"""A dataset's rows, read back, and the dataset of those that fit into `cutoff_len`."""

from collections.abc import Iterable, Iterator

import orjson

from lidr_plugin import files
from lidr_plugin.config.methods import Stage
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.llamafactory import merge_entry, read_info, rows_kind
from lidr_plugin.dataset.rows import RowJson
from lidr_plugin.errors import InputError
from lidr_plugin.methods.base import Preference
from lidr_plugin.run_directory import RunDirectory


def rows_of(run: RunDirectory, name: str) -> Iterator[RowJson]:
    """The rows of a dataset in `data/`, in order."""
    with run.dataset(name).open("rb") as file:
        for line in file:
            yield orjson.loads(line)


def stage_on_disk(config: Config, run: RunDirectory) -> Stage:
    """LLaMA-Factory's stage for the dataset as it was built; for one that is not there yet, the method's.

    Raises:
        InputError: the configuration names a method that makes other rows.
    """
    entry = read_info(run.dataset_info).get(config.dataset_name)
    if entry is None:
        return config.stage
    stage: Stage = "dpo" if rows_kind(entry) is Preference else "sft"
    if "method" in config.model_fields_set and stage != config.stage:
        there = "pairs" if stage == "dpo" else "SFT rows"
        raise InputError(
            f"{run.dataset(config.dataset_name)}: holds {there}, which method: {config.method} does not make",
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
        file.writelines(files.dump_line(row) for at, row in enumerate(rows_of(run, name)) if at not in places)
    kind = rows_kind(read_info(run.dataset_info)[name])
    merge_entry(run.dataset_info, fitting, kind, system=bool(config.generation.system))
    return fitting
