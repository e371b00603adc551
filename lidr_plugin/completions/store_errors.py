"""What can be wrong with the file of a store, in words."""

import stat
from pathlib import Path

from lidr_plugin.errors import InputError, StoreError

ELSEWHERE = "move it away, or set `store` or output_dir to another place"
_FULL = "free some space and start again; nothing is lost"
_SAID = {
    "FULL": ("the disk is full", _FULL),
    "IOERR": ("the disk is full, or fails (disk I/O error)", _FULL),
    "BUSY": (
        "locked by another program",
        "end what reads or copies it (a browser for databases, a backup); on a network's disk one process has it at a time",
    ),
    "READONLY": ("cannot be written: the file, its folder or its disk is read-only", "set `store` elsewhere"),
    "CANTOPEN": ("cannot be opened, or its folder cannot be written", "check the folder's owner, mode and disk"),
}
"""SQLite's error codes in words, with what to do."""


def check_place(path: Path) -> None:
    """Refuses what can be no store, before anything is opened or written.

    Raises:
        InputError: there is a folder, a pipe, a device or a link that leads nowhere.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", ELSEWHERE) from None
    if not stat.S_ISREG(mode):
        kind = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe"}.get(stat.S_IFMT(mode), "a device")
        raise InputError(f"{path}: {kind}, not a completion store", ELSEWHERE)


class UnreadableError(StoreError):
    """The file is no store, damaged, or of a newer lidr: SQLite does not read it, and an export looks at its pages."""


def in_words(path: Path, error: Exception) -> StoreError:
    """What SQLite raised; it has no code where bytes are no UTF-8, also in its own message, or a value is none of its own."""
    code = getattr(error, "sqlite_errorname", "SQLITE_CORRUPT").split("_")[1]
    if isinstance(error, OverflowError | UnicodeEncodeError) or code == "CONSTRAINT":
        return StoreError(f"{path}: an answer cannot be stored: {error}", "whoever answered sent no chat completion")
    if code in ("CORRUPT", "NOTADB"):
        return damaged(path, str(error) if hasattr(error, "sqlite_errorname") else "malformed")
    what, hint = _SAID.get(code, (str(error), "check that the folder exists and can be written"))
    return StoreError(f"{path}: {what}", hint)


def damaged(path: Path, what: str) -> UnreadableError:
    """A file that is no store, or one no more."""
    return UnreadableError(f"{path}: not a completion store, or damaged ({what})", remedy(path))


def remedy(path: Path) -> str:
    """What to do about a damaged store."""
    return (
        f"lidr store export {path} saved.jsonl     saves all that can be read\n"
        f"mv {path} {path}.damaged\n"
        f"lidr store import {path} saved.jsonl     then the same command asks again for what is missing alone"
    )
