"""What `lidr view` shows: the rows of a run, its dropped candidates, and the answers of an evaluation."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from lidr_plugin.dataset.marks import seal

FACETS = ("kind", "round", "language", "reason", "source", "length", "score")
"""What items are sorted by, in the order of their columns."""
_LENGTHS = (100, 300, 1000, 3000)
"""Characters of the longest text at which a class of lengths ends."""
_SCORES = (0.0, 0.5, 1.0, 2.0)
"""Score of chosen less that of rejected, likewise."""


class Side(NamedTuple):
    """One of an item's texts: `chosen`, or a model's label; where it comes from; and what else is known of it."""

    name: str
    text: str
    source: str = ""
    about: str = ""


class Item(NamedTuple):
    """A row, a dropped candidate, or a question with its answers.

    Attributes:
        kind: `pair`, `row` (one output), `rejected` or `answers`.
        reason: why it became no row; of answers, the benchmark.
        prompt: empty where the file has none.
    """

    kind: str
    round: int
    language: str
    id: str
    reason: str
    source: str
    prompt: str
    sides: tuple[Side, ...]
    score: float | None = None

    @property
    def facets(self) -> tuple[str, ...]:
        """Its value for each of `FACETS`; empty where it has none."""
        longest = max((len(side.text) for side in self.sides), default=0)
        score = "" if self.score is None else _class_of(self.score, _SCORES)
        rank = str(self.round) if self.round else ""
        return self.kind, rank, self.language, self.reason, self.source, _class_of(longest, _LENGTHS), score

    @property
    def texts(self) -> str:
        """Tells it from every other: see `dataset.marks.seal`."""
        return seal(self.id, self.language, [side.text for side in self.sides])


def _class_of(number: float, ends: tuple[float, ...]) -> str:
    """The class of a number, in words that sort as text; the figures are those of the ends."""
    for place, end in enumerate(ends):
        if number <= end:
            return f"{place} up to {end:g}"
    return f"{len(ends)} more than {ends[-1]:g}"


def item_of(line: bytes, round: int) -> Item | None:
    """The item in a line of a dataset or of `rejected.jsonl`; None if there is none."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(row, dict) or not ({"chosen", "rejected"} <= row.keys() or "output" in row):
        return None
    if isinstance(row.get("chosen"), list):  # a conversation, whose row lies in alpaca form beside it
        return None
    names = ("chosen", "rejected") if "chosen" in row else ("output",)
    sides = tuple([Side(name, _text(row, name), _text(row, f"{name}_source")) for name in names])
    prompt = "\n".join(filter(None, (_text(row, "instruction"), _text(row, "input"))))
    reason = _text(row, "reason")
    kind = "rejected" if reason else "pair" if len(names) == 2 else "row"
    return Item(
        kind, round, _text(row, "language"), _text(row, "id"), reason, sides[0].source, prompt, sides, _margin(row)
    )


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name, "")
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _margin(row: Mapping[str, Any]) -> float | None:
    """By how much chosen is scored higher; a method that scores nothing has no such keys."""
    try:
        margin = float(row["chosen_score"]) - float(row["rejected_score"])
    except (KeyError, TypeError, ValueError):
        return None
    return margin if math.isfinite(margin) else None
