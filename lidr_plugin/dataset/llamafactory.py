"""LLaMA-Factory's files: a ranking dataset in JSON lines, its entry in `dataset_info.json`, and its card."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lidr_plugin import files
from lidr_plugin.config.presets import PRESETS
from lidr_plugin.config.schema import Config
from lidr_plugin.errors.terminal import inert
from lidr_plugin.machine.inputs import is_there, read_record
from lidr_plugin.methods.base import Preference, Row, Sft


def read_info(path: Path) -> dict[str, Any]:
    """The entries of a `dataset_info.json`; none if the file is not there.

    Raises:
        InputError: the file is no JSON object; lidr does not overwrite what it cannot read.
    """
    return read_record(dict[str, Any], path, "repair it or move it away") if is_there(path) else {}


def entry(file_name: str, rows: type[Row], *, system: bool) -> dict[str, Any]:
    """A dataset's entry, with the columns named: pairs are a ranking dataset."""
    columns = {"prompt": "instruction", "query": "input"}
    if rows is Preference:
        columns |= {"chosen": "chosen", "rejected": "rejected"}
    else:
        columns |= {"response": "output"}
    if system:
        columns["system"] = "system"
    return {"file_name": file_name, **({"ranking": True} if rows is Preference else {}), "columns": columns}


def rows_kind(entry: object) -> type[Row]:
    """What an entry's dataset holds; of an entry that is none, SFT rows, as LLaMA-Factory takes them for."""
    return Preference if isinstance(entry, Mapping) and entry.get("ranking") else Sft


def merge_entry(path: Path, name: str, rows: type[Row], *, system: bool) -> None:
    """Puts the dataset's entry into `dataset_info.json` and leaves every other entry as it is."""
    info = read_info(path)
    files.write_json(path, {**info, name: entry(f"{name}.jsonl", rows, system=system)})


def merge_tagged(path: Path, name: str, *, system: bool) -> None:
    """As `merge_entry`, for single texts of which the column `kto_tag` says whether they are wanted."""
    made = entry(f"{name}.jsonl", Sft, system=system)
    files.write_json(path, {**read_info(path), name: {**made, "columns": {**made["columns"], "kto_tag": "kto_tag"}}})


def card(config: Config, rows: type[Row], counts: Mapping[str, int]) -> str:
    """The dataset's README: what it is, how it came about, how it is used."""
    names = "\n".join(f"| {_code(config.name_of(code))} (`{code}`) | {count:,} |" for code, count in counts.items())
    pairs, messages = rows is Preference, config.dataset_format == "messages"
    about = _IMBALANCE if config.family == "imbalance" else _PAIRS if pairs else _SFT
    return _CARD.format(
        name=config.dataset_name,
        entry=_scalar(config.dataset_name),
        alpaca=config.alpaca_name,
        tags="dpo, preference" if pairs else "sft",
        about=about.format(method=config.method, paper=PRESETS[config.method].paper),
        model=_code(config.model_name_or_path),
        dominant=config.dominant_language,
        dominant_name=_code(config.name_of(config.dominant_language)),
        codes=", ".join(map(_scalar, counts)),
        what="pairs" if pairs else "rows",
        rows=names,
        columns=(_MESSAGES if messages else _ALPACA)[rows is Sft].format(
            extra=" and `system`" if config.generation.system else ""
        ),
        origins="`chosen_source` and `rejected_source`" if pairs else "`output_source`",
        stage="dpo" if pairs else "sft",
        ranking=" Its entry in `dataset_info.json` has `ranking: true`." if pairs else "",
        also=_ELSEWHERE if messages else "",
    )


def _scalar(text: str) -> str:
    """A text in the card's front matter, whose reader speaks YAML 1.1, where `no` is false and `123` a number."""
    return files.yaml_of({"x": text}).removeprefix("x: ").rstrip("\n")


def _code(text: str) -> str:
    """Foreign text within a line of the card: it ends neither the line nor `code`, nor a table's cell."""
    return " ".join(inert(text).split()).translate({ord("`"): "'", ord("|"): "/", ord("<"): "‹", ord(">"): "›"})


_IMBALANCE = (
    "Preference pairs made by *Language Imbalance Driven Rewarding* (arXiv 2410.08964): in each pair the chosen text began in\n"
    "the dominant language."
)
_PAIRS = "Preference pairs made by lidr's method `{method}` ({paper})."
_SFT = "Prompts with answers to imitate, made by lidr's method `{method}` ({paper})."
_ALPACA = (
    "`instruction`{extra} and `input` (the prompt), `chosen`, `rejected`",
    "`instruction`{extra} and `input` (the prompt), `output`",
)
_MESSAGES = ("`chosen` and `rejected`, each a whole conversation", "`messages`, a whole conversation")
_ELSEWHERE = """
TRL and axolotl read this form, and so does LLaMA-Factory's v1, pairs with `converter: pair`.
"""
_CARD = """\
---
configs:
- config_name: {entry}
  data_files: {name}.jsonl
language: [{codes}]
tags: [{tags}, multilingual, lidr]
---
# {name}

{about} The texts are those of `{model}`, whose dominant language is {dominant_name}.

| language | {what} |
|---|---|
{rows}

Columns: {columns}; `id`, `language`, and the texts' origins in {origins} (`response:{dominant}` is an answer as the model gave
it, `translation:{dominant}->xx` the translation of it).
{also}
With LLaMA-Factory: `dataset_dir` is this folder, `dataset: {alpaca}`, `stage: {stage}`.{ranking}
All texts are a model's, nobody has checked them, and the terms of that model hold for them.
"""
