"""A round in the small world: the model becomes right more often, and the one that is served is the one that was trained."""

import json
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from lidr_plugin.evaluation.intervals import Share
from lidr_plugin.evaluation.results import read_results
from lidr_plugin.machine.environments import python_of
from tests.support.child import PATIENCE
from tests.support.trained import ROOT, alone, anywhere, environment, once

WORLD = ROOT / "examples/world"
MODELS = {"M0": "runs/worlds/usual/m0", "M1": "run/iter1/model"}
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


def shares(results: Path) -> dict[tuple[str, str], float]:
    """By model and language, the right answers."""
    found: dict[tuple[str, str], float] = {}
    for label, by_skill in read_results(results).results.items():
        for code, marks in by_skill["problems"].items():
            share = marks["accuracy"]
            assert isinstance(share, Share)
            found[label, code] = share.share
    return found


@pytest.mark.train
@pytest.mark.vllm
def test_vllm_and_transformers_answer_as_the_same_model(world: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    if python_of("vllm") is None:
        pytest.skip("no vllm environment: lidr env create vllm")
    args = {"max_num_seqs": 64, "enforce_eager": True, "max_model_len": 512, "dtype": "float32"}
    settings: dict[str, Any] = {
        "engine": {"backend": "vllm", "concurrency": 128, "args": args},
        "eval.models": {label: str(world / path) for label, path in MODELS.items()},
        "eval.skills": {"problems": str(world / "runs/worlds/usual/held_out/{language}.jsonl")},
        "prompts": str(world / "runs/worlds/usual/prompts/{language}.jsonl"),
        "model_name_or_path": str(world / MODELS["M0"]),
        "output_dir": str(world / "served"),
    }
    with alone(tmp_path_factory, "vllm"):
        done = anywhere("eval", WORLD / "lidr.yaml", *(f"{key}={json.dumps(value)}" for key, value in settings.items()))
    assert done.returncode == 0, done.stderr[-3000:]
    served, here = shares(world / "served/eval/results.json"), shares(world / "run/eval/results.json")
    assert served.keys() == here.keys()
    for key, share in served.items():
        assert share == pytest.approx(here[key], abs=0.01), key
