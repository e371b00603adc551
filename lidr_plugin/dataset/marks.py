"""What people marked while they looked at a run (`lidr view`): `marks.jsonl`, which the next build honours.

A mark holds for the texts that were seen, whichever of them is chosen: where another model or setting made others, it says
nothing. It is no part of a request's key, so nothing is asked again.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import orjson

from lidr_plugin import files
from lidr_plugin.errors import InputError
from lidr_plugin.machine.inputs import is_there, read_lines
from lidr_plugin.methods.base import Drop, Outcome, Preference, Row

MARKED = "marked"
"""The reason of a row that a person marked as bad."""
REASONS: Mapping[str, str] = {MARKED: "a person marked it as bad in lidr view"}
_KINDS = ("bad", "swap", "")
_REMEDY = "correct the line, or remove it: what it says is then forgotten"


class Mark(NamedTuple):
    """What a person said of a row: that it is bad, that the rejected text is the better one, or nothing; and a note.

    Attributes:
        texts: tells the row, by id, language and texts (`seal`).
    """

    id: str
    language: str
    texts: str
    mark: Literal["bad", "swap", ""] = ""
    note: str = ""


def seal(id: str, language: str, texts: Iterable[str]) -> str:
    """Tells a row from every other, whatever the order of its texts."""
    said = "\0".join([id, language, *sorted(texts)]).encode("utf-8", "replace")
    return hashlib.blake2b(said, digest_size=12).hexdigest()


@dataclass
class Marks:
    """The marks of a run by their rows, and how many a build has honoured."""

    by_texts: Mapping[str, Mark] = field(default_factory=dict)
    honoured: Counter[str] = field(default_factory=Counter)

    @property
    def digest(self) -> str:
        """Tells these marks from others; empty where there are none."""
        said = "\n".join(sorted(f"{texts} {mark.mark}" for texts, mark in self.by_texts.items() if mark.mark))
        return hashlib.blake2b(said.encode(), digest_size=12).hexdigest() if said else ""

    def honour(self, outcome: Outcome) -> Outcome:
        """A prompt's rows without the bad ones, which are dropped, and with those swapped that are to be."""
        if not self.by_texts:
            return outcome
        fates = [self._fate(row) for row in outcome.rows]
        rows = tuple([fate for fate in fates if not isinstance(fate, Drop)])
        marked = [fate for fate in fates if isinstance(fate, Drop)]
        return outcome._replace(rows=rows, drops=(*outcome.drops, *marked))

    def _fate(self, row: Row) -> Row | Drop:
        pair = isinstance(row, Preference)
        texts = [row.chosen.text, row.rejected.text] if isinstance(row, Preference) else [row.output.text]
        found = self.by_texts.get(seal(row.id, row.language, texts))
        if found is None or not found.mark or (found.mark == "swap" and not pair):
            return row
        self.honoured[found.mark] += 1
        return Drop(row, MARKED) if found.mark == "bad" else _swapped(row)


def _swapped(row: Row) -> Row:
    """The pair with its texts exchanged, and whatever else it says of either."""
    sides = {"chosen": "rejected", "rejected": "chosen"}
    other = {
        name: sides[side] + rest for name in row._fields for side in sides if (rest := name.removeprefix(side)) != name
    }
    return row._replace(**{name: getattr(row, other[name]) for name in other})


def read_marks(path: Path) -> Marks:
    """The marks of a run; of several on one row the last holds.

    Raises:
        InputError: a line is no mark, with its number.
    """
    found: dict[str, Mark] = {}
    for number, line in enumerate(read_lines(path, _REMEDY) if is_there(path) else (), 1):
        if line.strip():
            mark = _mark(line, f"{path}:{number}")
            found[mark.texts] = mark
    return Marks({texts: mark for texts, mark in found.items() if mark.mark or mark.note})


def _mark(line: bytes, place: str) -> Mark:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InputError(f"{place}: not valid JSON: {error.msg}", _REMEDY) from None
    if not isinstance(value, dict) or not {"id", "language", "texts"} <= value.keys():
        raise InputError(f"{place}: a mark has id, language and texts, and perhaps mark and note", _REMEDY)
    made = {name: value[name] for name in Mark._fields if name in value}
    if wrong := next((name for name, item in made.items() if not isinstance(item, str)), None):
        raise InputError(f"{place}: {wrong} is a {type(made[wrong]).__name__}, not text", _REMEDY)
    if made.get("mark", "") not in _KINDS:
        raise InputError(f"{place}: unknown mark {made['mark'][:40]!r}; there are bad, swap and an empty one", _REMEDY)
    return Mark(**made)


def add_mark(path: Path, mark: Mark) -> None:
    """Writes a mark at the end of the file, on the disk when this returns; a half-written line before it is closed.

    Raises:
        OSError: it cannot be written.
    """
    with path.open("ab+") as file:
        end = file.seek(0, os.SEEK_END)
        if end and (file.seek(end - 1), file.read(1))[1] != b"\n":
            file.write(b"\n")
        file.write(files.dump_line(mark._asdict()))
        file.flush()
        os.fsync(file.fileno())
