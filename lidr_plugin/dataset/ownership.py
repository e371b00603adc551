"""Whose the files are that a build would replace: what lidr wrote may go, what it did not write, or what was edited, may not."""

import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from lidr_plugin import files
from lidr_plugin.errors import InputError
from lidr_plugin.machine.inputs import is_there, opened, read_record
from lidr_plugin.run_directory import RunDirectory

_BEGINNING = 1 << 20
"""Bytes in which a mark stands: a first row with its texts, or the settings and counts that come before it."""


def check_own(run: RunDirectory, *datasets: str) -> None:
    """Looks at all that a build replaces.

    Raises:
        InputError: a file is somebody else's, or the dataset was edited since lidr wrote it.
    """
    marks: Mapping[Path, bytes] = {
        run.config: b'"lidr"',
        run.report_json: b'"lidr"',
        run.report_html: b"<title>lidr:",
        run.train_yaml: b"# Made by lidr",
        run.data / "README.md": b"lidr",
        run.rejected: b'"reason"',
        **{run.dataset(name): b'_source"' for name in datasets},
    }
    foreign = [path for path, mark in marks.items() if is_there(path) and not _begins_with(path, mark)]
    if is_there(run.report_md) and not is_there(run.report_html):
        foreign.append(run.report_md)
    if foreign:
        problems = [f"{path}: lidr did not write this file, and would replace it" for path in foreign]
        raise InputError.of(
            problems, f"output_dir: {run.path}", "move it away, or set another output_dir or dataset_name"
        )
    for path in map(run.dataset, datasets):
        written = _written(run).get(path.name)
        if written and is_there(path) and _digest(path) not in written:
            hint = "keep it under another name, or set another dataset_name; once it is away, it is made anew"
            raise InputError(f"{path}: edited since lidr wrote it, and would be replaced", hint)


def is_as_written(run: RunDirectory, dataset: str) -> bool:
    """Whether a dataset is, byte for byte, what lidr noted when it wrote it."""
    path = run.dataset(dataset)
    return is_there(path) and _written(run).get(path.name, [])[-1:] == [_digest(path)]


class Digest:
    """Checksum and length of a file that is being written, which tell an edited file from this one."""

    def __init__(self) -> None:
        self._sum = self._bytes = 0

    def add(self, data: bytes) -> bytes:
        """Takes the next part, and gives it back."""
        self._sum, self._bytes = zlib.crc32(data, self._sum), self._bytes + len(data)
        return data

    def __str__(self) -> str:
        return f"{self._sum:08x}-{self._bytes}"


def note(run: RunDirectory, dataset: str, digest: str) -> None:
    """Notes a dataset that is about to take the place of the last one: a kill may come before it does, or after."""
    _note(run, run.dataset(dataset), run.dataset(dataset).name, digest)


def note_outside(run: RunDirectory, path: Path, digest: str) -> None:
    """Notes a file that lies elsewhere, likewise."""
    _note(run, path, str(path.absolute()), digest)


def _note(run: RunDirectory, path: Path, name: str, digest: str) -> None:
    known = [_digest(path)] if is_there(path) else []
    files.write_json(record(run), {**_written(run), name: [*known, digest]})


def check_outside(run: RunDirectory, paths: Iterable[Path], remedy: str) -> None:
    """Looks at files elsewhere that are about to be replaced.

    Raises:
        InputError: one is not as this run wrote it.
    """
    written = _written(run)
    there = [path for path in paths if is_there(path)]
    foreign = [path for path in there if _digest(path) not in written.get(str(path.absolute()), [])]
    if foreign:
        problems = [f"{path}: would be replaced, and is not as lidr wrote it" for path in foreign]
        raise InputError.of(problems, f"output_dir: {run.path}", remedy)


def record(run: RunDirectory) -> Path:
    """Where the digests are noted."""
    return run.path / ".written.json"


def _written(run: RunDirectory) -> dict[str, list[str]]:
    """By its file, the digests of a dataset and of the one before."""
    path = record(run)
    remedy = "remove it: what is there is then taken for lidr's"
    return read_record(dict[str, list[str]], path, remedy) if is_there(path) else {}


def _digest(path: Path) -> str:
    found = 0
    with path.open("rb") as file:
        while part := file.read(_BEGINNING):
            found = zlib.crc32(part, found)
    return f"{found:08x}-{path.stat().st_size}"


def _begins_with(path: Path, mark: bytes) -> bool:
    with opened(path) as file:
        beginning = file.read(_BEGINNING)
    return not beginning or mark in beginning
