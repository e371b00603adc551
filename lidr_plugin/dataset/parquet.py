"""A dataset as Parquet files, as a Hub and its viewer like them best."""

import importlib.util
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from lidr_plugin import files
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.messages import message_row
from lidr_plugin.dataset.views import rows_of
from lidr_plugin.errors import InputError
from lidr_plugin.run_directory import RunDirectory

_ROWS_A_FILE = 100_000
_ROWS_A_GROUP = 5_000
"""In memory at once."""


def check_parquet() -> None:
    """Raises `InputError` where Parquet cannot be written."""
    if importlib.util.find_spec("pyarrow") is None:
        raise InputError("Parquet needs pyarrow", "pip install 'lidr[parquet]'")


def write_parquet(run: RunDirectory, config: Config, count: int) -> None:
    """Writes a dataset of so many rows again, as `train-00000-of-000NN.parquet` beside it; those of an earlier one go."""
    for path in run.data.glob("train-[0-9]*-of-[0-9]*.parquet"):
        path.unlink()
    plain = rows_of(run, config.alpaca_name)
    rows: Iterator[Mapping[str, object]] = plain if config.dataset_format == "alpaca" else map(message_row, plain)
    write_rows(run.data, rows, count)


def write_rows(folder: Path, rows: Iterator[Mapping[str, object]], count: int) -> list[Path]:
    """Writes so many rows as `train-00000-of-000NN.parquet` into a folder; all have the columns of the first."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    of, written = -(-count // _ROWS_A_FILE), []
    turns = pyarrow.list_(pyarrow.struct({"role": pyarrow.string(), "content": pyarrow.string()}))
    for number in range(of):
        left = islice(rows, _ROWS_A_FILE)
        group = list(islice(left, _ROWS_A_GROUP))
        schema = pyarrow.schema(
            [(column, pyarrow.string() if isinstance(x, str) else turns) for column, x in group[0].items()]
        )
        written.append(folder / f"train-{number:05}-of-{of:05}.parquet")
        with (
            files.replacing(written[-1]) as file,
            ParquetWriter(file, schema, compression="zstd") as writer,
        ):
            while group:
                writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))
                group = list(islice(left, _ROWS_A_GROUP))
    return written
