"""A dataset that `lidr build-pairs` made, and its training with `lidr train`, for the tests of the real thing."""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from lidr_plugin.machine.environments import home
from tests.conftest import Lidr, prompts, rows_of, write_config, write_prompts
from tests.support.child import PATIENCE
from tests.support.inside import in_process
from tests.support.server import FakeServer, running

ROOT = Path(__file__).resolve().parents[2]
QUICK = {
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
"""The environment of a training of a tiny model: one thread each, for the tests run side by side."""

CHECKPOINT = Path(os.environ.get("LIDR_TEST_MODEL") or home() / "test-model")
"""A real chat model of 0.6B parameters, where there is one."""

SMALL: dict[str, Any] = {"cutoff_len": 512, "preprocessing_num_workers": 1, "plot_loss": False}


LOUD: dict[str, Any] = {"learning_rate": 1.0e-3, "warmup_ratio": 0.0, "max_steps": 2, "global_batch_size": 4}
"""A training that changes a tiny model for all to see, in two steps."""


@contextmanager
def alone(factory: pytest.TempPathFactory, name: str) -> Iterator[Path]:
    """Keeps the other workers of a test run out of a block of this name; yields the folder that they share."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield root


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that is made for all workers of a test run by the first that asks for it."""
    with alone(factory, name) as root:
        folder, made = root / name, root / f"{name}.made"
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            made.touch()
    return folder


def anywhere(*arguments: str | Path, env: Mapping[str, str] | None = None) -> Any:
    """As the fixture `lidr`, for fixtures that outlive a test."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in (env or {}).items():
            patched.setenv(name, value)
        return in_process(*map(str, arguments))


def in_train(python: Path, script: str, *arguments: str | Path) -> Any:
    """Runs a script of tests/in_train and returns what it found."""
    env = {**environment(), "PYTHONPATH": str(ROOT)}
    command = [str(python), "-m", f"tests.in_train.{script}", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=ROOT, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = [line for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    return json.loads(found[-1][6:]) if found else None


def build(folder: Path, lidr: Lidr, model: Path, count: int = 12, **changes: Any) -> Path:
    """A configuration whose dataset is built."""
    write_prompts(folder, prompts(count))
    with running(FakeServer()) as url:
        config = write_config(
            folder,
            engine__base_url=url,
            engine__model="fake",
            model_name_or_path=str(model),
            **{"template": "qwen3_nothink", "train": {"method": "lora"}, **changes},
        )
        done = lidr("build-pairs", config)
    assert done.returncode == 0, done.stderr
    return config


def train(lidr: Lidr, config: Path, run: Path | None = None, status: int = 0, **settings: Any) -> str:
    """`lidr train` with the given `train:` keys; its standard error."""
    env = settings.pop("env", {})
    given = {**SMALL, **settings}
    overrides = [f"train.{key}={json.dumps(value)}" for key, value in given.items()]
    if run:
        overrides.append(f"output_dir={json.dumps(str(run))}")
    done = lidr("train", config, *overrides, env={**QUICK, **env})
    assert done.returncode == status, done.stderr + done.stdout
    return str(done.stderr)


def same_data(run: Path, other: Path) -> Path:
    """Another run with the dataset of the first."""
    shutil.copytree(run / "data", other / "data")
    return other


def losses(run: Path, folder: str = "checkpoint") -> list[float]:
    """The loss of every step that was logged."""
    lines = (run / folder / "trainer_log.jsonl").read_text().splitlines()
    return [row["loss"] for row in map(json.loads, lines) if "loss" in row]


def recipe(run: Path) -> dict[str, Any]:
    """`train.yaml`."""
    loaded: dict[str, Any] = yaml.safe_load((run / "train.yaml").read_text())
    return loaded


def state(run: Path) -> dict[str, Any]:
    """`train.json`."""
    loaded: dict[str, Any] = json.loads((run / "train.json").read_text())
    return loaded


def environment() -> dict[str, str]:
    """For a child that is no lidr."""
    return {**os.environ, **QUICK}


def pretend(folder: Path, lidr_home: Path) -> dict[str, str]:
    """A run with a dataset, and an environment whose LLaMA-Factory does nothing: for what is told before it is started."""
    bin_ = lidr_home / "envs/train/bin"
    bin_.mkdir(parents=True)
    for name in ("python", "llamafactory-cli"):
        (bin_ / name).touch(0o755)
    (folder / "run/data").mkdir(parents=True)
    (folder / "run/data/demo.jsonl").write_text("{}\n")
    return {"LIDR_HOME": str(lidr_home), "CUDA_VISIBLE_DEVICES": ""}


def assert_loads(python: Path, model: Path, run: Path, name: str, system: str = "") -> None:
    """LLaMA-Factory reads back exactly what was written, with the recipe that lies beside it."""
    (found,) = loaded(python, model, run)
    assert_read_back(found, run, name, system)


def loaded(python: Path, model: Path, *runs: Path) -> Any:
    """The datasets of runs as LLaMA-Factory reads them, with the recipes that lie beside them."""
    return in_train(python, "load_dataset", model, *(run / "train.yaml" for run in runs))


def assert_read_back(found: Mapping[str, Any], run: Path, name: str, system: str = "") -> None:
    """What was read is exactly what was written."""
    pairs = rows_of(run / f"data/{name}.jsonl")
    assert pairs
    assert len(found["rows"]) == len(pairs)
    for row, pair in zip(found["rows"], pairs, strict=True):
        joined = "\n".join(part for part in (pair["instruction"], pair["input"]) if part)
        assert row["_prompt"] == [{"role": "user", "content": joined}]
        assert row["_response"] == [
            {"role": "assistant", "content": pair["chosen"]},
            {"role": "assistant", "content": pair["rejected"]},
        ]
        assert (row["_system"] or "") == system
    assert found["pref"] == ["sigmoid", 0.1, 1.0]
    assert found["batch"] == 16
