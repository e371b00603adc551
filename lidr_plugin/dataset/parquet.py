"""A dataset as Parquet files, as a Hub and its viewer like them best."""

import importlib.util
from itertools import islice

from lidr_plugin import files
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


def write_parquet(run: RunDirectory, name: str, count: int) -> None:
    """Writes a dataset of so many rows again, as `train-00000-of-000NN.parquet` beside it; those of an earlier one go."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    for path in run.data.glob("train-[0-9]*-of-[0-9]*.parquet"):
        path.unlink()
    rows, of = rows_of(run, name), -(-count // _ROWS_A_FILE)
    for number in range(of):
        left = islice(rows, _ROWS_A_FILE)
        group = list(islice(left, _ROWS_A_GROUP))
        schema = pyarrow.schema([(column, pyarrow.string()) for column in group[0]])
        with (
            files.replacing(run.data / f"train-{number:05}-of-{of:05}.parquet") as file,
            ParquetWriter(file, schema, compression="zstd") as writer,
        ):
            while group:
                writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))
                group = list(islice(left, _ROWS_A_GROUP))
