"""The examples that are not run as a whole: their configurations load, and their scripts do what they say."""

import subprocess
import sys
from pathlib import Path

import orjson

from lidr_plugin.config.file import load
from lidr_plugin.dataset.llamafactory import merge_entry, read_info
from lidr_plugin.files import dump_line
from lidr_plugin.methods.base import Preference
from lidr_plugin.run_directory import RunDirectory

EXPERIMENT = Path(__file__).resolve().parents[1] / "examples/experiment"


def test_the_experiments_configuration_loads() -> None:
    config = load(EXPERIMENT / "lidr.yaml", [])
    assert list(config.eval.models) == ["M0", "M1", "SFT", "swapped"]


def test_the_later_experiments_asks_for_less_of_the_same() -> None:
    config, later = (load(EXPERIMENT / name, []) for name in ("lidr.yaml", "again.yaml"))
    assert later.model_name_or_path == config.model_name_or_path
    assert later.generation.max_tokens < config.generation.max_tokens
    assert (later.train.learning_rate or 1.0) < (config.train.learning_rate or 0.0)


def test_the_control_swaps_about_half_of_the_pairs_and_keeps_every_text(tmp_path: Path) -> None:
    source, target = RunDirectory(tmp_path / "a"), RunDirectory(tmp_path / "b")
    rows = [
        {"id": str(n), "chosen": f"good {n}", "rejected": f"bad {n}", "chosen_source": "t", "rejected_source": "r"}
        for n in range(200)
    ]
    source.data.mkdir(parents=True)
    source.dataset("lidr").write_bytes(b"".join(map(dump_line, rows)))
    merge_entry(source.dataset_info, "lidr", Preference, system=False)
    merge_entry(source.dataset_info, "heldout", Preference, system=False)
    source.dataset("heldout").write_bytes(dump_line(rows[0]))
    command = [sys.executable, str(EXPERIMENT / "swapped.py"), str(source.path), str(target.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = [orjson.loads(line) for line in target.dataset("lidr").read_bytes().splitlines()]
    swapped = [row for row in found if row["chosen"].startswith("bad")]
    assert 70 < len(swapped) < 130
    assert done.stdout == f"{len(swapped)} pairs swapped\n"
    for before, after in zip(rows, found, strict=True):
        assert {before["chosen"], before["rejected"]} == {after["chosen"], after["rejected"]}
        assert (after["chosen_source"] == "t") is after["chosen"].startswith("good")
    assert read_info(target.dataset_info) == read_info(source.dataset_info)
    assert target.dataset("heldout").read_bytes() == source.dataset("heldout").read_bytes()
