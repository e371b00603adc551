"""What of a run goes to the Hub: its dataset, or its trained model, each with a card. `lidr push`."""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from lidr_plugin import files
from lidr_plugin.config.file import load
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.llamafactory import entry, read_info, rows_kind
from lidr_plugin.dataset.messages import message_row
from lidr_plugin.dataset.parquet import check_parquet, write_rows
from lidr_plugin.dataset.views import rows_of
from lidr_plugin.errors import InputError
from lidr_plugin.evaluation.results import read_results
from lidr_plugin.machine import hub
from lidr_plugin.machine.inputs import is_there, read_json
from lidr_plugin.rounds.cards import DatasetFacts, ModelFacts, dataset_card, model_card
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training.state import read_state

_DATASET = "lidr build-pairs"
_CARD = "README.md"
_UNSENT = ("training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth")
"""What a trainer leaves beside a model and nobody can use; the first has paths of this machine in it."""


class Upload(NamedTuple):
    """What goes where: contents, or files, by their places in the repository."""

    repository: str
    kind: hub.Kind
    files: Mapping[str, bytes | Path]
    dataset: str = ""
    """Its name for LLaMA-Factory; a model has none."""

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes, by place."""
        return {name: len(x) if isinstance(x, bytes) else x.stat().st_size for name, x in self.files.items()}


def dataset_of(run: RunDirectory, repository: str, folder: Path, *, license: str) -> Upload:
    """A run's dataset as Parquet, in both forms, with its card and LLaMA-Factory's entry.

    Args:
        folder: an empty one, for the Parquet files.

    Raises:
        InputError: there is no finished dataset, or no pyarrow.
    """
    config = _config(run)
    info = read_info(run.dataset_info).get(config.alpaca_name)
    if info is None:
        raise InputError(f"{run.dataset_info}: no dataset {config.alpaca_name}", f"{_DATASET} makes it")
    kind, system = rows_kind(info), bool(config.generation.system)
    count = sum(1 for _ in rows_of(run, config.alpaca_name))
    if not count:
        raise InputError(f"{run.dataset(config.alpaca_name)}: no row is in it", "there is nothing to push")
    check_parquet()
    made: dict[str, bytes | Path] = {}
    for name, rows in (("data", rows_of(run, config.alpaca_name)), ("messages", _messages(run, config))):
        (folder / name).mkdir()
        made |= {f"{name}/{path.name}": path for path in write_rows(folder / name, rows, count)}
    named = entry("", kind, system=system)
    named.pop("file_name")
    facts = DatasetFacts(
        repository, license, config, kind, count, _report(run), list(islice(rows_of(run, config.alpaca_name), 1))
    )
    card = dataset_card(facts)
    told = files.dump_json({config.dataset_name: {"hf_hub_url": repository, **named}})
    return Upload(repository, "dataset", {_CARD: card.encode(), "dataset_info.json": told, **made}, config.dataset_name)


def model_of(run: RunDirectory, repository: str, *, license: str) -> Upload:
    """A run's trained model, with a card.

    Raises:
        InputError: nothing was trained, or it was not proved.
    """
    config, state = _config(run), read_state(run)
    if state is None or state.merge is None or not is_there(run.model / "config.json"):
        raise InputError(f"{run.model}: no trained model that lidr merged and proved", "lidr train makes it")
    if state.merge.broken:
        raise InputError(f"{run.model}: {state.merge.broken}", "train again: lidr train --restart")
    results = read_results(run.eval_results) if is_there(run.eval_results) else None
    found = {
        path.relative_to(run.model).as_posix(): path
        for path in sorted(run.model.rglob("*"))
        if path.is_file() and path.name not in _UNSENT and path.name != _CARD
    }
    card = model_card(ModelFacts(repository, license, config, state, results))
    return Upload(repository, "model", {_CARD: card.encode(), **found})


def _messages(run: RunDirectory, config: Config) -> Iterator[Mapping[str, object]]:
    return map(message_row, rows_of(run, config.alpaca_name))


def _config(run: RunDirectory) -> Config:
    """The configuration that a finished run was built with; a model's directory here is nobody else's business."""
    if not is_there(run.config):
        rounds = sorted(path.name for path in run.path.glob("iter*") if is_there(path / "config.json"))
        hint = f"name one of its rounds: {run.path / rounds[-1]}" if rounds else f"{_DATASET} makes a run"
        raise InputError(f"{run.path}: no finished run", hint)
    config = load(run.config, [])
    model = config.model_name_or_path
    return config.model_copy(update={"model_name_or_path": Path(model).name}) if hub.is_path(model) else config


def _report(run: RunDirectory) -> Mapping[str, Any]:
    found = read_json(run.report_json) if is_there(run.report_json) else {}
    return found if isinstance(found, dict) else {}
