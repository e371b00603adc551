"""The small world: its methods make a model that is right more often, their control does not, and a server gives its answers."""

import json
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import rows_of
from tests.support.child import PATIENCE
from tests.support.trained import ROOT, environment, once

WORLD = ROOT / "examples/world"
METHODS = ("imbalance", "alignment", "swapped")
SMALL = ("max_prompts=150", "train.learning_rate=4.0e-5", "--prompts", "150", "--held-out", "200")
"""Four times the usual rate for a third of the usual prompts moves the model as far."""


def with_torch(train_python: Path, folder: Path) -> Path:
    """An interpreter that has lidr, as this one, and transformers, as the train environment."""
    subprocess.run([str(train_python), "-m", "venv", "--without-pip", str(folder)], check=True, timeout=PATIENCE)
    (packages,) = folder.glob("lib/python*/site-packages")
    (theirs,) = train_python.parents[1].glob("lib/python*/site-packages")
    ours = sysconfig.get_path("purelib")
    (packages / "both.pth").write_text(f"{theirs}\nimport site; site.addsitedir({ours!r})\n")
    return folder / "bin/python"


@pytest.fixture(scope="session")
def world(train_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `methods.py` made a small round by each of three methods."""

    def make(folder: Path) -> None:
        command = [str(with_torch(train_python, folder / "venv")), str(WORLD / "methods.py"), "run", *METHODS, *SMALL]
        done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]

    return once(tmp_path_factory, "small world", make)


@pytest.fixture
def found(world: Path) -> dict[str, dict[str, Any]]:
    """What came of each method."""
    return {one["method"]: one for one in json.loads((world / "run/methods.json").read_text())}


def change(one: dict[str, Any], code: str) -> Any:
    """In right answers, in points, with its interval."""
    return one["changes"]["M0 to M1"]["problems"][code]


@pytest.mark.train
@pytest.mark.parametrize("method", ["imbalance", "alignment"])
def test_a_round_makes_both_weak_languages_better_and_the_dominant_one_no_worse(
    method: str, found: dict[str, dict[str, Any]]
) -> None:
    for code in ("de", "es"):
        _, low, _ = change(found[method], code)
        assert low > 0, found[method]["changes"]
    _, _, high = change(found[method], "en")
    assert high >= 0, found[method]["changes"]


@pytest.mark.train
def test_with_half_of_the_pairs_swapped_a_round_gains_less(found: dict[str, dict[str, Any]]) -> None:
    gains = {name: sum(change(found[name], code)[0] for code in ("de", "es")) for name in METHODS}
    assert gains["swapped"] < 2 / 3 * gains["imbalance"], gains


@pytest.mark.train
def test_each_method_has_rows_of_its_kind_and_says_what_it_asked_for(
    world: Path, found: dict[str, dict[str, Any]]
) -> None:
    rows = {name: rows_of(world / f"run/{name}/data/world.jsonl") for name in METHODS}
    assert all(row["output"] and "chosen" not in row for row in rows["alignment"])
    assert all(row["chosen"] and row["rejected"] for name in ("imbalance", "swapped") for row in rows[name])
    assert [row["chosen"] for row in rows["swapped"]] != [row["chosen"] for row in rows["imbalance"]]
    # An answer in each language and its translations: English's into both, theirs into English.
    assert found["imbalance"]["requests"] > 150 * 7 * 0.9
    # In English alone, and both its translations; imbalance had asked for all of them.
    assert found["alignment"]["requests"] == 450
    assert found["alignment"]["sent"] == 0
    assert all(found[name]["seconds"]["train"] > 0 for name in METHODS)


@pytest.mark.vllm
@pytest.mark.train
def test_m0_gives_a_vllm_server_the_answers_that_it_gives_transformers(
    checkpoint: Path, train_python: Path, tmp_path: Path
) -> None:
    command = [str(with_torch(train_python, tmp_path / "venv")), str(WORLD / "served.py"), "run", "--questions", "100"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    for found in json.loads((tmp_path / "run/served.json").read_text())["M0"].values():
        assert found["questions"] == 100
        assert abs(found["transformers"] - found["vllm"]) <= 1, found
        assert found["same"] >= 98, found
