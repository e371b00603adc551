"""Children end when lidr ends, with all that they started."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from lidr_plugin.machine.children import guarded, last_said
from tests.support.child import PATIENCE

GRANDCHILD = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
CHILD = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {GRANDCHILD!r}, sys.argv[1]]); time.sleep(600)"


@pytest.mark.parametrize(("code", "status"), [("raise SystemExit(7)", 7), ("import os; os.abort()", 128 + 6)])
def test_a_guarded_command_ends_with_its_own_status(code: str, status: int) -> None:
    done = subprocess.run(guarded([sys.executable, "-c", code]), stderr=subprocess.DEVNULL, check=False)
    assert done.returncode == status


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise OSError('no such host\\nCheck your connection')", ["OSError: no such host", "Check your connection"]),
        ("try:\n  1/0\nexcept ZeroDivisionError:\n  raise KeyError('x')", ["KeyError: 'x'"]),
        ("import sys; sys.exit('too little memory')", ["too little memory"]),
        ("import sys; sys.stderr.write('a\\n' * 30); sys.exit(1)", ["a"] * 12),
        ("import os; os._exit(3)", []),
    ],
)
def test_of_a_child_that_crashed_the_error_is_told_without_its_frames(code: str, told: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert last_said(done.stderr) == told


def alive(pid: int) -> bool:
    with suppress(ProcessLookupError, FileNotFoundError):
        os.kill(pid, 0)
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


def pid_in(path: Path) -> int:
    limit = time.monotonic() + PATIENCE
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < limit
        time.sleep(0.01)
    return int(path.read_text())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_what_a_guarded_command_started_ends_with_lidr(how: signal.Signals, tmp_path: Path) -> None:
    command = guarded([sys.executable, "-c", CHILD, str(tmp_path / "pid")])
    parent = subprocess.Popen([sys.executable, "-c", f"import subprocess; subprocess.run({command!r})"])
    started = pid_in(tmp_path / "pid")
    assert alive(started)
    parent.send_signal(how)
    parent.wait()
    limit = time.monotonic() + PATIENCE
    while alive(started):
        assert time.monotonic() < limit
        time.sleep(0.01)
