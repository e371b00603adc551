"""Interrupts and kills at any moment

Promised: Ctrl-C, SIGTERM and the end of the terminal, once or several times at once, end every command with status 130 and in
order: no process, lock or temporary file is left, and what was finished is kept. Killed between any two files, `init`, `eval`
and `build-pairs` can be run again and come to the same; a run's `config.json` never lies beside data of other settings. What a
killed process left half-written is swept away when the file is written again, and nothing else is.

Not promised: status 130 in the first hundredths of a second, while Python itself starts; that a command ends before what it is
waiting for, a server or a training, has ended or used up its patience of seconds.
"""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from lidr_plugin import files
from lidr_plugin.completions.store import Store
from lidr_plugin.machine import interrupts
from lidr_plugin.machine.children import guarded
from tests.conftest import Lidr, files_of, prompts, write_config, write_prompts
from tests.support import vllm_server
from tests.support.child import LIDR, PATIENCE, started, until
from tests.support.server import FakeServer, running

INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
ASKING = [(INT,), (TERM,), (HUP,), (INT, INT), (INT, TERM), (TERM, TERM), (HUP, TERM, INT, INT)]


def names(numbers: Sequence[signal.Signals]) -> str:
    return "+".join(number.name for number in numbers)


def caught(pid: int) -> bool:
    """Whether a process handles SIGTERM by now."""
    with suppress(OSError):
        mask = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
        return bool(mask and int(mask[1], 16) >> (TERM - 1) & 1)
    return False


def relatives(folder: Path) -> list[str]:
    """The processes that a test started, and theirs, by what their environment has."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"LIDR_TEST={folder}".encode() in (path / "environ").read_bytes().split(b"\0"):
                found.append((path / "cmdline").read_text().replace("\0", " "))
    return found


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Starts `lidr` so that all that comes of it is found; at the end nothing may be left."""
    children = []

    def begin(*arguments: str | Path, **env: str) -> "subprocess.Popen[bytes]":
        child = started(tmp_path, *arguments, env={**os.environ, "LIDR_TEST": str(tmp_path), **env})
        children.append(child)
        return child

    yield begin
    for child in children:
        child.kill()
        child.wait()


def end(child: "subprocess.Popen[bytes]", folder: Path, *numbers: signal.Signals) -> str:
    """Sends the signals at once; what it says, after it ended as promised."""
    for number in numbers:
        child.send_signal(number)
    errors = child.communicate(timeout=PATIENCE)[1].decode()
    assert child.returncode == 130, errors
    assert "Traceback" not in errors
    assert "Exception ignored" not in errors
    assert "bug" not in errors
    assert relatives(folder) == []
    assert [path for path in folder.rglob("*") if path.suffix == ".part" or path.name == ".lock"] == []
    return errors


Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.mark.parametrize("numbers", [(INT, INT), (TERM, TERM)], ids=names)
def test_while_it_loads(numbers: Sequence[signal.Signals], start: Start, tmp_path: Path) -> None:
    child = start("build-pairs", "lidr.yaml")
    until(lambda: caught(child.pid), child)
    end(child, tmp_path, *numbers)


@pytest.mark.parametrize("numbers", ASKING, ids=names)
def test_while_it_asks(numbers: Sequence[signal.Signals], start: Start, tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(100))
    server = FakeServer(delay=0.05)
    with running(server) as url:
        child = start("build-pairs", write_config(tmp_path, engine__base_url=url, engine__concurrency=4))
        until(lambda: len(server.asked) > 8, child)
        errors = end(child, tmp_path, *numbers)
    assert "the same command goes on from there" in errors
    with Store(tmp_path / "run/completions.sqlite", read_only=True) as store:
        assert len(store) >= len(server.answered) - 4
        assert store.verify() == []
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["completions.sqlite", "data"] or not any(
        (tmp_path / "run/data").iterdir()
    )


@pytest.mark.parametrize("command", ["probe", "eval"])
def test_while_others_ask(command: str, start: Start, tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(50))
    server = FakeServer(delay=0.05)
    with running(server) as url:
        config = write_config(
            tmp_path, engine__base_url=url, engine__concurrency=4, eval__prompts="prompts/{language}.jsonl"
        )
        child = start(command, config)
        until(lambda: len(server.asked) > 8, child)
        assert "the same command goes on from there" in end(child, tmp_path, INT, TERM)


