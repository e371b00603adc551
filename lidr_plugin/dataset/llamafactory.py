"""LLaMA-Factory's files: a ranking dataset in JSON lines, its entry in `dataset_info.json`, and its card."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from lidr_plugin import files, languages
from lidr_plugin.errors import InputError
from lidr_plugin.methods.base import Drop, Preference


def pair_json(pair: Preference, system: str | None) -> dict[str, str]:
    """A pair as one row (contract, section 4); every value is text, as LLaMA-Factory's loader needs it."""
    row = {
        "id": pair.id,
        "language": pair.language,
        "instruction": pair.prompt.instruction,
        "input": pair.prompt.input,
        "chosen": pair.chosen.text,
        "rejected": pair.rejected.text,
        "chosen_source": pair.chosen_source,
        "rejected_source": pair.rejected_source,
    }
    return {**row, "system": system} if system else row


def rejection_json(rejection: Drop) -> dict[str, str]:
    """A rejected candidate as one row of `rejected.jsonl`; a text that was never written is empty."""
    candidate = rejection.candidate
    return {
        "id": candidate.id,
        "language": candidate.language,
        "reason": rejection.reason.value,
        "chosen": candidate.chosen.text,
        "rejected": candidate.rejected.text,
        "chosen_source": candidate.chosen_source,
        "rejected_source": candidate.rejected_source,
    }


def read_info(path: Path) -> dict[str, Any]:
    """The entries of a `dataset_info.json`; none if the file is not there.

    Raises:
        InputError: the file is no JSON object; lidr does not overwrite what it cannot read.
    """
    if not path.exists():
        return {}
    try:
        info = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise InputError(f"{path}: not valid JSON: {error}", "repair it or move it away") from None
    if not isinstance(info, dict):
        raise InputError(f"{path}: expected a JSON object", "repair it or move it away")
    return info


def entry(file_name: str, *, system: bool) -> dict[str, Any]:
    """The entry of a ranking dataset, with the columns named."""
    columns = {"prompt": "instruction", "query": "input", "chosen": "chosen", "rejected": "rejected"}
    if system:
        columns["system"] = "system"
    return {"file_name": file_name, "ranking": True, "columns": columns}


def merge_entry(path: Path, name: str, *, system: bool) -> None:
    """Puts the dataset's entry into `dataset_info.json` and leaves every other entry as it is."""
    info = read_info(path)
    files.write_json(path, {**info, name: entry(f"{name}.jsonl", system=system)})


def sft_entry(file_name: str, *, system: bool) -> dict[str, Any]:
    """The entry of a dataset of prompts and the one answer to learn, the chosen text."""
    columns = {"prompt": "instruction", "query": "input", "response": "chosen"}
    if system:
        columns["system"] = "system"
    return {"file_name": file_name, "columns": columns}


def card(*, name: str, model: str, dominant: str, pairs: Mapping[str, int], system: bool) -> str:
    """The dataset's README: what it is, how it came about, how it is used."""
    rows = "\n".join(f"| {languages.name_of(code)} (`{code}`) | {count:,} |" for code, count in pairs.items())
    extra = " and `system`" if system else ""
    return f"""---
configs:
- config_name: {name}
  data_files: {name}.jsonl
language: [{", ".join(pairs)}]
tags: [dpo, preference, multilingual, lidr]
---
# {name}

Preference pairs made by *Language Imbalance Driven Rewarding* (arXiv 2410.08964) from the answers of `{model}`, whose
dominant language is {languages.name_of(dominant)}. In each pair the chosen text began in the dominant language.

| language | pairs |
|---|---|
{rows}

Columns: `instruction`{extra} and `input` (the prompt), `chosen`, `rejected`; `id`, `language`, and the texts' origins in
`chosen_source` and `rejected_source` (`response:{dominant}` is an answer as the model gave it, `translation:{dominant}->xx`
the model's own translation of it).

With LLaMA-Factory: `dataset_dir` is this folder, `dataset: {name}`, `stage: dpo`. Its entry in `dataset_info.json` has
`ranking: true`. All texts are a model's, nobody has checked them, and the terms of that model hold for them.
"""
