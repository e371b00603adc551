"""The small world: after a round its model is right more often, and a server gives its answers."""

import json
import subprocess
import sysconfig
from pathlib import Path

import pytest

from tests.support.child import PATIENCE
from tests.support.trained import ROOT, environment, once

WORLD = ROOT / "examples/world"
ROUND = ("rounds=1", "max_prompts=500", "train.learning_rate=5.0e-6")


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
    """A folder in which `experiment.py` made a small round."""

    def make(folder: Path) -> None:
        command = [str(with_torch(train_python, folder / "venv")), str(WORLD / "experiment.py"), "run", *ROUND]
        done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]

    return once(tmp_path_factory, "small world", make)


@pytest.mark.train
def test_a_round_makes_both_weak_languages_better_and_the_dominant_one_no_worse(world: Path) -> None:
    found = json.loads((world / "run/result.json").read_text())
    change = found["changes"]["M0 to M1"]["problems"]
    for code in ("de", "es"):
        _, low, _ = change[code]
        assert low > 0, change
    _, _, high = change["en"]
    assert high >= 0, change


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
