"""Shards where disks are not shared: their completions and what they came to, in `shards_dir`."""

from collections.abc import Iterator
from contextlib import contextmanager

from lidr_plugin.completions.parts import Parts, copied
from lidr_plugin.completions.store import Store
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.ownership import record
from lidr_plugin.machine.places import Place
from lidr_plugin.run_directory import RunDirectory

_PARTS = "completions"


def _results(run: RunDirectory) -> list[str]:
    """The files of a finished shard beside its `data/`; what says that it is finished is the last."""
    there = [run.config, run.train_yaml, run.report_json, run.report_html, run.report_md, run.candidates_json]
    return [path.name for path in (*there, run.rejected, record(run), run.shard_json)]


def brought(config: Config) -> None:
    """Brings the finished shards of a run here that are finished elsewhere alone.

    Raises:
        RunError: `shards_dir` does not answer.
    """
    if config.shards_dir is None:
        return
    place, top = Place.at(config.shards_dir), RunDirectory.of(config.output_dir, None)
    for folder in place.names():
        number, _, of = folder.partition("-of-")
        if number.isdecimal() and of.isdecimal():
            bring(config, top.shard(int(number), int(of)))


def bring(config: Config, run: RunDirectory) -> None:
    """Brings one shard here, if it is finished elsewhere and not here. Raises as `brought`."""
    if config.shards_dir is None or run.shard_json.exists():
        return
    place, folder = Place.at(config.shards_dir), run.path.name
    there = place.names(folder)
    if run.shard_json.name in there:
        data = [f"{run.data.name}/{name}" for name in place.names(f"{folder}/{run.data.name}")]
        for name in (*data, *(name for name in _results(run) if name in there)):
            place.download(f"{folder}/{name}", run.path / name)


def leave(config: Config, run: RunDirectory) -> None:
    """Copies a finished shard there, if it is not there yet. Raises as `brought`."""
    if config.shards_dir is None:
        return
    place, folder = Place.at(config.shards_dir), run.path.name
    if run.shard_json.name not in place.names(folder):
        data = sorted(f"{run.data.name}/{path.name}" for path in run.data.iterdir() if path.is_file())
        for name in (*data, *_results(run)):
            if (run.path / name).exists():
                place.upload(run.path / name, f"{folder}/{name}")


@contextmanager
def store_of(config: Config, run: RunDirectory, *, part: bool) -> Iterator[Store]:
    """The store of a run; that of a shard is copied where `shards_dir` says."""
    if not part or config.shards_dir is None:
        with Store(run.store) as store:
            yield store
        return
    parts = Parts(Place.at(config.shards_dir), f"{run.path.name}/{_PARTS}")
    with copied(run.store, parts) as store:
        yield store
