"""Foreign text on its way to a terminal, which would obey what is in it."""

import re

from lidr_plugin.errors.redaction import redacted

_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Control characters but for tab and line feed, what turns a line around or hides, and halves of characters."""
_LONGEST_LINE = 5_000
"""Characters; a path has 4,096 at most."""


def inert(text: str) -> str:
    """The text with escape sequences, controls and what turns lines around written out, such as `\\x1b`."""
    return _CONTROLS.sub(lambda match: _written_out(ord(match[0])), text)


def plain(text: str) -> str:
    """The text as it may be told: inert, without secrets, and no line of it so long that it hides the others."""
    told = inert(redacted(text))
    return told if len(told) <= _LONGEST_LINE else "\n".join(map(_shortened, told.split("\n")))


def _shortened(line: str) -> str:
    more = len(line) - _LONGEST_LINE
    return line if more <= 0 else f"{line[: _LONGEST_LINE // 2]}… ({more:,} characters) …{line[-_LONGEST_LINE // 2 :]}"


def one_line(text: str, most: int = 200) -> str:
    """A name, an id or a server's words within a line: plain, line breaks and tabs written out too, so long at most."""
    shown = plain(text).replace("\n", r"\n").replace("\t", r"\t")
    return shown if len(shown) <= most else f"{shown[:most]}…"


def _written_out(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
