"""A vLLM server that lidr starts: it is stopped whatever happens, and its own words are shown."""

import asyncio
import json
import re
import signal
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import lidr_plugin
from lidr_plugin.completions.engines import servers
from lidr_plugin.completions.engines.purpose import Purpose
from lidr_plugin.completions.engines.servers import Vllm, arguments
from lidr_plugin.completions.models import policy_of
from lidr_plugin.completions.requests import Chat, Completion, Message, Sampling
from lidr_plugin.config.engine import EngineSettings
from lidr_plugin.errors import EngineError, RequestError
from lidr_plugin.machine import hub
from tests.conftest import Lidr, prompts, write_config, write_prompts
from tests.support import vllm_server
from tests.support.child import PATIENCE, started, until
from tests.support.vllm_server import process_of

REQUEST = Chat("w", (Message("user", "hello"),), Sampling(0.0, 1.0, 100, 1.1, 42, False), row="1 [en]")


def vllm(folder: Path, behave: str = "well", **changes: Any) -> Vllm:
    given = {"max_retries": 0, "startup_timeout": 60, **changes, "args": {"behave": behave, **changes.get("args", {})}}
    config = EngineSettings(backend="vllm", python=vllm_server.interpreter(folder), **given)
    log = folder / "logs" / "vllm.log"
    return Vllm(
        config, model=str(folder), revision="main", trust_remote_code=False, log=log, purpose=Purpose("model", 100)
    )


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause before a server is started again."""
    monkeypatch.setattr(servers, "_PAUSES", (0.0, 0.0, 0.0))


@pytest.fixture(autouse=True)
def on_a_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a GPU, with 20 GiB free; and a mark by which the server's process is found."""
    monkeypatch.setenv("LIDR_TEST", str(tmp_path))
    monkeypatch.delenv("VLLM_CPU_KVCACHE_SPACE", raising=False)
    monkeypatch.setattr(servers, "has_gpu", lambda: False)
    monkeypatch.setattr(servers, "free_memory", lambda: 20 << 30)


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
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
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
) -> None:
    if environment:
        monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", environment)
    log = log_of_a_start(tmp_path, **changes)
    assert f"with a cache of {size} GiB" in log
    assert "max-num-seqs" not in log
    assert not capsys.readouterr().err


def test_too_little_memory_is_said_before_a_server_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "free_memory", lambda: 3 << 30)
    with pytest.raises(EngineError, match="one sequence of 32,768 tokens"):
        log_of_a_start(tmp_path)
    assert not (tmp_path / "logs/vllm.log").exists()


def test_a_server_on_gpus_sizes_its_own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_a_cpu: None) -> None:
    monkeypatch.setattr(servers, "has_gpu", lambda: True)
    log = log_of_a_start(tmp_path)
    assert "with a cache of None GiB" in log
    assert "max-num-seqs" not in log


@pytest.mark.parametrize("args", [{}, {"dtype": "float32"}])
def test_a_server_is_told_the_commit_that_its_answers_are_stored_under(
    args: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "0123456789" * 4
    monkeypatch.setattr(hub, "commit", lambda *_, **__: commit)
    engine = {"backend": "vllm", "python": vllm_server.interpreter(tmp_path), "args": args}
    short = {"generation": {"max_tokens": 9}, "translation": {"max_tokens": 9}, "output_dir": str(tmp_path)}
    config = lidr_plugin.configure(
        model_name_or_path="ns/model", languages=["de"], prompts="{language}", engine=engine, **short
    )
    policy = policy_of(config)

    async def start() -> None:
        async with policy.engine:
            pass

    asyncio.run(start())
    assert policy.identity.startswith(f"ns/model@{commit}")
    assert f"--model ns/model --served-model-name policy --revision {commit}" in (tmp_path / "vllm.log").read_text()


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


def at_work(
    folder: Path, behave: str, *, at: int = 3, requests: int = 8, **changes: Any
) -> list[Completion | BaseException]:
    """What eight requests at once come to, on a server that behaves so in its lives."""

    async def ask() -> list[Completion | BaseException]:
        args = {"at": at, "lives": str(folder / "lives")}
        async with vllm(folder, behave, args=args, **changes) as engine:
            chats = [REQUEST._replace(messages=(Message("user", f"number {n}"),)) for n in range(requests)]
            return await asyncio.gather(*map(engine.complete, chats), return_exceptions=True)

    found = asyncio.run(ask())
    assert process_of(folder) is None
    return found


@pytest.mark.parametrize(("behave", "retries"), [("fall", 0), ("error", 5), ("hang", 0), ("hang", 5), ("freeze", 0)])
def test_a_server_that_dies_or_hangs_at_work_is_started_again_and_nothing_is_lost(
    behave: str, retries: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], at_once: None
) -> None:
    found = at_work(tmp_path, f"{behave},{behave},well", timeout=1.5, max_retries=retries)
    assert found == [Completion("fine", "stop", 3, 1)] * 8
    log, said = (tmp_path / "logs/vllm.log").read_text(), capsys.readouterr().err
    assert len(re.findall(r"serving on", log)) == 3, "all three lives are in the log"
    assert len(re.findall(r"the vLLM server .*: it is started again in 0 s \(\d of 3 times\)", said)) == 2
    what = {
        "fall": "ended with status 3",
        "error": "is not well",
        "hang": "no answer for 1.5 s",
        "freeze": "no answer for",
    }
    assert what[behave] in said


