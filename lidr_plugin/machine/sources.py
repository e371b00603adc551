"""Input files wherever they lie: here or at an address (`s3://…`, `hf://datasets/…`), packed (`.gz`, `.zst`) or not.

They are read as they come, never whole. What is at an address is asked for by fsspec, which knows its own settings and keys.
"""

import gzip
import importlib.util
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob, has_magic
from io import BufferedReader, RawIOBase
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeAlias, cast

from lidr_plugin.errors import InputError
from lidr_plugin.machine.inputs import opened

Source: TypeAlias = Path | str
"""A file here, or the address of one."""
_PACKED = (".gz", ".zst")
EXTRAS = {"s3": "lidr[s3]", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}
"""What is to be installed for an address."""
_PIECE = 2048
"""Bytes that are unpacked at once: of the most tightly packed ones 64 MB."""
_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)


def is_address(name: Source) -> bool:
    """Whether it names a file elsewhere."""
    return isinstance(name, str) and "://" in name


def format_of(source: Source) -> str:
    """The suffix of what is in it: `.jsonl` of `de.jsonl.gz`."""
    path = PurePosixPath(str(source))
    return (path.with_suffix("") if path.suffix.lower() in _PACKED else path).suffix.lower()


def found(pattern: Source) -> list[Source]:
    """The file of that name, or all that a pattern (`*`, `?`, `[…]`, `**`) matches, in the order of their names.

    Raises:
        InputError: the place of an address cannot be asked.
    """
    if isinstance(pattern, Path) or not is_address(pattern):
        if os.path.isfile(pattern) or not has_magic(str(pattern)):
            return [pattern] if os.path.isfile(pattern) else []
        return [Path(name) for name in sorted(glob(str(pattern), recursive=True)) if os.path.isfile(name)]
    with _asked(pattern) as (place, path):
        if not has_magic(path):
            return [pattern] if place.isfile(path) else []
        return [place.unstrip_protocol(name) for name in sorted(place.glob(path)) if place.isfile(name)]


def seen(source: Source) -> list[str | int]:
    """What tells the file from another or later one of its name, without reading it."""
    if isinstance(source, Path) or not is_address(source):
        stat = os.stat(source)
        return [str(Path(source).absolute()), stat.st_size, stat.st_mtime_ns]
    with _asked(source) as (place, path):
        return [source, str(place.ukey(path))]


@contextmanager
def opened_source(source: Source) -> Iterator[IO[bytes]]:
    """The file, unpacked and open for reading; other than text it may be read in any order where it is not packed.

    Raises:
        InputError: it cannot be opened or unpacked.
    """
    with _raw(source) as raw:
        suffix = PurePosixPath(str(source)).suffix.lower()
        if suffix == ".gz":
            yield cast(IO[bytes], gzip.GzipFile(fileobj=raw))
        elif suffix == ".zst":
            yield _zstandard(raw, source)
        else:
            yield raw


def source_lines(source: Source) -> Iterator[bytes]:
    """The lines of a file, with their ends.

    Raises:
        InputError: it cannot be opened, or is damaged, with the line.
    """
    number = 0
    with opened_source(source) as file:
        try:
            for number, line in enumerate(file, 1):  # noqa: B007 (told by the error)
                yield line
        except _damages() as error:
            what = f"{source}:{number + 1}: damaged: {error}"
            raise InputError(what, "copy it again, or unpack it and see what can be saved") from None


def _damages() -> tuple[type[Exception], ...]:
    try:
        import zstandard
    except ImportError:
        return _DAMAGED
    return (*_DAMAGED, zstandard.ZstdError)


def _zstandard(raw: IO[bytes], source: Source) -> IO[bytes]:
    if importlib.util.find_spec("zstandard") is None:
        raise InputError(f"{source}: .zst needs zstandard", "pip install 'lidr[zstd]'")
    return BufferedReader(_Zstandard(raw))


class _Zstandard(RawIOBase):
    """Unpacks one frame after the other; zstandard's own reader takes a file that is cut for one that is at its end."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._frame: Any = None
        self._packed = self._out = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next bytes; none at the end. Raises `EOFError` where the file ends in the middle of a frame."""
        import zstandard

        while not self._out:
            packed = self._packed or self._raw.read(_PIECE)
            if not packed:
                if self._frame is not None and not self._frame.eof:
                    raise EOFError("it is cut: a frame has no end")
                return 0
            if self._frame is None or self._frame.eof:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._out = self._frame.decompress(packed)
            self._packed = self._frame.unused_data if self._frame.eof else b""
        taken = min(len(buffer), len(self._out))
        buffer[:taken], self._out = self._out[:taken], self._out[taken:]
        return taken


@contextmanager
def _raw(source: Source) -> Iterator[IO[bytes]]:
    if isinstance(source, Path) or not is_address(source):
        with opened(Path(source)) as file:
            yield file
        return
    with _asked(source) as (place, path), place.open(path, "rb") as file:
        yield file


def failures() -> tuple[type[BaseException], ...]:
    """What file systems raise when they do not answer: that of botocore, under `s3://`, is no error of the system."""
    loaded = sys.modules.get("botocore.exceptions")
    return (OSError, loaded.BotoCoreError) if loaded else (OSError,)


@contextmanager
def _asked(address: str) -> Iterator[tuple[Any, str]]:
    """The file system of an address, and the path there.

    Raises:
        InputError: nothing knows such addresses, or there is no answer.
    """
    from fsspec.core import url_to_fs

    scheme = address.partition("://")[0]
    try:
        place, path = url_to_fs(address)
    except (ImportError, ValueError) as error:
        needed = EXTRAS.get(scheme)
        raise InputError(f"{address}: {error}", f"pip install '{needed}'" if needed else "") from None
    try:
        yield place, path
    except _DAMAGED:
        raise
    except failures() as error:
        said = " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
        raise InputError(f"{address}: {said[:300]}", "is the name right, and are its keys set?") from None
