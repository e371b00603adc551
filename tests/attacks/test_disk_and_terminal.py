"""Disks that are full, read-only or not yours, and terminals that are closed or cannot show a text.

Promised: where a file cannot be written the command ends with status 1, names the file and says what to do, and what was finished
is kept; standard output may be closed, full, a pipe that nobody reads to its end, or in an encoding without the text: the work is
done all the same, and what could not be shown is said once; several errors at once are told as what they are.

Not promised: that a disk which lies about what it wrote is found out.
"""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from lidr_cli import main as command

import lidr_plugin
from lidr_plugin import files
from lidr_plugin.errors import RunError
from tests.support.child import LIDR, PATIENCE
from tests.support.inside import in_process

ERRORS = ["ENOSPC", "EROFS", "EACCES", "EDQUOT", "EMFILE", "EIO", "EFBIG", "EPERM"]
WRITERS: dict[str, tuple[str, ...]] = {
    "init": ("init", "new"),
    "build-pairs": ("build-pairs", "lidr.yaml"),
    "probe": ("probe", "lidr.yaml"),
    "eval": ("eval", "lidr.yaml"),
    "train": ("train", "lidr.yaml", "--restart"),
    "report": ("report", "run"),
    "recipes cp": ("recipes", "cp", "llama3-8b/math-lora-round1", "copied.yaml"),
    "store export": ("store", "export", "run", "new.jsonl"),
}
"""Every command that writes files of its own."""


def failing(name: str, place: str) -> Callable[..., object]:
    """The system call of that name, which fails where a file is opened, flushed or renamed."""
    number = getattr(errno, name)
    before = getattr(os, place)

    def fails(*arguments: object, **more: object) -> object:
        if place == "open" and not (
            isinstance(arguments[1], int) and arguments[1] & os.O_CREAT and ".part" in str(arguments[0])
        ):
            return before(*arguments, **more)
        raise OSError(number, os.strerror(number))

    return fails


@pytest.mark.parametrize("place", ["open", "fsync", "replace"])
@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_cannot_be_written_is_named(
    name: str, place: str, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files.os, place, failing("ENOSPC", place))
    done = in_process(*WRITERS[name])
    assert done.returncode == 1, done.stdout + done.stderr
    assert "No space left on device" in done.stderr
    assert "free some space" in done.stderr
    assert "/" in done.stderr.split("No space left")[0].splitlines()[-1] or "." in done.stderr
    assert not list(world.rglob("*.part"))


@pytest.mark.parametrize("error", ERRORS)
def test_each_error_of_the_disk_has_its_remedy(error: str, world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.os, "fsync", failing(error, "fsync"))
    done = in_process("report", "run")
    assert done.returncode == 1
    assert f"run/report.html: {os.strerror(getattr(errno, error))}" in done.stderr
    assert "hint: " in done.stderr


@pytest.mark.parametrize("name", ["run", "run/data", "run/eval"])
@pytest.mark.parametrize("words", [("build-pairs", "lidr.yaml"), ("eval", "lidr.yaml"), ("probe", "lidr.yaml")])
def test_a_file_in_the_place_of_a_folder_is_named(name: str, words: tuple[str, ...], world: Path) -> None:
    os.rename(world / name, world / "aside")
    (world / name).write_text("in the way")
    done = in_process(*words)
    needed = (
        name == "run"
        or (name == "run/data" and words[0] == "build-pairs")
        or (name == "run/eval" and words[0] == "eval")
    )
    assert done.returncode in ((1, 2) if needed else (0, 1, 2))
    assert not done.returncode or name in done.stderr
    assert (world / name).read_text() == "in the way"


@pytest.mark.parametrize("file", ["report.html", "train.yaml", "rejected.jsonl", "data/demo.jsonl", "config.json"])
def test_a_folder_in_the_place_of_a_file_is_named(file: str, world: Path) -> None:
    (world / "run" / file).unlink()
    (world / "run" / file / "kept").mkdir(parents=True)
    done = in_process("build-pairs", "lidr.yaml")
    assert done.returncode in (1, 2)
    assert f"run/{file}" in done.stderr
    assert (world / "run" / file / "kept").is_dir()


def test_a_small_file_size_limit_is_told(world: Path) -> None:
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); from lidr_cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "report", "run"], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 1
    assert "report.html: File too large" in done.stderr
    assert "ulimit -f" in done.stderr


def shell(line: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """A line of bash in which `lidr` is the command."""
    script = f"lidr() {{ '{LIDR[0]}' -c '{LIDR[2]}' \"$@\"; }}\n{line}"
    return subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=PATIENCE,
        check=False,
        env={**os.environ, **env},
    )


