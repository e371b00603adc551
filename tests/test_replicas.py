"""`engine.replicas`: several vLLM servers on one machine, each with its share of it, of which some may die."""

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import lidr_plugin
from lidr_plugin.completions.engines import servers
from lidr_plugin.completions.engines.purpose import Purpose
from lidr_plugin.completions.engines.replicas import Replicas
from lidr_plugin.completions.engines.servers import Vllm
from lidr_plugin.completions.requests import Chat, Completion, Message, Sampling
from lidr_plugin.config.engine import EngineSettings
from lidr_plugin.errors import EngineError
from lidr_plugin.machine import shares
from lidr_plugin.machine.gpus import Gpu
from tests.conftest import Lidr, files_of, prompts, write_config, write_prompts
from tests.support import vllm_server
from tests.support.vllm_server import process_of

REQUEST = Chat("w", (Message("user", "hello"),), Sampling(0.0, 1.0, 100, 1.1, 42, False), row="1 [en]")
FINE = Completion("fine", "stop", 3, 1)


@pytest.fixture(autouse=True)
def on_a_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with four cores, without a GPU, with 20 GiB free; no pause before a server is started again."""
    monkeypatch.setenv("LIDR_TEST", str(tmp_path))
    for name in ("VLLM_CPU_KVCACHE_SPACE", "VLLM_PORT", "CUDA_VISIBLE_DEVICES", "VLLM_CPU_OMP_THREADS_BIND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(servers, "has_gpu", lambda: False)
    monkeypatch.setattr(servers, "free_memory", lambda: 20 << 30)
    monkeypatch.setattr(servers, "_PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3})


def replicas(folder: Path, number: int, behave: str = "well", **changes: Any) -> Replicas:
    args = {"behave": behave, "lives": str(folder / "lives"), **changes.pop("args", {})}
    given = {"max_retries": 0, "startup_timeout": 60, "concurrency": 32, **changes, "args": args}
    config = EngineSettings(backend="vllm", python=vllm_server.interpreter(folder), replicas=number, **given)

    def make(settings: EngineSettings, log: Path) -> Vllm:
        purpose = Purpose("model", 100)
        return Vllm(settings, model=str(folder), revision="main", trust_remote_code=False, log=log, purpose=purpose)

    return Replicas(config, make, folder / "logs" / "vllm.log")


def answers(
    engine: Replicas, requests: int, *, until: Callable[[], bool] = lambda: True
) -> list[Completion | BaseException]:
    """What so many requests at once come to, and as many again until it has come to something."""

    async def ask() -> list[Completion | BaseException]:
        async with engine:
            found: list[Completion | BaseException] = []
            for _ in range(600):
                chats = [REQUEST._replace(messages=(Message("user", f"number {n}"),)) for n in range(requests)]
                found += await asyncio.gather(*map(engine.complete, chats), return_exceptions=True)
                if until():
                    return found
                await asyncio.sleep(0.1)
            raise AssertionError("it never came to that")

    return asyncio.run(ask())


def logs(folder: Path) -> list[str]:
    return [path.read_text() for path in sorted((folder / "logs").glob("vllm-*.log"))]


def told(log: str, name: str) -> str:
    """What a server's environment says."""
    found = re.search(rf"'{name}': '([^']*)'", log)
    return found[1] if found else ""


CONFIG = {"num_hidden_layers": 4, "num_attention_heads": 8, "hidden_size": 512, "max_position_embeddings": 32768}


def test_requests_are_spread_over_servers_that_share_the_machine_and_none_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    assert answers(replicas(tmp_path, 2), 20) == [FINE] * 20
    assert process_of(tmp_path) is None
    first, second = logs(tmp_path)
    assert first.count("asked: ") == second.count("asked: ") == 10, "by turns, as long as they are equally busy"
    assert [told(log, "VLLM_CPU_OMP_THREADS_BIND") for log in (first, second)] == ["0,1", "2,3"]
    assert int(told(second, "VLLM_PORT")) - int(told(first, "VLLM_PORT")) == 64
    assert all("--max-num-seqs 16" in log and "with a cache of 4 GiB" in log for log in (first, second))
    (line,) = capsys.readouterr().err.splitlines()
    assert "10.0 GiB of memory are free" in line
    assert "each of 2 servers has its share" in line


