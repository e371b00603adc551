"""A dataset as Parquet files, as a Hub and its viewer like them best."""

import importlib.util
from collections.abc import Iterator, Mapping
from itertools import islice

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
        raise InputError("--parquet needs pyarrow", "pip install 'lidr[parquet]'")


def write_parquet(run: RunDirectory, config: Config, count: int) -> None:
    """Writes a dataset of so many rows again, as `train-00000-of-000NN.parquet` beside it; those of an earlier one go."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    for path in run.data.glob("train-[0-9]*-of-[0-9]*.parquet"):
        path.unlink()
    plain, of = rows_of(run, config.alpaca_name), -(-count // _ROWS_A_FILE)
    rows: Iterator[Mapping[str, object]] = plain if config.dataset_format == "alpaca" else map(message_row, plain)
    turns = pyarrow.list_(pyarrow.struct({"role": pyarrow.string(), "content": pyarrow.string()}))
    for number in range(of):
        left = islice(rows, _ROWS_A_FILE)
        group = list(islice(left, _ROWS_A_GROUP))
        schema = pyarrow.schema(
            [(column, pyarrow.string() if isinstance(x, str) else turns) for column, x in group[0].items()]
        )
        with (
            files.replacing(run.data / f"train-{number:05}-of-{of:05}.parquet") as file,
            ParquetWriter(file, schema, compression="zstd") as writer,
        ):
            while group:
                writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))
                group = list(islice(left, _ROWS_A_GROUP))
