"""Servers that fail, processes that are killed: nothing finished is lost, and the bytes are the same."""

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Lidr, files_of, prompts, write_config, write_prompts
from tests.support.child import PATIENCE, started, until
from tests.support.server import FakeServer, running


def undisturbed(tmp_path: Path, lidr: Lidr) -> dict[str, bytes]:
    """What the same prompts come to when nothing goes wrong."""
    with running(FakeServer()) as url:
        config = write_config(tmp_path, engine__base_url=url, output_dir=str(tmp_path / "calm"))
        done = lidr("build-pairs", config)
    assert done.returncode == 0, done.stderr
    return files_of(tmp_path / "calm")


def until_asked(server: FakeServer, count: int, child: "subprocess.Popen[bytes]") -> None:
    """Waits for so many requests: with more than the concurrency some answers are in the store."""
    until(lambda: len(server.asked) >= count, child)


def stored_messages(store: Path) -> set[str]:
    """The user turns of all stored requests; the file may be in any state that kill -9 leaves."""
    if not store.exists():
        return set()
    db = sqlite3.connect(store)
    try:
        return {json.loads(row[0])["messages"][-1]["content"] for row in db.execute("SELECT request FROM completion")}
    except sqlite3.OperationalError:
        return set()
    finally:
        db.close()


def user_turn(body: dict[str, list[dict[str, str]]]) -> str:
    return next(message["content"] for message in body["messages"] if message["role"] == "user")


def test_killed_twenty_times_it_ends_with_the_same_bytes_and_asks_nothing_twice(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(160))
    calm = undisturbed(tmp_path, lidr)
    server, chance = FakeServer(delay=0.03, jitter=0.06), random.Random(7)
    kills = 0
    with running(server) as url:
        config = write_config(tmp_path, engine__base_url=url, engine__concurrency=8)
        store = tmp_path / "run/completions.sqlite"
        while kills < 20:
            known, before = stored_messages(store), len(server.asked)
            child = started(tmp_path, "build-pairs", config)
            if kills % 2:  # in the midst of the work, however long the start takes; else at any moment
                until_asked(server, before + 9, child)
                time.sleep(chance.random() * 0.4)
            else:
                time.sleep(0.25 + chance.random() * 0.5)
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            assert child.returncode == -signal.SIGKILL, "it ended before it was killed: make the run longer"
            kills += 1
            assert not known & {user_turn(body) for body in server.asked[before:]}
        known, before = stored_messages(store), len(server.asked)
        done = lidr("build-pairs", config)
        assert done.returncode == 0, done.stderr
        assert known
        assert not known & {user_turn(body) for body in server.asked[before:]}
    assert files_of(tmp_path / "run") == calm
    assert not list((tmp_path / "run").rglob("*.part"))


@pytest.mark.parametrize("fault", ["429", "500", "reset", "garbage", "hang"])
def test_what_passes_is_tried_again_and_the_bytes_are_the_same(fault: str, tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(20))
    calm = undisturbed(tmp_path, lidr)
    server = FakeServer(faults={fault: 0.2})
    with running(server) as url:
        config = write_config(tmp_path, engine__base_url=url, engine__timeout=1.5)
        done = lidr("build-pairs", config)
    assert done.returncode == 0, done.stderr
    assert len(server.asked) > len(server.answered) * 1.05
    assert files_of(tmp_path / "run") == calm


def test_retry_after_is_honoured(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(1, ("en", "de")))
    with running(FakeServer(faults={"429": 1.0}, retry_after="2")) as url:
        begun = time.monotonic()
        config = write_config(tmp_path, engine__base_url=url, languages=["de"], dominant_pairs="none")
        done = lidr("build-pairs", config)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - begun >= 2


def test_a_4xx_is_final_names_the_row_and_keeps_what_is_finished(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(40))
    server = FakeServer(faults={"400": 0.02})
    with running(server) as url:
        config = write_config(tmp_path, engine__base_url=url, engine__concurrency=1)
        done = lidr("build-pairs", config)
        assert done.returncode == 1
        assert "this request is bad" in done.stderr
        assert "[" in done.stderr.split("error: ")[1].split(":")[0], "the row is named"
        assert "completions are kept" in done.stderr
        assert not (tmp_path / "run/data/demo.jsonl").exists()
        assert len(stored_messages(tmp_path / "run/completions.sqlite")) == len(set(server.answered)) > 0


