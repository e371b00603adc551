"""A round in the small world: the model becomes right more often."""

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
