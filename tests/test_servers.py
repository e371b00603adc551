"""A vLLM server that lidr starts: it is stopped whatever happens, and its own words are shown."""

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from lidr_plugin.completions.engines import servers
from lidr_plugin.completions.engines.servers import Vllm, arguments
from lidr_plugin.completions.requests import Chat, Completion, Message, Sampling
from lidr_plugin.config.engine import EngineSettings
from lidr_plugin.errors import EngineError, RequestError, RunError
from tests.support import vllm_server

REQUEST = Chat("w", (Message("user", "hello"),), Sampling(0.0, 1.0, 100, 1.1, 42, False), row="1 [en]")


def vllm(folder: Path, behave: str = "well", **changes: Any) -> Vllm:
    given = {"max_retries": 0, "startup_timeout": 60, **changes, "args": {"behave": behave, **changes.get("args", {})}}
    config = EngineSettings(backend="vllm", python=vllm_server.interpreter(folder), **given)
    log = folder / "logs" / "vllm.log"
    return Vllm(config, model=str(folder), revision="main", trust_remote_code=False, log=log, max_tokens=100)


def process_of(folder: Path) -> int | None:
    """The server's process, by what its environment has that nobody else's has."""
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if (
                f"LIDR_TEST={folder}".encode() in path.read_bytes().split(b"\0")
                and int(path.parent.name) != os.getpid()
            ):
                return int(path.parent.name)
        except OSError:
            continue
    return None


@pytest.fixture
def on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a GPU, with 20 GiB free."""
    monkeypatch.delenv("VLLM_CPU_KVCACHE_SPACE", raising=False)
    monkeypatch.setattr(servers, "has_gpu", lambda: False)
    monkeypatch.setattr(servers, "free_memory", lambda: 20 << 30)


@pytest.fixture(autouse=True)
def marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIDR_TEST", str(tmp_path))


def test_it_answers_and_is_gone_afterwards(tmp_path: Path) -> None:
    async def ask() -> Completion:
        async with vllm(tmp_path, "well") as engine:
            assert process_of(tmp_path)
            return await engine.complete(REQUEST)

    assert asyncio.run(ask()) == Completion("fine", "stop", 3, 1)
    assert process_of(tmp_path) is None
    assert re.search(r"serving on \d+", (tmp_path / "logs/vllm.log").read_text())


CONFIG = {"num_hidden_layers": 4, "num_attention_heads": 8, "hidden_size": 512, "max_position_embeddings": 32768}


def log_of_a_start(folder: Path, **changes: Any) -> str:
    """What a server says that was started for a small model on a CPU."""
    (folder / "config.json").write_text(json.dumps(CONFIG))

    async def start() -> None:
        async with vllm(folder, **changes):
            pass

    asyncio.run(start())
    return (folder / "logs/vllm.log").read_text()


def test_a_server_on_a_cpu_gets_the_cache_that_the_run_needs_and_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], on_a_cpu: None
) -> None:
    log = log_of_a_start(tmp_path, concurrency=16)
    assert "--max-num-seqs 16" in log
    assert "with a cache of 4 GiB" in log
    (line,) = capsys.readouterr().err.splitlines()
    assert "a cache of 4 GiB (16 sequences of 32,768 tokens need 4.0 GiB; 20.0 GiB of memory are free" in line


@pytest.mark.parametrize(
    ("changes", "environment", "size"),
    [
        ({"env": {"VLLM_CPU_KVCACHE_SPACE": 7}}, "", "7"),
        ({"env": {"VLLM_CPU_KVCACHE_SPACE": "7"}}, "5", "7"),
        ({}, "5", "5"),
        ({"args": {"kv-cache-memory-bytes": 1000}}, "", "None"),
        ({"args": {"gpu_memory_utilization": 0.5}}, "", "None"),
    ],
)
def test_whoever_sets_the_cache_himself_is_not_talked_into_another(
    changes: Mapping[str, Any],
    environment: str,
    size: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    on_a_cpu: None,
) -> None:
    if environment:
        monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", environment)
    log = log_of_a_start(tmp_path, **changes)
    assert f"with a cache of {size} GiB" in log
    assert "max-num-seqs" not in log
    assert not capsys.readouterr().err


def test_too_little_memory_is_said_before_a_server_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_a_cpu: None
) -> None:
    monkeypatch.setattr(servers, "free_memory", lambda: 3 << 30)
    with pytest.raises(EngineError, match="one sequence of 32,768 tokens"):
        log_of_a_start(tmp_path)
    assert not (tmp_path / "logs/vllm.log").exists()


def test_a_server_on_gpus_sizes_its_own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_a_cpu: None) -> None:
    monkeypatch.setattr(servers, "has_gpu", lambda: True)
    log = log_of_a_start(tmp_path)
    assert "with a cache of None GiB" in log
    assert "max-num-seqs" not in log


async def enter(engine: Vllm) -> None:
    async with engine:
        raise AssertionError("it has started")


async def interrupt(engine: Vllm) -> None:
    task = asyncio.create_task(enter(engine))
    await asyncio.sleep(1)
    task.cancel()
    await task


@pytest.mark.parametrize(
    ("behave", "start", "error", "words"),
    [
        ("die", enter, EngineError, "it ended with status 1"),
        ("never", enter, EngineError, "not healthy after 3 s"),
        ("never", interrupt, asyncio.CancelledError, ""),
    ],
)
def test_a_start_that_fails_leaves_no_server(
    tmp_path: Path, behave: str, start: Callable[[Vllm], Awaitable[None]], error: type[BaseException], words: str
) -> None:
    async def run() -> None:
        await start(vllm(tmp_path, behave, startup_timeout=3))

    with pytest.raises(error, match=words or None) as raised:
        asyncio.run(run())
    assert process_of(tmp_path) is None
    if behave == "die":
        assert "No available memory for the cache blocks" in str(raised.value)
        assert "gpu_memory_utilization" in getattr(raised.value, "hint", "")


def test_a_server_that_dies_at_work_is_told_with_its_log(tmp_path: Path) -> None:
    async def ask() -> list[RunError]:
        errors = []
        async with vllm(tmp_path, "fall") as engine:
            while not errors or not isinstance(errors[-1], EngineError):
                try:
                    await engine.complete(REQUEST)
                except RunError as error:
                    errors.append(error)
                await asyncio.sleep(0.01)
        return errors

    first, *_, last = asyncio.run(ask())
    assert isinstance(first, RequestError)
    assert "it died with status 3" in last.message
    assert "serving on" in last.message


def test_arguments_are_as_the_command_line_has_them() -> None:
    given = {"tensor_parallel_size": 8, "enforce_eager": True, "prefix": False, "x": None, "a": [1, 2], "b": {"c": 1}}
    line = "--tensor-parallel-size 8 --enforce-eager --no-prefix --a 1 2 --b".split()
    assert arguments(given) == [*line, '{"c": 1}']
