"""Files that appear whole or not at all."""

import errno
import fcntl
import glob
import io
import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import orjson


def dump_line(value: Any) -> bytes:
    """One JSON object as a line of UTF-8."""
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


def dump_json(value: Any) -> bytes:
    """Indented JSON, as a file has it that people read too."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Opens a file that takes the place of `path` when the block ends well, and leaves no trace when it does not.

    The new content is flushed to the disk before the rename, so a crash leaves the old file or the new one. Where `path` is a
    link, that to which it leads is replaced; a device or a pipe is written to.

    Raises:
        OSError: with the name of `path`; it cannot be written, or is a folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        # Without waiting for a reader of a pipe: where there is none the system says so.
        with open(os.open(path, os.O_WRONLY | os.O_NONBLOCK), "wb") as stream:
            os.set_blocking(stream.fileno(), True)
            yield stream
        return
    path = Path(os.path.realpath(path)) if path.is_symlink() else path
    if path.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    # Not `tempfile`: its files are for their owner alone, and a umask cannot be asked for without being changed.
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    sweep(path.parent, path.name)
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb", buffering=1 << 20) as file:
            _hold(file.fileno())
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(part, path)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename in (None, str(part)):
            error.filename = str(path)  # of a full disk the system names no file
        with suppress(OSError):
            part.unlink()
        raise


def write_text(path: Path, text: str) -> None:
    """Replaces `path` by `text`, whole or not at all."""
    with replacing(path) as file:
        file.write(text.encode())


def write_json(path: Path, value: Any) -> None:
    """Replaces `path` by indented JSON, whole or not at all."""
    with replacing(path) as file:
        file.write(dump_json(value))


def yaml_of(values: Mapping[str, Any]) -> str:
    """YAML for LLaMA-Factory and lm-eval, whose reader speaks YAML 1.1: `5.0e-07` is a number there, `no` needs quotes."""
    from ruamel.yaml import YAML

    writer, text = YAML(typ="safe", pure=True), io.StringIO()
    writer.version = "1.1"
    writer.default_flow_style = False
    # ruamel.yaml declares it as None, which means that keys are sorted.
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.width = 120
    # YAML 1.1 takes these for line breaks, also within quotes, where they stand unescaped.
    writer.allow_unicode = not any(c in json.dumps(values, ensure_ascii=False) for c in "\x85\u2028\u2029")
    writer.dump(dict(values), text)
    return text.getvalue().removeprefix("%YAML 1.1\n---\n")


def sweep(directory: Path, name: str = "*") -> None:
    """Removes the unfinished files of that name that killed processes left in `directory`; those of living ones stay."""
    for path in directory.glob(f".{glob.escape(name) if name != '*' else name}.*.part"):
        if re.fullmatch(r"\..+\.[0-9a-f]{16}\.part", path.name):
            with suppress(OSError), path.open("r+b") as file:
                if _hold(file.fileno()):
                    path.unlink()


def _hold(handle: int) -> bool:
    """Marks an open file as being written, for as long as its process lives; whether no other one has."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
