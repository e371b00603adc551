"""What a server says of an error, for people."""

from typing import Any

import orjson

from lidr_plugin.errors.terminal import one_line


def own_words(content: bytes) -> str:
    """What a server says of an error, on one line."""
    try:
        return words_of(orjson.loads(content))
    except ValueError:
        return words_of(content.decode(errors="replace"))


def words_of(found: Any) -> str:
    """The same in the JSON of an answer."""
    for name in ("error", "detail", "message"):
        if isinstance(found, dict) and found.get(name):
            found = found[name]
    return one_line(" ".join(str(found).split()), 500)
