"""The fingerprint of a model directory: the same as ever, and not read twice."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest

from lidr_plugin.completions.engines.fingerprint import fingerprint

LONG_AGO = 1_600_000_000


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where what was read is remembered."""
    monkeypatch.setenv("LIDR_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def model(tmp_path: Path, home: Path) -> Path:
    """A model directory whose files have been there for long."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"1")
    for path in folder.iterdir():
        os.utime(path, (LONG_AGO, LONG_AGO))
    return folder


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were read through, in order."""
    names: list[str] = []
    digest: Callable[..., hashlib._Hash] = hashlib.file_digest

    def noting(file: BinaryIO, kind: str) -> "hashlib._Hash":
        names.append(Path(file.name).name)
        return digest(file, kind)

    monkeypatch.setattr(hashlib, "file_digest", noting)
    return names


def test_the_fingerprint_is_that_of_every_version(model: Path) -> None:
    assert fingerprint(model) == "sha256:aae38b772a003238600fb755a0dad9ca35f16ece6db9eee992a91a057b64e6b5"


def test_it_changes_with_the_files_that_decide_the_answers(model: Path) -> None:
    first = fingerprint(model)
    (model / "README.md").write_text("new")
    (model / ".complete").write_text("")
    assert fingerprint(model) == first
    (model / "model.safetensors").write_bytes(b"2")
    assert fingerprint(model) != first
    (model / "model.safetensors").write_bytes(b"1")
    assert fingerprint(model) == first
    (model / "chat_template.jinja").write_text("x")
    assert fingerprint(model) != first


def test_an_unchanged_directory_is_not_read_again(model: Path, home: Path, read: list[str]) -> None:
    first = fingerprint(model)
    assert read == ["config.json", "model.safetensors"]
    assert fingerprint(model) == first
    assert fingerprint(model.parent / "model/../model") == first
    assert len(read) == 2
    (home / "fingerprints.json").unlink()
    assert fingerprint(model) == first
    assert len(read) == 4


def test_a_file_replaced_by_one_of_the_same_size_and_date_is_noticed(model: Path) -> None:
    first = fingerprint(model)
    (model / "new").write_bytes(b"2")
    os.utime(model / "new", (LONG_AGO, LONG_AGO))
    os.replace(model / "new", model / "model.safetensors")
    assert fingerprint(model) != first


def test_files_just_written_are_read_again_for_their_date_may_not_tell_two_writings_apart(
    model: Path, read: list[str]
) -> None:
    (model / "model.safetensors").write_bytes(b"2")
    fingerprint(model)
    fingerprint(model)
    assert len(read) == 4


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[1]", b"{}", None])
def test_a_damaged_memory_is_ignored_and_written_anew(
    content: bytes | None, model: Path, home: Path, read: list[str]
) -> None:
    first = fingerprint(model)
    memory = home / "fingerprints.json"
    wrong = {str(model.resolve()): {**json.loads(memory.read_bytes())[str(model.resolve())], "fingerprint": 7}}
    memory.write_bytes(json.dumps(wrong).encode() if content is None else content)
    assert fingerprint(model) == first
    assert fingerprint(model) == first
    assert len(read) == 4


def test_directories_are_remembered_side_by_side_until_they_are_gone(model: Path, home: Path, read: list[str]) -> None:
    other = model.rename(model.with_name("other"))
    fingerprint(other)
    model.mkdir()
    (model / "config.json").write_text("{}")
    os.utime(model / "config.json", (LONG_AGO, LONG_AGO))
    fingerprint(model)
    assert len(json.loads((home / "fingerprints.json").read_bytes())) == 2
    other.rename(model.with_name("third"))
    fingerprint(model.with_name("third"))
    assert set(json.loads((home / "fingerprints.json").read_bytes())) == {
        str(model.resolve()),
        str(model.with_name("third").resolve()),
    }
    assert len(read) == 5


def test_many_at_once_leave_a_whole_memory(model: Path, home: Path) -> None:
    folders = [model.with_name(f"model{number}") for number in range(16)]
    for folder in folders:
        shutil.copytree(model, folder)
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(fingerprint, [*folders, *folders]))) == 1
    assert set(json.loads((home / "fingerprints.json").read_bytes())) <= {str(folder.resolve()) for folder in folders}


def test_a_home_that_cannot_be_written_stops_nothing(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = fingerprint(model)
    (model.parent / "file").write_text("")
    monkeypatch.setenv("LIDR_HOME", str(model.parent / "file/home"))
    assert fingerprint(model) == first
