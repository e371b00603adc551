"""`lidr build-pairs --ray`: workers that die are replaced, shards go on from their stores, and the bytes are the single run's."""

import asyncio
import json
import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import lidr_plugin as lidr_api
from lidr_plugin.completions.engines.held import Held
from lidr_plugin.completions.requests import Chat, Message, Sampling
from lidr_plugin.dataset.shards import Shard
from lidr_plugin.errors import InputError, RunError
from lidr_plugin.rounds.crew import Crew, Failure, Progress
from tests.conftest import Lidr, files_of, prompts, settings, write_config, write_prompts
from tests.support import vllm_server
from tests.support.child import PATIENCE, started, until
from tests.support.fake import Speaker
from tests.support.server import FakeServer, running

CLUSTER = {"workers": 2, "shards": 6, "cpus_per_worker": 0.5}


class Method:
    """A worker's method as Ray has it: asked, it gives a reference."""

    def __init__(self, name: str) -> None:
        self._name = name

    def remote(self, *_: Any) -> object:
        """A reference of its own."""
        return f"{self._name} {id(object())} {time.perf_counter_ns()}"


class Hand:
    """A worker that does nothing by itself."""

    def __init__(self) -> None:
        self.build, self.progress = Method("build"), Method("progress")


def crew_of(shards: int) -> Crew:
    """A crew that nobody belongs to yet."""
    return Crew(Hand, lambda worker: None, deque(Shard(number, shards) for number in range(shards)), 0)


def up(crew: Crew) -> None:
    """All that were being started are there."""
    for reference in [reference for reference, (_, shard) in crew.at.items() if shard is None]:
        crew.answered(reference, Progress())


def at_work(crew: Crew) -> dict[Shard, Any]:
    """By the shard, the reference of whoever is at it."""
    return {shard: reference for reference, (_, shard) in crew.at.items() if shard is not None}


def test_a_shard_is_given_to_those_who_are_there_and_never_waits_for_one_who_is_not() -> None:
    crew = crew_of(5)
    crew.hand_out(3)
    assert len(crew.at) == 3
    assert not at_work(crew)
    crew.answered(next(iter(crew.at)), Progress())
    crew.hand_out(3)
    assert list(at_work(crew)) == [Shard(0, 5)]
    for number in range(4):  # the two others never come, and one does it all
        crew.answered(at_work(crew)[Shard(number, 5)], None)
        crew.hand_out(3)
    crew.answered(at_work(crew)[Shard(4, 5)], None)
    assert crew.done == 5


def test_no_more_workers_are_started_than_there_is_work_or_room_and_more_when_room_comes() -> None:
    crew = crew_of(4)
    crew.hand_out(2)
    assert len(crew.workers) == 2
    crew.hand_out(9)
    assert len(crew.workers) == 4
    up(crew)
    crew.hand_out(9)
    assert len(crew.workers) == len(at_work(crew)) == 4


def test_the_shard_of_a_worker_that_died_is_the_next_to_be_handed_out() -> None:
    crew = crew_of(3)
    crew.hand_out(1)
    up(crew)
    crew.hand_out(1)
    crew.died(at_work(crew)[Shard(0, 3)], "node lost")
    crew.hand_out(1)
    up(crew)
    crew.hand_out(1)
    assert list(at_work(crew)) == [Shard(0, 3)]


def test_shards_that_wait_for_the_others_go_on_when_all_are_so_far() -> None:
    crew = crew_of(3)
    crew.hand_out(2)
    up(crew)
    waits = Failure("it waits", "", final=False, status=1, waits=True)
    crew.hand_out(2)
    crew.answered(at_work(crew)[Shard(0, 3)], waits)
    crew.hand_out(2)
    assert sorted(at_work(crew)) == [Shard(1, 3), Shard(2, 3)]
    crew.died(at_work(crew)[Shard(1, 3)], "node lost")
    crew.answered(at_work(crew)[Shard(2, 3)], None)
    crew.hand_out(2)
    assert list(at_work(crew)) == [Shard(1, 3)], "who waits is not asked again before"
    crew.answered(at_work(crew)[Shard(1, 3)], None)
    crew.hand_out(2)
    crew.answered(at_work(crew)[Shard(0, 3)], None)
    assert crew.done == 3
    assert not crew.tries


