"""A real vLLM server on this machine: the README's command as it is written, and a worker that is killed and stopped."""

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lidr_plugin.completions.store import Store
from lidr_plugin.errors import LidrError
from lidr_plugin.machine.environments import python_of
from lidr_plugin.machine.gpus import has_gpu
from tests.conftest import prompts, write_config, write_prompts
from tests.support.child import LIDR, PATIENCE, started, until
from tests.support.trained import ROOT, alone, assert_loads, in_train

pytestmark = pytest.mark.vllm


def checkout(folder: Path) -> Path:
    """A copy of the checkout, whose `.venv` has the `lidr` that is tested."""
    unwanted = shutil.ignore_patterns(".git", ".venv", "runs", "__pycache__", ".*_cache", "*.egg-info", "build")
    copy = Path(shutil.copytree(ROOT, folder / "lidr", ignore=unwanted))
    command = copy / ".venv/bin/lidr"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec {shlex.join(LIDR)} "$@"\n')
    command.chmod(0o755)
    (copy / ".venv/.lidr").touch()
    return copy


def test_the_quickstart_with_a_model_works_as_the_readme_writes_it(
    checkpoint: Path, train_python: Path, tmp_path: Path
) -> None:
    (written,) = re.findall(r"^(make quickstart MODEL=)\S+( PROMPTS=4)", (ROOT / "README.md").read_text(), re.MULTILINE)
    copy = checkout(tmp_path)
    command = f"{written[0]}{shlex.quote(str(checkpoint))}{written[1]}"

    def make() -> str:
        done = subprocess.run(
            command, shell=True, cwd=copy, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stderr

    said, run = make(), copy / "runs/quickstart-model"
    assert not server_of(run), "the server and its children are gone"
    report = json.loads((run / "report.json").read_text())
    assert report["prompts"] == 4
    assert report["completions"]["failed"] == 0
    assert report["completions"]["generated"] >= 4 * 4
    assert sum(report["pairs"].values()) == len((run / "data/quickstart.jsonl").read_text().splitlines()) > 0
    assert report["tokens"]["completion"] > 1000
    assert (run / "report.html").exists()
    assert has_gpu() or re.search(r"vLLM on the CPU: a cache of \d+ GiB", said)
    assert_loads(train_python, checkpoint, run, "quickstart")
    make()
    assert json.loads((run / "report.json").read_text())["completions"]["generated"] == 0


def server_of(run: Path, log: str = "vllm.log") -> int:
    """The process group of the server that writes to the run's log."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(path / "fd/1") == str(run / log):
                return os.getpgid(int(path.name))
        except OSError:
            continue
    return 0


def worker_in(group: int) -> int:
    """The process that computes: the last one that the server started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            pid = int(path.parent.name)
            if os.getpgid(pid) == group and path.read_bytes().startswith((b"VLLM::Worker", b"VLLM::EngineCore")):
                found.append((b"Worker" in path.read_bytes(), pid))
        except OSError:
            continue
    return max(found)[1]


def completions_in(run: Path) -> int:
    """How many are stored; none while the store is being made."""
    with contextlib.suppress(LidrError), Store(run / "completions.sqlite", read_only=True) as store:
        return len(store)
    return 0


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_server_whose_worker_is_killed_and_then_stopped_is_started_again_and_the_run_ends_well(
    checkpoint: Path, shared: Path, tmp_path: Path
) -> None:
    args = {"max_num_seqs": 4, "enforce_eager": True, "max_model_len": 1024, "dtype": "bfloat16"}
    config = write_config(
        tmp_path,
        model_name_or_path=str(checkpoint),
        languages=["de"],
        prompts=str(shared / "data/alpagasus/{language}.jsonl"),
        max_prompts=5,
        engine={"backend": "vllm", "concurrency": 4, "timeout": 40, "args": args},
        generation__max_tokens=16,
        translation={"max_tokens": 24, "retries": 0},
    )
    run = tmp_path / "run"
    child = started(tmp_path, "build-pairs", config)
    until(lambda: completions_in(run) >= 2, child)
    os.kill(worker_in(server_of(run)), signal.SIGKILL)
    stored = completions_in(run)
    until(lambda: completions_in(run) >= stored + 3, child)
    os.kill(worker_in(server_of(run)), signal.SIGSTOP)
    said = child.communicate(timeout=PATIENCE)[1].decode()
    assert child.returncode == 0, said
    assert "it is started again in 1 s (1 of 3 times)" in said
    assert "the vLLM server gave no answer for 40 s: it is started again in 4 s (2 of 3 times)" in said
    report = json.loads((run / "report.json").read_text())
    assert report["completions"]["failed"] == 0
    assert report["completions"]["generated"] == completions_in(run)
    assert not server_of(run), "the last server is gone"


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_two_replicas_share_the_machine_and_one_that_is_killed_is_started_again(
    train_python: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if python_of("vllm") is None:
        pytest.skip("no vllm environment: lidr env create vllm")
    model, run, names = tmp_path / "model", tmp_path / "run", ["vllm-0.log", "vllm-1.log"]
    in_train(train_python, "make_model", model, "wide")
    write_prompts(tmp_path, prompts(60, ("en", "de")))
    args = {"max_num_seqs": 4, "enforce_eager": True, "max_model_len": 1024}
    config = write_config(
        tmp_path,
        model_name_or_path=str(model),
        languages=["de"],
        engine={"backend": "vllm", "replicas": 2, "concurrency": 8, "timeout": 60, "args": args},
        generation__max_tokens=16,
        translation={"max_tokens": 16, "retries": 0},
    )

    def answered() -> list[int]:
        return [(run / name).read_text().count("POST /v1/chat/completions") for name in names if (run / name).exists()]

    with alone(tmp_path_factory, "vllm"):
        child = started(tmp_path, "build-pairs", config)
        until(lambda: len(answered()) == 2 and min(answered()) > 8, child)
        os.killpg(server_of(run, names[1]), signal.SIGKILL)
        said = child.communicate(timeout=PATIENCE)[1].decode()
    assert child.returncode == 0, said
    assert "the vLLM server was killed by signal 9: it is started again in 1 s (1 of 3 times)" in said
    assert "each of 2 servers has its share of the memory" in said
    assert len(re.findall("a cache of", said)) == 1
    bound = [re.search(r"VLLM_CPU_OMP_THREADS_BIND='([^']*)'", (run / name).read_text()) for name in names]
    assert len({found and found[1] for found in bound}) == 2 or "nobind" in str(bound)
    report = json.loads((run / "report.json").read_text())
    assert report["completions"]["failed"] == 0
    assert report["completions"]["generated"] == completions_in(run)
    assert not any(server_of(run, name) for name in names), "both servers are gone"
