"""Completions as rows of the store, each with a checksum."""

import zlib
from typing import NamedTuple

import orjson

from lidr_plugin.completions.requests import Completion, key_of

COLUMNS = "key text finish_reason prompt_tokens completion_tokens prefilled request first_token checksum".split()


class Entry(NamedTuple):
    """A stored completion with the canonical JSON of its request."""

    request: bytes
    completion: Completion


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
        return row._replace(checksum=row.sum())

    def values(self) -> tuple[bytes | str | int | None, ...]:
        """As SQLite takes it, which knows text by its type."""
        return (*self[:6], self.request.decode(), *self[7:])

    def sum(self) -> int:
        """The checksum over the key, and all for which the key does not vouch: it is the request's own SHA-256."""
        key, text, reason, prompt, completion, prefilled, _, first, _ = self
        said = f"{reason}\0{prompt}\0{completion}\0{prefilled}\0{first or ''}\0{text}"
        return zlib.crc32(said.encode(), zlib.crc32(key))

    def is_sound(self, *, sealed: bool) -> bool:
        """Whether it is as it was written; where rows may lack a checksum, as far as that can be told."""
        if (sealed or self.checksum is not None) and self.checksum != self.sum():
            return False
        return key_of(self.request) == self.key

    def entry(self, *, sealed: bool) -> Entry | None:
        """What a row of which nothing is known holds; None if it is not as it was written."""
        kinds = (bytes, str, str, int, int, int, bytes, str | None, int | None)
        if not all(map(isinstance, self, kinds)) or not self.is_sound(sealed=sealed):
            return None
        try:
            return Entry(self.request, self.completion())
        except (ValueError, TypeError):
            return None

    def completion(self) -> Completion:
        """Its completion. Raises `ValueError` or `TypeError` where its tokens are no JSON, or other JSON."""
        # None: what version 0.1 made of a log-probability that is no number.
        found = orjson.loads(self.first_token) if self.first_token else []
        tokens = tuple((token, value) for token, value in found if value is not None) or None
        return Completion(*self[1:5], bool(self.prefilled), tokens)
