"""What a translation must keep of its source, whatever the languages: numbers, addresses, code, names, lists, and a likely length.

Every check would rather let a loss pass than blame a good translation; benchmarks/fidelity.py counts both.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import cache, lru_cache
from itertools import groupby
from typing import NamedTuple

from lidr_plugin.languages import base
from lidr_plugin.methods.translation_echo import share_within
from lidr_plugin.methods.translation_quantities import are_lost
from lidr_plugin.text.scripts import has_digit

_ADDRESS = re.compile(
    r"(?:https?://|www\.)[!-;=?-~]{3,400}|\b[\w.+-]{1,64}@[A-Za-z0-9-]{1,64}\.[A-Za-z0-9.-]{2,64}", re.ASCII
)
_END_OF_ADDRESS = ".,;:!?)]}'\"*_`"
_SPAN = re.compile(r"`([^`\n]{2,120})`")
_ITEM = re.compile(
    r"\n[ \t]{0,12}(?:(?:[-*•–·]|\d{1,3}[.)]|[a-h][.)])[ \t]{1,4}|\d{1,3}[、．][ \t\u3000]{0,4}|•)(?=[^\s*-]|\*\*)"
)
"""Begins with the end of the line before, for that is found far sooner than the beginning of a line is."""
_PUNCTUATION_OF_CODE = frozenset("(){}[];=<>_")

_SCRIPTS = {
    code: tuple(scripts.split("+"))
    for scripts, codes in {
        "CYRILLIC": "ru uk be bg sr mk kk ky tg mn tt", "ARABIC": "ar fa ur ps ug sd", "HEBREW": "he yi", "CJK": "zh yue",
        "HIRAGANA+KATAKANA+CJK": "ja", "HANGUL": "ko", "DEVANAGARI": "hi mr ne", "BENGALI": "bn", "THAI": "th", "GREEK": "el",
        "TAMIL": "ta", "TELUGU": "te", "KANNADA": "kn", "MALAYALAM": "ml", "GUJARATI": "gu", "GURMUKHI": "pa", "ORIYA": "or",
        "SINHALA": "si", "MYANMAR": "my", "KHMER": "km", "LAO": "lo", "GEORGIAN": "ka", "ARMENIAN": "hy", "ETHIOPIC": "am ti",
    }.items()
    for code in codes.split()
}  # fmt: skip
"""By language, the scripts that it is written in, as Unicode names characters; any other is written in Latin."""
_SIZES = {"LATIN": 1.13, "CYRILLIC": 1.04, "ARABIC": 0.79, "HEBREW": 0.79, "CJK": 0.32, "HIRAGANA": 0.46, "HANGUL": 0.5}
"""Characters for one of English, by the script of a language, for any other 1. Medians of the 858 prompts of `alpagasus` with 40
characters or more: de 1.22, es 1.12, fr 1.13, ru 1.04, ar 0.79, ja 0.46, zh 0.29 (0.33 of `x-alpacaeval`, 0.36 of `mgsm`).
Hebrew as Arabic; Korean by its syllables between Japanese and Arabic."""
_SHORTEST, _LONGEST, _SLACK = 0.4, 2.6, 24
"""Bounds of the length over the usual one; of these prompts 99.6 % lie between 0.52 and 2.2, of `x-alpacaeval` between 0.57 and
2.7. The slack in English characters is for short texts, and for languages whose size was not measured the bounds are wider."""


def loss(source: str, translation: str, origin: str, target: str) -> str | None:
    """What a translation lost, in a word: the first of the checks that finds something; None if it may be one.

    Args:
        origin: code of the source's language.
        target: code of the translation's.
    """
    for what, check in _CHECKS:
        if check(source, translation, origin, target):
            return what
    return None


def _addresses(source: str, translation: str, origin: str, target: str) -> bool:
    """A web or mail address is not there."""
    if not _may_have_address(source):
        return False
    there = translation.casefold()
    found = (address.rstrip(_END_OF_ADDRESS).casefold() for address in _ADDRESS.findall(source))
    return any(address not in there for address in found)


def _code(source: str, translation: str, origin: str, target: str) -> bool:
    """Blocks of code are missing or are code no longer; or most of the code in the text was translated."""
    if "`" not in source:
        return False
    blocks, there = source.split("```")[1::2], translation.split("```")[1::2]
    if blocks and len(source.split("```")) % 2 and len(there) < len(blocks):
        return True
    kept = "\n".join(there)
    if any(_is_code(block) and share_within(block, kept) < 0.25 for block in blocks):
        return True
    spans = [span for span in _SPAN.findall("".join(source.split("```")[::2])) if not span.isalpha()]
    plain = len(spans) > 1 or any(map(_PUNCTUATION_OF_CODE.intersection, spans))
    return plain and sum(span in translation for span in spans) < len(spans) / 2


def _is_code(block: str) -> bool:
    return sum(char in _PUNCTUATION_OF_CODE for char in block) > len(block) / 25


def _names(source: str, translation: str, origin: str, target: str) -> bool:
    """Names in a script that neither language uses are missing, or every one in Latin script where both texts may hold it."""
    usual, allowed = _scripts(origin), _scripts(target)
    if source.isascii() and usual == ("LATIN",):
        return False
    runs = [("".join(run), script) for script, run in groupby(source, _script) if script not in ("", *usual)]
    foreign = {text for text, script in runs if script != "LATIN" and script not in allowed}
    if foreign and sum(text in translation for text in foreign) < len(foreign) / 2:
        return True
    there = translation.casefold()
    familiar = {text.casefold() for text, script in runs if script == "LATIN" and script in allowed and len(text) > 2}
    return len(familiar) > 1 and not any(text in there for text in familiar)


@cache
def _script(char: str) -> str:
    """The first word of a letter's name; empty for what is no letter of one script."""
    if not char.isalpha():
        return ""
    name = re.split("[ -]", unicodedata.name(char, ""), maxsplit=1)[0]
    return {"IDEOGRAPHIC": "CJK", "FULLWIDTH": "", "HALFWIDTH": "", "MODIFIER": ""}.get(name, name)


