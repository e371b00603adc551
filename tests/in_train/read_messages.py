"""Reads conversations with the code of TRL and of LLaMA-Factory v1, and rows in alpaca form with LLaMA-Factory's loader."""

import json
import sys
from pathlib import Path
from typing import Any

from datasets import load_dataset
from llamafactory.v1.plugins.data_plugins.converter import DataConverterPlugin
from trl.data_utils import is_conversational, maybe_extract_prompt

from tests.in_train.load_dataset import read

_SIDES = ("prompt", "chosen", "rejected", "messages")


def conversations(path: Path) -> dict[str, Any]:
    """The rows as both see them."""
    rows = list(load_dataset("json", data_files=str(path), split="train", cache_dir=str(path.parent / "cache")))
    assert all(is_conversational({key: row[key] for key in row if key in _SIDES}) for row in rows)
    trl = [maybe_extract_prompt(row) for row in rows]
    return {
        "trl": [{key: row[key] for key in _SIDES if key in row} for row in trl],
        "v1": [DataConverterPlugin("pair")(row) for row in rows] if "chosen" in rows[0] else [],
    }


def main(model: str, *places: str) -> None:
    found = {}
    for run, recipe in zip(places[::2], places[1::2], strict=True):
        found[run] = {**conversations(Path(run) / "data/demo.jsonl"), "v0": read(recipe, model)["rows"]}
    print("FOUND " + json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