@pytest.mark.parametrize("numbers", [(INT, TERM), (TERM, TERM)], ids=names)
def test_while_a_stage_of_the_rounds_asks(numbers: Sequence[signal.Signals], start: Start, tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(100))
    server = FakeServer(delay=0.05)
    with running(server) as url:
        config = write_config(tmp_path, engine__base_url=url, engine__concurrency=4, rounds=1)
        child = start("iterate", config, "--until", "build")
        until(lambda: len(server.asked) > 8, child)
        assert "goes on from the stage that was under way" in end(child, tmp_path, *numbers)
    assert not (tmp_path / "run/iterate.json").exists()
    with Store(tmp_path / "run/completions.sqlite", read_only=True) as store:
        assert len(store)


@pytest.mark.parametrize(
    ("behave", "numbers"), [("never", (INT, INT)), ("never", (TERM,)), ("hang", (TERM, INT))], ids=str
)
def test_while_a_server_of_its_own_starts_or_answers(
    behave: str, numbers: Sequence[signal.Signals], start: Start, tmp_path: Path
) -> None:
    write_prompts(tmp_path, prompts(5))
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text("{}")
    engine = {"backend": "vllm", "python": vllm_server.interpreter(tmp_path), "args": {"behave": behave}}
    lengths = {"generation__max_tokens": 100, "translation__max_tokens": 100}
    config = write_config(tmp_path, model_name_or_path=str(tmp_path / "model"), engine=engine, **lengths)
    child, log = start("build-pairs", config), tmp_path / "run/vllm.log"
    until(lambda: log.exists() and b"asked" in log.read_bytes() + b"asked" * (behave == "never"), child)
    end(child, tmp_path, *numbers)


CLI = """\
#!/bin/sh
if [ "$PHASE" = train ]; then sleep 600 & echo here > "$MARK"; wait; fi
mkdir -p checkpoint; echo '{"train_runtime": 1.0}' > checkpoint/all_results.json
"""
PYTHON = """\
#!/bin/sh
case "$1" in *"$PHASE".py) sleep 600 & echo here > "$MARK"; wait;; esac
echo 'LIDR {"template": "qwen", "checked": 1, "at_the_ends": 0, "mismatch": null, "fixes": [], "lengths": null}'
"""


@pytest.mark.parametrize(
    ("phase", "numbers"),
    [("check", (INT, TERM)), ("train", (INT, INT)), ("train", (TERM, TERM, TERM)), ("merge", (HUP,))],
    ids=str,
)
def test_while_it_trains(phase: str, numbers: Sequence[signal.Signals], start: Start, tmp_path: Path) -> None:
    for name, script in (("python", PYTHON), ("llamafactory-cli", CLI)):
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    data = tmp_path / "run/data"
    data.mkdir(parents=True)
    row = {"id": "1", "language": "de", "instruction": "x", "input": "", "chosen": "y", "rejected": "z"}
    (data / "demo.jsonl").write_text(json.dumps(row) + "\n")
    (data / "dataset_info.json").write_text(json.dumps({"demo": {"file_name": "demo.jsonl", "ranking": True}}))
    config = write_config(tmp_path, train={"method": "lora", "python": str(tmp_path / "python")})
    child = start("train", config, PHASE=phase, MARK=str(tmp_path / "mark"))
    until((tmp_path / "mark").exists, child)
    assert "the same command goes on from the last checkpoint" in end(child, tmp_path, *numbers)
    state = tmp_path / "run/train.json"
    found = json.loads(state.read_text())["status"] if state.exists() else None
    assert found == {"check": None, "train": "begun", "merge": "trained"}[phase]