@pytest.fixture
def eight_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of none."""
    monkeypatch.setattr(servers, "has_gpu", lambda: True)
    monkeypatch.setattr(shares, "gpus", lambda _: [Gpu("A100", 80 << 30)] * 8)


def test_each_server_sees_gpus_of_its_own(tmp_path: Path, on_a_cpu: None, eight_gpus: None) -> None:
    changes = {"args": {"tensor_parallel_size": 2}, "env": {"CUDA_VISIBLE_DEVICES": "4,5,6,7"}}
    assert answers(replicas(tmp_path, 2, **changes), 2) == [FINE] * 2
    assert [told(log, "CUDA_VISIBLE_DEVICES") for log in logs(tmp_path)] == ["4,5", "6,7"]
    assert not any("VLLM_CPU_OMP" in log for log in logs(tmp_path))


def test_the_gpus_are_those_that_lidr_sees_by_number_or_by_name(eight_gpus: None) -> None:
    assert shares.gpus_for(3, 2, {}) == ["0,1", "2,3", "4,5"]
    assert shares.gpus_for(2, 1, {"CUDA_VISIBLE_DEVICES": "GPU-aa, MIG-bb,"}) == ["GPU-aa", "MIG-bb"]


def test_where_nobody_knows_the_gpus_they_are_taken_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "gpus", lambda _: [])
    assert shares.gpus_for(2, 2, {}) == ["0,1", "2,3"]


@pytest.mark.parametrize(("visible", "hint"), [("0,1,2", "engine.replicas=1"), ("0,-1", "one server"), ("", "one")])
def test_too_few_gpus_are_told_before_anything_is_started(
    visible: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_a_cpu: None, eight_gpus: None
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with pytest.raises(EngineError, match=r"2 servers of 2 GPUs want 4, and \d (is|are) visible here") as raised:
        answers(replicas(tmp_path, 2, args={"tensor_parallel_size": 2}), 1)
    assert hint in raised.value.hint
    assert not (tmp_path / "logs").exists()


def test_more_workers_than_cores_are_bound_to_none() -> None:
    assert shares.cores_for(2, 2) == ["0|1", "2|3"]
    assert shares.cores_for(3, 1) == ["0", "1", "2,3"]
    assert shares.cores_for(5, 1) == ["nobind"] * 5


def starts(folder: Path) -> int:
    """How often a server was started."""
    return sum(log.count("serving on") for log in logs(folder))


@pytest.mark.parametrize("behave", ["fall", "hang"])
def test_what_a_server_that_dies_had_no_time_for_the_others_answer_and_it_is_started_again(
    behave: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = replicas(tmp_path, 2, f"well,{behave},well", args={"at": 3}, timeout=1.5)
    assert set(answers(engine, 12, until=lambda: starts(tmp_path) == 3)) == {FINE}
    assert process_of(tmp_path) is None
    said = capsys.readouterr().err
    assert len(re.findall(r"it is started again in 0 s \(1 of 3 times\); \S+/vllm-[01]\.log has", said)) == 1


def test_a_server_that_is_beyond_three_restarts_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = ""

    def left_out() -> bool:
        nonlocal said
        said += capsys.readouterr().err
        return "in this run: 1 of 2 go on without it" in said

    assert set(answers(replicas(tmp_path, 2, "well,fall,die,die,die"), 4, until=left_out)) == {FINE}
    assert "the vLLM server did not start: it ended with status 1, after 3 restarts" in said


def test_the_run_ends_when_no_server_is_left(tmp_path: Path) -> None:
    found = answers(replicas(tmp_path, 2, "fall,fall,die"), 6)
    assert {type(error) for error in found} == {EngineError}
    assert "after 3 restarts in this run. The end of " in str(found[0])
    assert process_of(tmp_path) is None


def test_a_server_that_does_not_start_ends_all_of_them(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="did not start: it ended with status 1"):
        answers(replicas(tmp_path, 2, "well,die"), 1)
    assert process_of(tmp_path) is None


def test_an_interrupt_while_one_is_being_started_again_leaves_no_server(tmp_path: Path) -> None:
    async def interrupted() -> None:
        async with replicas(tmp_path, 2, "well,fall,never") as engine:
            await asyncio.gather(*(engine.complete(REQUEST) for _ in range(8)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(interrupted())
    assert process_of(tmp_path) is None


def test_the_number_of_servers_changes_no_byte_and_asks_nothing_again(
    tmp_path: Path, lidr: Lidr, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lidr_plugin.dataset.parity.trained_by", lambda _: None)  # nothing is trained
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    write_prompts(tmp_path, prompts(4))
    engine = {"backend": "vllm", "python": vllm_server.interpreter(tmp_path), "concurrency": 4}
    short = {"generation__max_tokens": 9, "translation": {"max_tokens": 9, "retries": 0}}
    config = write_config(tmp_path, model_name_or_path=str(tmp_path), engine={**engine, "replicas": 2}, **short)
    done = lidr("build-pairs", config)
    assert done.returncode == 0, done.stderr
    before = files_of(tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run").glob("*.log")) == ["vllm-0.log", "vllm-1.log"]
    again = lidr("build-pairs", config, "engine.replicas=1")
    assert again.returncode == 0, again.stderr
    assert json.loads((tmp_path / "run/report.json").read_text())["completions"]["generated"] == 0
    assert files_of(tmp_path / "run") == before


@pytest.mark.parametrize("given", [{"base_url": "http://127.0.0.1:1/v1"}, {"backend": "transformers"}])
def test_replicas_of_what_lidr_does_not_start_are_refused(given: Mapping[str, Any]) -> None:
    with pytest.raises(lidr_plugin.InputError, match="they belong to backend vllm"):
        lidr_plugin.configure(model_name_or_path="m", languages=["de"], prompts="x", engine={**given, "replicas": 2})


def test_a_worker_of_a_cluster_wants_the_gpus_of_all_its_servers() -> None:
    assert EngineSettings(replicas=4, args={"tensor-parallel-size": 2}).gpus == 8
