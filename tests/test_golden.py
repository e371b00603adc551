"""What version 0.1 made of the quickstart, and its store: results that were right keep their bytes."""

import gzip
import json
from pathlib import Path

import pytest

import lidr_plugin as lidr
from lidr_plugin.completions.store import Store

GOLDEN = Path(__file__).parent / "golden"
QUICKSTART = Path(__file__).resolve().parents[1] / "examples/quickstart/lidr.yaml"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder with the store that version 0.1 wrote."""
    (tmp_path / "completions.sqlite").write_bytes(gzip.decompress((GOLDEN / "completions.sqlite.gz").read_bytes()))
    return tmp_path


def test_the_quickstart_is_byte_for_byte_that_of_version_0_1_and_nothing_is_asked(run: Path) -> None:
    # Version 0.1 did not look at what a translation loses, and some of these lost much.
    built = lidr.build_pairs(lidr.load(QUICKSTART, f"output_dir={run}", "filters.fidelity=false"))
    assert (run / "data/quickstart.jsonl").read_bytes() == (GOLDEN / "quickstart.jsonl").read_bytes()
    assert (run / "rejected.jsonl").read_bytes() == (GOLDEN / "rejected.jsonl").read_bytes()
    expected = json.loads((GOLDEN / "report.json").read_bytes())
    assert {key: built.report[key] for key in expected} == expected
    written = json.loads((run / "report.json").read_bytes())
    assert {key: written[key] for key in expected} == expected
    assert built.report["completions"] == {"generated": 0, "reused": 320, "failed": 0}


def test_a_store_of_version_0_1_is_well(run: Path) -> None:
    with Store(run / "completions.sqlite") as store:
        assert len(store) == 319
        assert store.verify() == []
