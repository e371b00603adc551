"""The datasets of a training: the run's own rows, and those of others that `train.dataset` names beside them."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lidr_plugin.dataset.llamafactory import read_info
from lidr_plugin.errors import InputError
from lidr_plugin.machine.inputs import is_there, opened


def names_in(settings: Mapping[str, Any]) -> list[str]:
    """The datasets that a recipe names, which LLaMA-Factory has in one text with commas."""
    return [name.strip() for name in str(settings["dataset"]).split(",") if name.strip()]


def own_name(settings: Mapping[str, Any], dataset_name: str) -> str:
    """The dataset whose rows lidr checks and counts: the run's, or the first where its rows are not trained on."""
    names = names_in(settings)
    return dataset_name if dataset_name in names else names[0]


def joined(dataset: str | Sequence[str]) -> str:
    """A dataset's name, or a list of names, as LLaMA-Factory takes them."""
    return dataset if isinstance(dataset, str) else ",".join(dataset)


def check_others(settings: Mapping[str, Any], own: str) -> None:
    """Makes sure that LLaMA-Factory will find the datasets beside the run's own.

    Raises:
        InputError: one has no entry in `dataset_info.json`, its file is not there, or its rows are of another kind.
    """
    folder = Path(settings["dataset_dir"])
    info, wanted = read_info(folder / "dataset_info.json"), settings["stage"] == "dpo"
    for name in names_in(settings):
        entry = info.get(name)
        if name == own:
            continue
        if not isinstance(entry, Mapping):
            known = ", ".join(sorted(info)) or "nothing"
            raise InputError(
                f"train.dataset: {name} has no entry in {folder / 'dataset_info.json'}, which has {known}",
                "add one; lidr keeps the entries of others (docs/training.md has an example)",
            )
        file = entry.get("file_name")
        if isinstance(file, str) and not (folder / file).exists():
            raise InputError(f"train.dataset: {name}: {folder / file}: no such file", "correct its entry's file_name")
        if bool(entry.get("ranking")) != wanted:
            kinds = ("pairs", "SFT rows") if wanted else ("SFT rows", "pairs")
            raise InputError(
                f"train.dataset: {name} has {kinds[1]}, and {own} has {kinds[0]}: LLaMA-Factory trains on one kind at a time",
                f"name a dataset of {kinds[0]}",
            )


def digests_of_others(settings: Mapping[str, Any], own: str) -> dict[str, str | None]:
    """By name the SHA-256 of every other dataset's file; None for what is no single file there."""
    folder = Path(settings["dataset_dir"])
    info = read_info(folder / "dataset_info.json")
    found: dict[str, str | None] = {}
    for name in names_in(settings):
        if name != own:
            entry = info.get(name)
            path = folder / str(entry.get("file_name", "")) if isinstance(entry, Mapping) else folder
            found[name] = None
            if is_there(path) and path.is_file():
                with opened(path) as file:
                    found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
