"""Files that appear whole or not at all."""

import io
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import orjson


def dump_line(value: Any) -> bytes:
    """One JSON object as a line of UTF-8."""
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Opens a file that takes the place of `path` when the block ends well, and leaves no trace when it does not.

    The new content is flushed to the disk before the rename, so a crash leaves the old file or the new one. An `OSError`
    names `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not `tempfile`: its files are for their owner alone, and a umask cannot be asked for without being changed.
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb", buffering=1 << 20) as file:
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
        file.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


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


def sweep(directory: Path) -> None:
    """Removes the unfinished files that a killed process left in `directory`."""
    for path in directory.glob(".*.part"):
        path.unlink(missing_ok=True)
