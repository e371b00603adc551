"""Scores as rows of the store, each with a checksum."""

import zlib
from typing import Any, NamedTuple, cast

from lidr_plugin.completions.requests import Kind, Scored, key_of
from lidr_plugin.completions.scores import bytes_of, check, values_of

COLUMNS = "key kind vals request checksum".split()
KINDS = ("logprob", "reward", "embed")


class ScoreEntry(NamedTuple):
    """A stored score with the canonical JSON of its request."""

    request: bytes
    kind: Kind
    scored: Scored

    @property
    def answer(self) -> Scored:
        """What answers the request."""
        return self.scored


class ScoreRow(NamedTuple):
    """A row as it lies in the file; `request` in UTF-8."""

    key: bytes
    kind: str
    vals: bytes
    request: bytes
    checksum: int

    @classmethod
    def of(cls, entry: ScoreEntry) -> "ScoreRow":
        """The row of a score."""
        key, vals = key_of(entry.request), bytes_of(entry.kind, entry.scored.values)
        return cls(key, entry.kind, vals, entry.request, _sum(key, entry.kind, vals))

    def values(self) -> tuple[bytes | str | int, ...]:
        """As SQLite takes it, which knows text by its type."""
        return self.key, self.kind, self.vals, self.request.decode(), self.checksum


def score_entry(row: tuple[Any, ...]) -> ScoreEntry | None:
    """What a row holds; None if it is not as it was written."""
    if len(row) != len(COLUMNS) or not all(map(isinstance, row, (bytes, str, bytes, bytes, int))):
        return None
    key, kind, vals, request, checksum = row
    if kind not in KINDS or checksum != _sum(key, kind, vals) or key_of(request) != key:
        return None
    try:
        values = values_of(kind, vals)
        check(cast("Kind", kind), values)
    except ValueError:
        return None
    return ScoreEntry(request, cast("Kind", kind), Scored(values))


def _sum(key: bytes, kind: str, vals: bytes) -> int:
    """The checksum over all but the request, for which the key vouches."""
    return zlib.crc32(vals, zlib.crc32(kind.encode(), zlib.crc32(key)))
