"""Formulae and typography as plain text: LaTeX, Markdown's bold, full-width and native digits, all kinds of spaces."""

import re
import unicodedata
from typing import NamedTuple

THIN = "\u202f"
"""Stands for every space that does not break: between digits it is never the end of a word."""

_SPACES = re.compile("[\u00a0\u2000-\u200a\u202f\u205f]+")
_INVISIBLE = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff]+")
_SUPERSCRIPT = re.compile("[⁺⁻⁰¹²³⁴-⁹]+")
_SUPERSCRIPTS = str.maketrans("⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+-0123456789")
_SAME = str.maketrans(
    {"−": "-", "‐": "-", "‑": "-", "﹣": "-", "’": "'", "ʼ": "'", "′": "'", "⁄": "/", "∕": "/", "：": ":", "∶": ":"}
)
_LATEX = (
    (re.compile(r"\\(?:left|right|displaystyle|textstyle|big|Big|limits|,\s*\\text(?=\{\}))(?![a-zA-Z])"), ""),
    (re.compile(r"\\[,!;: ]|(?<=\d)~(?=\d)"), THIN),
    (re.compile(r"\\(?:times|cdot|ast)(?![a-zA-Z])"), "×"),
    (re.compile(r"\\div(?![a-zA-Z])"), "÷"),
    (re.compile(r"\\(?:approx|equiv|Rightarrow|implies|to|rightarrow|quad|qquad)(?![a-zA-Z])"), " = "),
    (re.compile(r"\\([%$#&_])"), r"\1"),
    (re.compile(r"\\[dtc]?frac\s?(\d)(\d)(?!\d)"), r"\\frac{\1}{\2}"),
    (re.compile(r"(?<=\d)\s?\\[dtc]?frac\s?\{([^{}]{1,60})\}\s?\{([^{}]{1,60})\}"), r" \1/\2"),
    (re.compile(r"\\[dtc]?frac\s?\{([^{}]{1,60})\}\s?\{([^{}]{1,60})\}"), r"\1/\2"),
    (re.compile(r"\^\{([^{}]{1,20})\}"), r"^\1"),
    (re.compile(r"\\(?:text(?:bf|it)?|math(?:rm|bf|it)|mbox|boldsymbol|operatorname|underline)\s?\{([^{}]{0,200})\}"), r"\1"),
)  # fmt: skip
_STARS_OF_POWER = re.compile(r"(?<=\d)\*\*(?=\d)")
_UNDERLINED = re.compile(r"(?<!\w)__(?=\w)|(?<=\w)__(?!\w)")
_SIGNS = re.compile(r"\\[\[\]()]|(?<!\\)\\\\|`")


class Plain(NamedTuple):
    """A text without typography, and the parts of it that were bold."""

    text: str
    bold: tuple[tuple[int, int], ...]


def plain(text: str) -> Plain:
    """The text as somebody would type it who has no formulae: `\\frac{1}{2}` is 1/2, `１，２３４` is 1,234, `m²` is m^2."""
    if not text.isascii():
        text = "".join(_typed(text))
        text = _SPACES.sub(THIN, _INVISIBLE.sub("", text.translate(_SAME)))
        text = _SUPERSCRIPT.sub(lambda match: "^" + match[0].translate(_SUPERSCRIPTS), text)
    text = text.replace("{,}", ",")
    if "\\" in text:
        for pattern, replacement in _LATEX:
            text = pattern.sub(replacement, text)
    text = re.sub("[ \t\r\f\v]+", " ", _SIGNS.sub("", text))
    text = _UNDERLINED.sub("", _STARS_OF_POWER.sub("^", text))
    parts, bold, length = [], [], 0
    for number, part in enumerate(text.split("**")):
        parts.append(part)
        if number % 2 and "\n" not in part:
            bold.append((length, length + len(part)))
        length += len(part)
    return Plain("".join(parts), tuple(bold))


def _typed(text: str) -> list[str]:
    """Its characters: full-width signs, native digits and fractions in one sign as ASCII has them."""
    found = []
    for char in text:
        if char.isascii():
            found.append(char)
        elif char.isdecimal():
            found.append(str(unicodedata.decimal(char)))
        elif "\uff01" <= char <= "\uff5e":
            found.append(chr(ord(char) - 0xFEE0))
        elif unicodedata.category(char) == "No" and "⁄" in (written := unicodedata.normalize("NFKC", char)):
            found.append((" " if found and found[-1].isdigit() else "") + written)
        else:
            found.append(char)
    return found


_BOXED = re.compile(r"\\(?:boxed|fbox)\s?\{")


def last_box(text: str) -> str | None:
    """What stands in the last `\\boxed{…}`; None where there is none."""
    starts = [match.end() for match in _BOXED.finditer(text)]
    if not starts:
        return None
    depth = 1
    for at in range(starts[-1], len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if not depth:
            return text[starts[-1] : at]
    return text[starts[-1] :]