def test_the_terminal_is_closed(start: Start, tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(100))
    server = FakeServer(delay=0.05)
    ours, theirs = pty.openpty()
    with running(server) as url:
        config = write_config(tmp_path, engine__base_url=url, engine__concurrency=4)
        env = {**os.environ, "LIDR_TEST": str(tmp_path), "TERM": "xterm"}
        command = [*LIDR, "build-pairs", str(config)]
        child = subprocess.Popen(
            command, cwd=tmp_path, env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        until(lambda: len(server.asked) > 8, child)
        os.close(ours)
        child.send_signal(HUP)
        assert child.wait(PATIENCE) == 130
    assert relatives(tmp_path) == []
    assert not (tmp_path / "run/.lock").exists()


@pytest.mark.parametrize("numbers", [(TERM,), (TERM, TERM), (INT, HUP, TERM), (signal.SIGKILL,)], ids=names)
@pytest.mark.parametrize("stubborn", [False, True], ids=["", "stubborn"])
def test_what_a_guarded_command_started_ends_whatever_it_is_sent(
    numbers: Sequence[signal.Signals], stubborn: bool, tmp_path: Path
) -> None:
    if stubborn and signal.SIGKILL in numbers:
        pytest.skip("whoever is killed cannot insist")
    trap = "trap '' TERM; " if stubborn else ""
    shell = f"{trap}sleep 600 & echo here > {tmp_path}/mark; wait; wait"
    env = {**os.environ, "LIDR_TEST": str(tmp_path)}
    child = subprocess.Popen(guarded(["sh", "-c", shell], patience=0.2), env=env)
    while not (tmp_path / "mark").exists():
        time.sleep(0.01)
    for number in numbers:
        child.send_signal(number)
    assert child.wait(PATIENCE) in (-9, 129, 130, 143)
    limit = time.monotonic() + 5
    while time.monotonic() < limit and (
        found := [line for line in relatives(tmp_path) if not line.startswith("sleep")]
    ):
        time.sleep(0.02)
    assert found == []
    if signal.SIGKILL not in numbers:
        assert relatives(tmp_path) == []


def test_an_interrupt_that_breaks_into_no_wait_is_seen_at_a_prompt_all_the_same() -> None:
    """Another thread takes it here: for the one that waits that is as if it had come a moment before."""
    code = (
        "import readline, signal, threading\nfrom lidr_plugin.machine import interrupts\n"
        "def send():\n    signal.pthread_kill(threading.get_ident(), signal.SIGINT)\n"
        "with interrupts.heeded(), interrupts.awake():\n    threading.Timer(0.3, send).start()\n"
        "    try:\n        input('> ')\n    except KeyboardInterrupt:\n        print('seen')"
    )
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    assert child.wait(60) == 0
    assert b"seen" in os.read(ours, 4096)
    os.close(ours)


def test_an_ignored_signal_stays_ignored() -> None:
    """As `nohup` hands it down."""
    code = (
        "import os, signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from lidr_plugin.machine import interrupts\n"
        "with interrupts.heeded():\n    os.kill(os.getpid(), signal.SIGHUP)\nprint('well')"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "well\n"


@pytest.fixture
def heeded() -> Iterator[None]:
    """Handlers as the command has them; those of the tests are put back."""
    before = [(number, signal.getsignal(number)) for number in interrupts.SIGNALS]
    with interrupts.heeded():
        yield
    for number, handler in before:
        signal.signal(number, handler)


@pytest.mark.parametrize("numbers", ASKING, ids=names)
def test_a_loop_is_cancelled_once_and_closes_what_it_opened(heeded: None, numbers: Sequence[signal.Signals]) -> None:
    import asyncio

    said: list[str] = []

    async def work() -> None:
        try:
            asyncio.get_running_loop().call_later(0.01, lambda: [signal.raise_signal(number) for number in numbers])
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            for number in numbers:
                signal.raise_signal(number)
            await asyncio.sleep(0.01)
            said.append("closed")

    with pytest.raises(KeyboardInterrupt):
        interrupts.run(work())
    assert said == ["closed"]


def test_an_interrupt_that_came_too_late_for_the_loop_is_not_lost(heeded: None) -> None:
    async def work() -> int:
        signal.raise_signal(TERM)
        return 1

    with pytest.raises(KeyboardInterrupt):
        interrupts.run(work())


def test_an_interrupt_waits_for_what_must_not_be_torn_apart(heeded: None) -> None:
    said = []

    def work() -> None:
        with interrupts.deferred():
            signal.raise_signal(INT)
            said.append("whole")
        said.append("never")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert said == ["whole"]


class Killed(BaseException):
    """As far as this process can die without dying."""


@pytest.fixture
def kill_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], object]:
    """From the given rename of a file on, counted from 0, nothing happens any more."""
    replace, left = os.replace, [1 << 30]

    def counted(source: Path, target: Path) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        replace(source, target)

    monkeypatch.setattr(os, "replace", counted)

    def at(number: int) -> None:
        left[0] = number

    return at


@pytest.mark.parametrize("number", range(5))
def test_init_is_killed_between_two_files(
    number: int, kill_at: Callable[[int], object], tmp_path: Path, lidr: Lidr
) -> None:
    assert lidr("init", tmp_path / "whole").returncode == 0
    whole = {path.name: path.read_bytes() for path in (tmp_path / "whole").rglob("*") if path.is_file()}
    kill_at(number)
    with pytest.raises(Killed):
        lidr("init", tmp_path / "new")
    kill_at(1000)
    assert lidr("init", tmp_path / "new").returncode == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "new").rglob("*") if path.is_file()} == whole
    assert lidr("init", tmp_path / "new").returncode == 2


