"""Files appear whole or not at all, and are as private as the user's umask wants them."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from lidr_plugin import files
from lidr_plugin.run_directory import RunDirectory


@pytest.fixture(params=[0o077, 0o022, 0o002], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """This process's umask, for the time of a test."""
    wanted: int = request.param
    before = os.umask(wanted)
    yield wanted
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_have_the_mode_that_the_umask_leaves(tmp_path: Path, umask: int) -> None:
    files.write_text(tmp_path / "new.txt", "text")
    files.write_json(tmp_path / "deep/er/new.json", {})
    with RunDirectory(tmp_path / "run").locked():
        assert mode(tmp_path / "run/.lock") == 0o666 & ~umask
    assert mode(tmp_path / "new.txt") == mode(tmp_path / "deep/er/new.json") == 0o666 & ~umask


def test_a_block_that_fails_leaves_the_old_file_and_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.write_text(path, "old")

    def fail() -> None:
        with files.replacing(path) as file:
            file.write(b"new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_swept_away(tmp_path: Path) -> None:
    with files.replacing(tmp_path / "file") as file:
        file.write(b"half")
        (unfinished,) = tmp_path.iterdir()
    unfinished.write_bytes(b"half")
    files.sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