def _items(source: str, translation: str, origin: str, target: str) -> bool:
    """Items of a list are missing, or there are many more of them."""
    wanted = len(_ITEM.findall(f"\n{source}")) if "\n" in source else 0
    found = len(_ITEM.findall(f"\n{translation}")) if wanted > 1 else 0
    return wanted > 1 and (found < wanted - wanted // 8 or found > 1.5 * wanted + 1)


def _numbers(source: str, translation: str, origin: str, target: str) -> bool:
    """A number is missing that nobody spells out, or another stands in its place."""
    return has_digit(source) and are_lost(_prose(source), _prose(translation), base(origin))


def _length(source: str, translation: str, origin: str, target: str) -> bool:
    """Far shorter or longer than texts of the two languages are."""
    usual = _usual(origin, target)
    of_source, of_translation = len(_prose(source)) / usual.source, len(_prose(translation)) / usual.translation
    too_short = of_translation + _SLACK < _SHORTEST / usual.wide * of_source + _SLACK / 2
    return too_short or of_translation - _SLACK > _LONGEST * usual.wide * of_source


class _Usual(NamedTuple):
    """Characters for one of English in two languages, and by how much wider than for others the bounds are."""

    source: float
    translation: float
    wide: float


@cache
def _usual(origin: str, target: str) -> _Usual:
    sizes = [_SIZES.get(_scripts(code)[0]) for code in (origin, target)]
    source, translation = (
        size if size and base(code) != "en" else 1.0 for size, code in zip(sizes, (origin, target), strict=True)
    )
    return _Usual(source, translation, 1.0 if all(sizes) else 1.3)


@cache
def _scripts(code: str) -> tuple[str, ...]:
    """Those of a language; of one with a region too."""
    return _SCRIPTS.get(base(code), ("LATIN",))


@lru_cache(maxsize=4)  # two checks look at two texts each
def _prose(text: str) -> str:
    """Without blocks of code, addresses and the marks of lists."""
    if "```" in text:
        text = "\n".join(text.split("```")[::2])
    if _may_have_address(text):
        text = _ADDRESS.sub(" ", text)
    return _ITEM.sub("\n", f"\n{text}").strip()


def _may_have_address(text: str) -> bool:
    return "://" in text or "www." in text or "@" in text


_CHECKS: tuple[tuple[str, Callable[[str, str, str, str], bool]], ...] = (
    ("addresses", _addresses),
    ("code", _code),
    ("names", _names),
    ("items", _items),
    ("numbers", _numbers),
    ("length", _length),
)