def test_init_overwrites_no_file_of_the_users(tmp_path: Path, lidr: Lidr) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/en.jsonl").write_text("mine")
    done = lidr("init", tmp_path)
    assert done.returncode == 2
    assert "en.jsonl is there already" in done.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["prompts", "en.jsonl"]


STRICT = "filters.length_ratio=[0.99,1.01]"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with prompts, a finished run, the same with other settings, and a store for both; the server is gone."""
    from tests.support.inside import in_process

    folder = tmp_path_factory.mktemp("built")
    write_prompts(folder, prompts(8))
    with running(FakeServer()) as url:
        config = write_config(folder, engine__base_url=url, eval__prompts=f"{folder}/prompts/{{language}}.jsonl")
        for command in (["build-pairs", config, STRICT], ["build-pairs", config], ["eval", config]):
            done = in_process(*map(str, command))
            assert done.returncode == 0, done.stderr
            if STRICT in command:
                shutil.copytree(folder / "run", folder / "strict")
    return folder


@pytest.mark.parametrize("number", range(12))
def test_a_build_with_changed_settings_is_killed_between_two_files(
    number: int, kill_at: Callable[[int], object], built: Path, tmp_path: Path, lidr: Lidr
) -> None:
    """Wherever a `config.json` is, the data beside it were made with it."""
    shutil.copytree(built / "run", tmp_path / "run")
    before = files_of(tmp_path / "run"), (tmp_path / "run/config.json").read_bytes()
    base, out = built / "lidr.yaml", f"output_dir={tmp_path}/run"
    after = files_of(built / "strict")
    assert before[0] != after
    kill_at(number)
    with suppress(Killed):
        lidr("build-pairs", base, out, STRICT)
    now, config = files_of(tmp_path / "run"), tmp_path / "run/config.json"
    if config.exists():
        assert now == (before[0] if config.read_bytes() == before[1] else after)
    kill_at(1000)
    assert lidr("build-pairs", base, out, STRICT).returncode == 0
    assert files_of(tmp_path / "run") == after
    assert not list((tmp_path / "run").glob("config.json.*"))


@pytest.mark.parametrize("number", range(0, 12, 2))
def test_an_evaluation_is_killed_between_two_files(
    number: int, kill_at: Callable[[int], object], built: Path, tmp_path: Path, lidr: Lidr
) -> None:
    shutil.copytree(built / "run", tmp_path / "run")
    whole = {path.name: path.read_bytes() for path in (tmp_path / "run/eval").iterdir()}
    shutil.rmtree(tmp_path / "run/eval")
    kill_at(number)
    with suppress(Killed):
        lidr("eval", built / "lidr.yaml", f"output_dir={tmp_path}/run")
    kill_at(1000)
    done = lidr("eval", built / "lidr.yaml", f"output_dir={tmp_path}/run")
    assert done.returncode == 0, done.stderr
    assert {path.name: path.read_bytes() for path in (tmp_path / "run/eval").iterdir()} == whole


LEFT = ".demo.jsonl.0123456789abcdef.part"


@pytest.mark.parametrize(
    ("name", "swept"),
    [
        (LEFT, True),
        (".other.jsonl.0123456789abcdef.part", False),
        (".demo.jsonl.part", False),
        ("demo.jsonl.0123456789abcdef.part", False),
        (".demo.jsonl.0123456789ABCDEF.part", False),
        (".demo.jsonl.mine.part", False),
        (".demo.jsonl.0123456789abcdef.part.crdownload", False),
    ],
)
def test_what_a_killed_process_left_is_swept_and_nothing_else(name: str, swept: bool, tmp_path: Path) -> None:
    (tmp_path / name).write_text("half")
    files.write_text(tmp_path / "demo.jsonl", "whole")
    assert (tmp_path / name).exists() != swept
    files.sweep(tmp_path)
    assert (tmp_path / name).exists() == (not re.fullmatch(r"\..+\.[0-9a-f]{16}\.part", name))


def test_what_a_living_process_writes_is_not_swept(tmp_path: Path) -> None:
    with files.replacing(tmp_path / "demo.jsonl") as first:
        first.write(b"first")
        files.write_text(tmp_path / "demo.jsonl", "second")
        files.sweep(tmp_path)
    assert (tmp_path / "demo.jsonl").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["demo.jsonl"]