def test_what_no_further_try_can_change_ends_the_run_and_what_may_pass_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lidr_plugin.rounds.crew._PAUSE", 0.0)
    crew = crew_of(1)
    for number in range(4):
        crew.hand_out(1)
        up(crew)
        crew.hand_out(1)
        crew.answered(at_work(crew)[Shard(0, 1)], Failure(f"away {number}", "", False, 1))
    for failure, kind in ((Failure("away 4", "", False, 1), RunError), (Failure("bad key", "", True, 2), InputError)):
        fresh = crew if kind is RunError else crew_of(1)
        fresh.hand_out(1)
        up(fresh)
        fresh.hand_out(1)
        with pytest.raises(kind, match=failure.message):
            fresh.answered(at_work(fresh)[Shard(0, 1)], failure)


def test_a_cluster_on_which_no_worker_comes_up_ends_the_run() -> None:
    crew = crew_of(9)

    def fail_to_start() -> None:
        crew.hand_out(1)
        crew.died(next(iter(crew.at)), "No module named 'lidr_plugin'")

    for _ in range(4):
        fail_to_start()
    with pytest.raises(RunError, match="no worker starts: No module named 'lidr_plugin'"):
        fail_to_start()


class Counted(Speaker):
    """Counts how often it is opened and closed, and on which threads."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []

    async def __aenter__(self) -> Any:
        self.events.append(f"open {threading.get_ident()}")
        return await super().__aenter__()

    async def __aexit__(self, *_: object) -> None:
        self.events.append(f"close {threading.get_ident()}")


def test_an_engine_that_is_held_stays_open_from_shard_to_shard(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(6))
    values = settings(tmp_path, prompts=str(tmp_path / "prompts/{language}.jsonl"))
    config, inner = lidr_api.configure(**{**values, "engine": {}}), Counted()
    held = Held(inner, "fake")
    for number in range(3):
        lidr_api.build_pairs(config, shard=f"{number}/3", engine=held)
    held.close()
    assert [event.split()[0] for event in inner.events] == ["open", "close"]
    assert len({event.split()[1] for event in inner.events}) == 1
    assert held.answered == lidr_api.merge(config).report["completions"]["generated"] == len(inner.seen)


def test_whoever_waits_for_an_engine_that_is_closed_is_told() -> None:
    inner = Counted()
    inner._delay = lambda _: PATIENCE
    held = Held(inner, "fake")

    async def wait() -> None:
        async with held:
            asking = asyncio.create_task(
                held.complete(Chat("fake", (Message("user", "x"),), Sampling(0, 1, 1, 1, 0, False)))
            )
            await asyncio.sleep(0.1)
            held.close()
            with pytest.raises(asyncio.CancelledError):
                await asking

    asyncio.run(wait())
    assert inner.events[-1].startswith("close")


@pytest.mark.parametrize(
    ("words", "address"),
    [
        (["--ray"], "auto"),
        (["--ray", "local"], "local"),
        (["--ray", "10.0.0.1:6379"], "10.0.0.1:6379"),
        (["--ray=head:6379"], "head:6379"),
        (["--ray", "max_prompts=3"], "auto"),
    ],
)
def test_the_address_of_the_cluster_may_be_left_out(
    words: list[str], address: str, tmp_path: Path, lidr: Lidr, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    asked: list[str] = []

    def build(config: Any, address: str, *, command: str) -> Any:
        asked.append(address)
        raise RunError("so far, so good")

    monkeypatch.setattr("lidr_plugin.rounds.cluster.build_on_ray", build)
    config = write_config(tmp_path)
    for arguments in ([config, *words], *([[*words, config]] if "=" not in words[-1][6:] else [])):
        assert "so far, so good" in lidr("build-pairs", *arguments).stderr
    assert set(asked) == {address}


def test_ray_and_a_shard_are_not_both_to_be_had(tmp_path: Path, lidr: Lidr) -> None:
    done = lidr("build-pairs", write_config(tmp_path), "--ray", "--shard", "0/2")
    assert done.returncode == 2
    assert "--ray builds all shards" in done.stderr


@contextmanager
def working(run: Path) -> Iterator[Callable[[], list[int]]]:
    """Gives the process ids of those that are at a shard now; what is left of them is killed."""

    def pids() -> list[int]:
        found = []
        for lock in run.glob("shards/*-of-*/.lock"):
            with suppress(OSError, ValueError):
                found.append(int(lock.read_text()))
        return found

    try:
        yield pids
    finally:
        for pid in pids():
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.ray
def test_workers_killed_on_the_way_cost_only_what_was_in_flight(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    write_prompts(tmp_path, prompts(60))
    calm = Speaker()
    whole = lidr_api.load(write_config(tmp_path, output_dir=str(tmp_path / "whole")))
    for number in range(6):
        lidr_api.build_pairs(whole, shard=f"{number}/6", engine=calm)
    alike = len(calm.seen) - len({request._replace(row="") for request in calm.seen})
    lidr_api.build_pairs(whole, engine=Speaker())
    server = FakeServer(delay=0.1)
    with running(server) as url, working(tmp_path / "run") as pids:
        config = write_config(tmp_path, engine__base_url=url, engine__concurrency=4, cluster=CLUSTER)
        child = started(tmp_path, "build-pairs", config, "--ray", "local")
        killed = 0
        for wanted in (30, 150):
            until(lambda wanted=wanted: len(server.answered) > wanted and bool(pids()), child)
            for pid in pids()[:1]:
                os.kill(pid, signal.SIGKILL)
                killed += 1
        errors = child.communicate()[1].decode()
        assert child.returncode == 0, errors
    assert killed == 2
    assert errors.count("another one goes on from its store") == 2
    assert files_of(tmp_path / "run") == files_of(tmp_path / "whole")
    asked = Counter(json.dumps(body["messages"]) for body in server.asked)
    assert sum(times - 1 for times in asked.values()) <= alike + 4 * killed


@pytest.mark.ray
def test_a_wrong_setting_ends_the_run_at_once_and_ctrl_c_ends_workers_and_their_servers(
    tmp_path: Path, command: Lidr
) -> None:
    pytest.importorskip("ray")
    write_prompts(tmp_path, prompts(20))
    vllm = {"backend": "vllm", "weights": "w", "python": vllm_server.interpreter(tmp_path), "args": {"behave": "die"}}
    given = {"engine": vllm, "cluster": CLUSTER, "translation__max_tokens": 100, "generation__max_tokens": 100}
    done = command("build-pairs", write_config(tmp_path, **given), "--ray", "local")
    assert done.returncode == 1
    assert "did not start" in done.stderr
    assert "begun again" not in done.stderr
    vllm["args"] = {"behave": "hang", "at": 3, "lives": str(tmp_path / "lives")}
    config = write_config(tmp_path, **given)
    with working(tmp_path / "run") as pids:
        child = started(tmp_path, "build-pairs", config, "--ray", "local")
        logs = tmp_path / "run/shards/workers"
        until(lambda: sum("asked" in path.read_text() for path in logs.glob("*/vllm.log")) == 2, child)
        workers = [*pids(), *servers(tmp_path)]
        assert len(workers) == 4
        child.send_signal(signal.SIGINT)
        errors = child.communicate(timeout=PATIENCE)[1].decode()
    assert child.returncode == 130, errors
    assert "the same command goes on from there" in errors
    limit = time.monotonic() + PATIENCE
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < limit:
        time.sleep(0.1)
    assert not servers(tmp_path)


def servers(folder: Path) -> list[int]:
    """The process ids of those whose lives are counted in this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdecimal() and str(folder / "lives").encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found
