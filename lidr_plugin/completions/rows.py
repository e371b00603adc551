"""Completions as rows of the store, each with a checksum."""

import zlib
from typing import Any, NamedTuple

import orjson

from lidr_plugin.completions.requests import Completion, key_of

COLUMNS = "key text finish_reason prompt_tokens completion_tokens prefilled request first_token checksum".split()


class Entry(NamedTuple):
    """A stored completion with the canonical JSON of its request."""

    request: bytes
    completion: Completion

    @property
    def answer(self) -> Completion:
        """What answers the request."""
        return self.completion


class Row(NamedTuple):
    """A row as it lies in the file; `request` in UTF-8, `checksum` None in a row of version 0.1."""

    key: bytes
    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    prefilled: int
    request: bytes
    first_token: str | None
    checksum: int | None

    @classmethod
    def of(cls, request: bytes, c: Completion) -> "Row":
        """The row of a completion."""
        tokens = orjson.dumps(c.first_token).decode() if c.first_token else None
        row = cls(key_of(request), *c[:4], int(bool(c.prefilled)), request, tokens, None)
        return row._replace(checksum=sum_of(row))

    def values(self) -> tuple[bytes | str | int | None, ...]:
        """As SQLite takes it, which knows text by its type."""
        return (*self[:6], self.request.decode(), *self[7:])

    def entry(self, *, sealed: bool) -> Entry | None:
        """What a row of which nothing is known holds; None if it is not as it was written."""
        kinds = (bytes, str, str, int, int, int, bytes, str | None, int | None)
        if not all(map(isinstance, self, kinds)) or not is_sound(self, sealed=sealed):
            return None
        try:
            return Entry(self.request, completion_of(self))
        except (ValueError, TypeError):
            return None


# A look-up takes rows as SQLite gives them: to make a record of each would be a tenth of its time.


def sum_of(row: tuple[Any, ...]) -> int:
    """The checksum over the key of a row, and all for which the key does not vouch: it is the request's own SHA-256."""
    key, text, reason, prompt, completion, prefilled, _, first, _ = row
    said = f"{reason}\0{prompt}\0{completion}\0{prefilled}\0{first or ''}\0{text}"
    return zlib.crc32(said.encode(), zlib.crc32(key))


def is_sound(row: tuple[Any, ...], request: bytes | None = None, *, sealed: bool) -> bool:
    """Whether a row is as it was written; where rows may lack a checksum, as far as that can be told.

    Args:
        request: the one of its key, where that is known.
    """
    if (sealed or row[8] is not None) and row[8] != sum_of(row):
        return False
    return bool(row[6] == request if request is not None else key_of(row[6]) == row[0])


def completion_of(row: tuple[Any, ...]) -> Completion:
    """A row's completion. Raises `ValueError` or `TypeError` where its tokens are no JSON, or other JSON."""
    return Completion(row[1], row[2], row[3], row[4], bool(row[5]), _tokens(row[7]) if row[7] else None)


def _tokens(text: str) -> tuple[tuple[str, float], ...] | None:
    # None: what version 0.1 made of a log-probability that is no number.
    return tuple((token, value) for token, value in orjson.loads(text) if value is not None) or None