def test_what_was_answered_is_not_asked_again(tmp_path: Path, at_once: None) -> None:
    async def one_after_another() -> None:
        async with vllm(tmp_path, "fall,well", args={"at": 6, "lives": str(tmp_path / "lives")}) as engine:
            for number in range(8):
                await engine.complete(REQUEST._replace(messages=(Message("user", f"number {number}"),)))

    asyncio.run(one_after_another())
    asked = re.findall(r"asked: number (\d)", (tmp_path / "logs/vllm.log").read_text())
    assert asked == [*"012345", *"567"]


@pytest.mark.parametrize("behave", ["fall", "error", "hang", "fall,die"])
def test_one_that_dies_again_and_again_ends_the_run_with_its_last_words(
    behave: str, tmp_path: Path, at_once: None
) -> None:
    found = at_work(tmp_path, behave, at=1, timeout=1)
    assert {type(error) for error in found} == {EngineError}
    (text,) = {str(error) for error in found}
    assert "after 3 restarts in this run. The end of " in text
    assert "serving on" in text
    assert all("the same command goes on" in error.hint for error in found if isinstance(error, EngineError))


def test_a_request_without_an_answer_is_its_own_fault_where_others_have_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def ask() -> list[Completion | BaseException]:
        async with vllm(tmp_path, "mute", args={"at": 1}, timeout=2) as engine:

            async def again_and_again() -> Completion:
                for _ in range(20):
                    await asyncio.sleep(0.15)
                    answer = await engine.complete(REQUEST)
                return answer

            return await asyncio.gather(engine.complete(REQUEST), again_and_again(), return_exceptions=True)

    mute, other = asyncio.run(ask())
    assert isinstance(mute, RequestError)
    assert other == Completion("fine", "stop", 3, 1)
    assert "started again" not in capsys.readouterr().err


@pytest.mark.parametrize("behave", ["fall,never", "fall,well"])
def test_an_interrupt_during_a_restart_leaves_no_server(
    behave: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "_PAUSES", (0.0 if "never" in behave else 60.0,))

    async def interrupted() -> None:
        args = {"at": 1, "lives": str(tmp_path / "lives")}
        async with vllm(tmp_path, behave, args=args) as engine:
            asking = asyncio.create_task(engine.complete(REQUEST))
            log = tmp_path / "logs/vllm.log"
            while log.read_text().count("serving on") < (2 if "never" in behave else 1) or process_of(tmp_path):
                if log.read_text().count("serving on") == 2:
                    break
                await asyncio.sleep(0.05)
            asking.cancel()
            await asking

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(interrupted())
    assert process_of(tmp_path) is None


def run_config(folder: Path, behave: str, **args: Any) -> Path:
    """A run on a server that behaves so in its lives."""
    model = folder / "model"
    model.mkdir(exist_ok=True)
    (model / "config.json").write_text(json.dumps(CONFIG))
    write_prompts(folder, prompts(10))
    (folder / "lives").unlink(missing_ok=True)
    given = {"behave": behave, "lives": str(folder / "lives"), **args}
    engine = {"backend": "vllm", "python": vllm_server.interpreter(folder), "concurrency": 2, "args": given}
    short = {"generation__max_tokens": 9, "translation": {"max_tokens": 9, "retries": 0}}
    return write_config(folder, model_name_or_path=str(model), engine=engine, **short)


def test_a_run_whose_server_cannot_be_kept_alive_ends_with_1_and_the_same_command_asks_only_for_the_rest(
    tmp_path: Path, lidr: Lidr, at_once: None
) -> None:
    done = lidr("build-pairs", run_config(tmp_path, "fall", at=6))
    assert done.returncode == 1
    assert "error: the vLLM server ended with status 3, after 3 restarts in this run. The end of " in done.stderr
    assert "the same command goes on from there" in done.stderr
    first = (tmp_path / "run/vllm.log").read_text()
    again = lidr("build-pairs", run_config(tmp_path, "well"))
    assert again.returncode == 0, again.stderr
    report = json.loads((tmp_path / "run/report.json").read_text())
    assert report["completions"]["reused"] >= 4 * 5, "each life answered five"
    asked = (tmp_path / "run/vllm.log").read_text().count("asked: ")
    assert asked == report["completions"]["generated"]
    assert first.count("asked: ") >= 4 * 6


def test_ctrl_c_during_a_restart_ends_with_130_and_leaves_no_server(tmp_path: Path) -> None:
    config, log = run_config(tmp_path, "fall,never", at=3), tmp_path / "run/vllm.log"
    child = started(tmp_path, "build-pairs", config)
    until(lambda: log.exists() and log.read_text().count("serving on") == 2, child)
    child.send_signal(signal.SIGINT)
    said = child.communicate(timeout=PATIENCE)[1].decode()
    assert child.returncode == 130, said
    assert "it is started again in 1 s (1 of 3 times)" in said
    assert process_of(tmp_path) is None


def test_arguments_are_as_the_command_line_has_them() -> None:
    given = {"tensor_parallel_size": 8, "enforce_eager": True, "prefix": False, "x": None, "a": [1, 2], "b": {"c": 1}}
    line = "--tensor-parallel-size 8 --enforce-eager --no-prefix --a 1 2 --b".split()
    assert arguments(given) == [*line, '{"c": 1}']
