"""Fixtures: a run's folder with prompts and a configuration, and the `lidr` command as a child process."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from lidr_plugin.machine.environments import python_of
from tests.support.child import LIDR, PATIENCE
from tests.support.inside import in_process

# No test asks the real Hub. Those that ask one of their own do it in a child: huggingface_hub reads its settings once.
os.environ["HF_HUB_OFFLINE"] = "1"

# As on a terminal, for the tests and all that they start: a parent in the background hands these down as ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# No test measures time: on a busy machine, Hypothesis' limits of a case and of making cases would fail what is right.
hypothesis_settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("patient")

LANGUAGES = ("en", "de", "es", "fr")
SHARED = Path(__file__).resolve().parents[2] / "shared"


LONG = ("vllm", "train", "eval")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What starts a server, a training or a harness comes first: begun last, it would leave the other worker with nothing to do."""
    items.sort(
        key=lambda item: next((place for place, name in enumerate(LONG) if item.get_closest_marker(name)), len(LONG))
    )


@pytest.fixture
def shared() -> Path:
    """The folder with real data; tests that want it skip where it is absent."""
    if not (SHARED / "data").is_dir():
        pytest.skip("../shared/data is not there: no real prompts to read")
    return SHARED


@pytest.fixture(scope="session")
def train_python() -> Path:
    """The interpreter that has LLaMA-Factory."""
    python = python_of("train")
    if python is None:
        pytest.skip("no train environment: lidr env create train")
    return python


@pytest.fixture(scope="session")
def eval_python() -> Path:
    """The interpreter that has the lm-evaluation-harness."""
    python = python_of("eval")
    if python is None:
        pytest.skip("no eval environment: lidr env create eval")
    return python


@pytest.fixture(scope="session")
def tiny(train_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random chat model, in a folder whose path has a space."""
    from tests.support.trained import in_train, once

    return once(tmp_path_factory, "tiny model", lambda folder: in_train(train_python, "make_model", folder))


@contextmanager
def _real_model(factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A real model for vLLM servers: the only one in this block, in an environment that says nothing of its memory."""
    from tests.support.trained import CHECKPOINT, alone

    if python_of("vllm") is None:
        pytest.skip("no vllm environment: lidr env create vllm")
    if not (CHECKPOINT / "config.json").exists():
        pytest.skip(f"no real checkpoint at {CHECKPOINT}")
    with pytest.MonkeyPatch.context() as patched, alone(factory, "vllm"):
        patched.delenv("VLLM_CPU_KVCACHE_SPACE", raising=False)
        yield CHECKPOINT


@pytest.fixture
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A real model for the servers of a test."""
    with _real_model(tmp_path_factory) as path:
        yield path


@pytest.fixture(scope="module")
def lasting_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A real model for a server that all tests of a module share; none of them asks for `checkpoint`, which waits for its end."""
    with _real_model(tmp_path_factory) as path:
        yield path


def prompts(count: int, languages: Sequence[str] = LANGUAGES) -> list[dict[str, str]]:
    """Prompts for the fake model, each in all languages."""
    return [{code: f"[{code}] Tell me about boat number {i}." for code in languages} for i in range(count)]


def write_prompts(folder: Path, rows: Sequence[Mapping[str, str]], **extra: Any) -> None:
    """One JSONL file a language, with the row's number as id."""
    (folder / "prompts").mkdir(parents=True, exist_ok=True)
    for code in rows[0]:
        lines = [
            json.dumps({"id": str(i), "instruction": row[code], **extra}, ensure_ascii=False)
            for i, row in enumerate(rows)
        ]
        (folder / "prompts" / f"{code}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def settings(folder: Path, **changes: Any) -> dict[str, Any]:
    """A configuration for the fake server; dotted changes as `engine__base_url`."""
    values: dict[str, Any] = {
        "model_name_or_path": "fake",
        "template": "qwen",
        "languages": ["de", "es", "fr"],
        "prompts": "prompts/{language}.jsonl",
        "engine": {"backend": "openai", "base_url": "http://127.0.0.1:9/v1", "concurrency": 16, "timeout": 20},
        "output_dir": str(folder / "run"),
        "dataset_name": "demo",
        # The fake model's translations are made up: nothing of their sources is in them.
        "filters": {"fidelity": False},
    }
    for name, value in changes.items():
        *sections, key = name.split("__")
        target = values
        for section in sections:
            target = target.setdefault(section, {})
        target[key] = value
    return values


def write_config(folder: Path, **changes: Any) -> Path:
    """`lidr.yaml` in `folder`."""
    path = folder / "lidr.yaml"
    path.write_text(yaml.safe_dump(settings(folder, **changes), allow_unicode=True), encoding="utf-8")
    return path


Lidr = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def lidr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lidr:
    """Runs the command in this process, in the test's folder: what it prints, and its exit status."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path, env: Mapping[str, str] | None = None) -> Any:
        with monkeypatch.context() as patched:
            for name, value in (env or {}).items():
                patched.setenv(name, value)
            return in_process(*map(str, arguments))

    return run


@pytest.fixture
def command(tmp_path: Path) -> Lidr:
    """Runs the command as users do, as a process of its own, in the test's folder."""

    def run(*arguments: str | Path, env: Mapping[str, str] | None = None) -> Any:
        words = [*LIDR, *map(str, arguments)]
        merged = {**os.environ, **(env or {})}
        return subprocess.run(
            words, capture_output=True, text=True, cwd=tmp_path, timeout=PATIENCE, check=False, env=merged
        )

    return run


def files_of(run: Path) -> dict[str, bytes]:
    """The bytes that a run promises: everything in `data/`, and `rejected.jsonl`."""
    found = {path.name: path.read_bytes() for path in sorted((run / "data").iterdir())}
    return {**found, "rejected.jsonl": (run / "rejected.jsonl").read_bytes()}


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSONL file."""
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]