TERMINALS = {
    "full": ("lidr recipes ls > /dev/full", 1, "standard output: No space left on device"),
    "closed": ("lidr recipes ls >&-", 0, ""),
    "all closed": ("lidr recipes ls <&- >&- 2>&-", 0, ""),
    "errors closed": ("lidr plan nope.yaml 2>&-", 2, ""),
    "errors full": ("lidr plan nope.yaml 2>/dev/full", 2, ""),
    "a broken pipe": ("lidr recipes ls | true; exit ${PIPESTATUS[0]}", 0, ""),
    "help into a broken pipe": ("lidr --help | head -1 > /dev/null; exit ${PIPESTATUS[0]}", 0, ""),
    "not UTF-8": ("lidr plan $'\\xff.yaml'", 2, "no such file"),
}


@pytest.mark.parametrize("name", TERMINALS)
def test_a_terminal_that_cannot_be_written_to(name: str) -> None:
    line, status, says = TERMINALS[name]
    done = shell(line)
    assert done.returncode == status, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "POSIX", "PYTHONIOENCODING": "iso-8859-15"},
    ],
    ids=lambda env: " ".join(f"{name}={value}" for name, value in env.items()),
)
def test_a_text_that_the_terminal_cannot_show_is_replaced(env: dict[str, str], world: Path) -> None:
    (world / "☃ 한국어").mkdir()
    done = shell("lidr init './☃ 한국어'; lidr plan '☃.yaml'; lidr recipes cp 한국어; lidr report run/iter1", **env)
    assert "UnicodeEncodeError" not in done.stderr
    assert "Traceback" not in done.stderr
    assert "bug" not in done.stderr
    assert (world / "run/iter1/report.html").exists()


def raised(error: BaseException) -> Callable[..., None]:
    """A command that ends with an error that nothing foresaw."""

    def fails(*_: object, **__: object) -> None:
        raise error

    return fails


GROUP = ExceptionGroup(
    "several", [ExceptionGroup("inner", [OSError(errno.ENOSPC, "No space left on device", "/x/y")]), ValueError("z")]
)
ENDS = [
    (OSError(errno.ENOSPC, "No space left on device", "/x/y"), "/x/y: No space left on device"),
    (OSError(errno.ECONNRESET, "Connection reset by peer"), "Connection reset by peer"),
    (PermissionError(errno.EACCES, "Permission denied", "/x"), "/x: Permission denied"),
    (MemoryError(), "memory"),
    (UnicodeEncodeError("ascii", "☃.yaml", 0, 1, "no"), "PYTHONUTF8=1"),
    (ExceptionGroup("several", [ValueError("z"), RunError("of two this", "is told")]), "of two this"),
    (GROUP, "/x/y: No space left on device"),
    (BaseExceptionGroup("several", [OSError(errno.EIO, "I/O error", "/d")]), "/d: I/O error"),
]


@pytest.mark.parametrize(("error", "says"), ENDS, ids=lambda value: type(value).__name__)
def test_an_error_of_the_system_is_told_as_one(
    error: BaseException, says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lidr_plugin, "report", raised(error))
    done = in_process("report", str(tmp_path))
    assert done.returncode == 1
    assert says in done.stderr
    assert done.stderr.count("error: ") == 1


def test_of_a_group_that_nobody_foresaw_each_error_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    group = ExceptionGroup("several", [ValueError("first"), ExceptionGroup("inner", [KeyError("second")])])
    monkeypatch.setattr(lidr_plugin, "report", raised(group))
    with pytest.raises(ExceptionGroup) as caught:
        in_process("report", str(tmp_path))
    command._report_bug(caught.type, caught.value, caught.tb)
    said = capsys.readouterr().err
    assert "ValueError: first; KeyError: 'second'" in said


def test_a_bug_is_told_where_there_is_no_room_for_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command.tempfile, "NamedTemporaryFile", raised(OSError(errno.ENOSPC, "full")))
    command._report_bug(ValueError, ValueError("odd"), None)
    assert "ValueError: odd" in capsys.readouterr().err


def test_what_is_said_while_the_reader_is_gone_does_not_stop_the_work() -> None:
    code = (
        "import sys; from lidr_cli.output import Output; output = Output()\n"
        "for _ in range(3): print('x' * 100_000); print('y', file=sys.stderr)\n"
        "sys.stdout.flush(); open(sys.argv[1], 'w').write('done' + output.problem())"
    )
    read, write = os.pipe()
    os.close(read)
    name = f"/tmp/lidr-{os.getpid()}.done"
    done = subprocess.run([sys.executable, "-c", code, name], stdout=write, stderr=write, timeout=PATIENCE, check=False)
    os.close(write)
    assert done.returncode == 0
    assert Path(name).read_text() == "done"
    Path(name).unlink()