def test_failures_up_to_the_limit_are_counted_reasons(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(40))
    with running(FakeServer(faults={"400": 0.05})) as url:
        config = write_config(tmp_path, engine__base_url=url, engine__max_failures=1000)
        done = lidr("build-pairs", config)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "run/report.json").read_text())
    assert report["completions"]["failed"] > 0
    assert sum(report["rejected"]["request_failed"].values()) >= report["completions"]["failed"] / 2
    for code, count in report["candidates"].items():
        assert count == report["pairs"][code] + sum(lost.get(code, 0) for lost in report["rejected"].values())


def test_a_server_without_prefill_gets_the_same_requests_without_it(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(20))
    calm = undisturbed(tmp_path, lidr)
    server = FakeServer(takes_prefill=False)
    with running(server) as url:
        done = lidr("build-pairs", write_config(tmp_path, engine__base_url=url, engine__concurrency=1))
    assert done.returncode == 0, done.stderr
    assert sum(body["messages"][-1]["role"] == "assistant" for body in [*server.trials, *server.asked]) == 1
    assert files_of(tmp_path / "run") == calm


def test_ctrl_c_ends_with_130_and_keeps_what_is_finished(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(100))
    server = FakeServer(delay=0.1)
    with running(server) as url:
        child = started(tmp_path, "build-pairs", write_config(tmp_path, engine__base_url=url, engine__concurrency=4))
        until_asked(server, 9, child)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=PATIENCE)
    assert child.returncode == 130
    assert b"the same command goes on from there" in errors
    assert b"Traceback" not in errors
    assert stored_messages(tmp_path / "run/completions.sqlite")


def test_a_second_process_stops_and_names_the_first(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(50))
    with running(FakeServer(delay=1)) as url:
        config = write_config(tmp_path, engine__base_url=url, engine__concurrency=2)
        child = started(tmp_path, "build-pairs", config)
        try:
            until((tmp_path / "run/completions.sqlite").exists, child)
            second = lidr("build-pairs", config)
        finally:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
    assert second.returncode == 1
    assert str(child.pid) in second.stderr


def test_a_dead_server_and_a_wrong_model_are_told_before_anything_is_asked(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(3))
    dead = lidr("build-pairs", write_config(tmp_path))
    assert dead.returncode == 1
    assert "no server answers at http://127.0.0.1:9/v1" in dead.stderr
    server = FakeServer(served="other")
    with running(server) as url:
        wrong = lidr("build-pairs", write_config(tmp_path, engine__base_url=url))
    assert wrong.returncode == 1
    assert "it serves: other" in wrong.stderr
    assert not server.asked


def test_too_short_a_context_is_told_before_anything_is_asked(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(3))
    server = FakeServer(context=4096)
    with running(server) as url:
        done = lidr("build-pairs", write_config(tmp_path, engine__base_url=url))
        assert done.returncode == 1
        assert "a context of 4096 tokens" in done.stderr
        assert not server.asked
        assert (
            lidr("build-pairs", write_config(tmp_path, engine__base_url=url, translation__max_tokens=2000)).returncode
            == 0
        )


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 20 MB."""
    if os.geteuid() != 0:
        pytest.skip("a small file system can only be mounted by root")
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("this machine does not let root mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(path: Path) -> None:
    """Writes to a file until its disk is full."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass


def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path, small: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(40))
    (small / "ballast").write_bytes(b"x" * (1 << 20))
    server = FakeServer(delay=0.02)
    with running(server) as url:
        config = write_config(tmp_path, engine__base_url=url, output_dir=str(small / "run"), engine__concurrency=4)
        child = started(tmp_path, "build-pairs", config)
        until_asked(server, 9, child)
        fill(small / "more")
        _, errors = child.communicate(timeout=PATIENCE)
        assert child.returncode == 1, errors
        assert b"disk" in errors
        assert b"Traceback" not in errors
        kept = stored_messages(small / "run/completions.sqlite")
        (small / "ballast").unlink()
        (small / "more").unlink()
        assert kept
        assert lidr("build-pairs", config).returncode == 0


def test_no_room_for_temporary_files_is_said_with_the_way_out(tmp_path: Path, small: Path, command: Lidr) -> None:
    write_prompts(tmp_path, [{code: f"[{code}] {i} " + "boat " * 160 for code in ("en", "de")} for i in range(30_000)])
    fill(small / "more")
    done = command("build-pairs", write_config(tmp_path, languages=["de"]), env={"SQLITE_TMPDIR": str(small)})
    assert done.returncode == 1
    assert "joined in a temporary file, and that failed: database or disk is full" in done.stderr
    assert "TMPDIR" in done.stderr
    assert not (tmp_path / "run").exists()
