"""What a language's writers put around numbers: separators, words for scales, units, answers, and for what is no answer."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from lidr_plugin import languages

_TABLE: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_suffix(".json").read_bytes())
_DECIMAL_COMMA = frozenset(
    "af az be bg bs ca cs da de el eo es et eu fi fr fy gl hr hu hy id is it ka kk ky lb lt lv mk mn nb nl nn no pl pt ro ru "
    "sk sl sq sr sv tg tk tr tt uk uz vi".split()
)
UNITS = {
    **{name: ("time", seconds) for name, seconds in (("second", 1), ("minute", 60), ("hour", 3600), ("day", 86400))},
    "week": ("time", 604_800),
    **{"month": ("calendar", 1), "annum": ("calendar", 12)},
    **{"inch": ("length", 1), "foot": ("length", 12), "ounce": ("weight", 1), "pound": ("weight", 16)},
    **{"cent": ("money", 1), "coin": ("money", 100)},
}
"""Kind of a unit and its size among those of the kind, by its name in the table."""
_SYMBOLS = {
    "kg": ("grams", 1000),
    "g": ("grams", 1),
    "km": ("metres", 100_000),
    "m": ("metres", 100),
    "cm": ("metres", 1),
    **{"кг": ("grams", 1000), "г": ("grams", 1), "км": ("metres", 100_000), "м": ("metres", 100), "см": ("metres", 1)},
    **{"千克": ("grams", 1000), "公斤": ("grams", 1000), "克": ("grams", 1)},
    **{"千米": ("metres", 100_000), "公里": ("metres", 100_000), "米": ("metres", 100), "厘米": ("metres", 1)},
    **dict.fromkeys(("l", "л", "升"), ("litres", 1000)),
    **dict.fromkeys(("ml", "мл", "毫升"), ("litres", 1)),
} | {
    "角": ("money", 10),
    "毛": ("money", 10),
}


def decimal_mark(language: str) -> str:
    """`.` or `,`; empty where the language is not known."""
    code = languages.base(language)
    if code in _DECIMAL_COMMA:
        return ","
    return "." if languages.is_known(code) else ""


def _split(value: str) -> list[str]:
    return value.split("|") if value else []


@cache
def words(kind: str, language: str = "") -> tuple[str, ...]:
    """The words of a kind in a language, or in all languages, the longest first."""
    own = _TABLE.get(languages.base(language))
    found = {word for table in ([own] if own else _TABLE.values()) for word in _split(table.get(kind, ""))}
    return tuple(sorted(found, key=lambda word: (-len(word), word)))


def _runs_on(word: str) -> bool:
    """Whether a word's script has no spaces between words, or hangs further syllables on: Chinese, Japanese, Thai, Korean."""
    return any(
        "\u0e00" <= char <= "\u0eff" or "\u3040" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7a3" for char in word
    )


@cache
def pattern(kind: str, language: str = "") -> str:
    """Of any word of a kind, alone where its script puts spaces between words; for texts in lower case. See `words`."""
    alone = "|".join(re.escape(word) for word in words(kind, language) if not _runs_on(word))
    inside = "|".join(re.escape(word) for word in words(kind, language) if _runs_on(word))
    parts = [rf"(?<![^\W\d_])(?:{alone})(?![^\W\d_])"] if alone else []
    return "(?:" + ("|".join(parts + ([inside] if inside else [])) or "(?!)") + ")"


@cache
def language_of_answer_word(word: str) -> str:
    """The language whose word for an answer it is; empty where several have it."""
    found = [code for code, table in _TABLE.items() if word in _split(table.get("answer", ""))]
    return found[0] if len(found) == 1 else ""


@cache
def scales(language: str) -> dict[str, int]:
    """The powers of ten that words stand for: the language's own, and those that mean the same in all others."""
    common: dict[str, set[int]] = {}
    for table in _TABLE.values():
        for word, power in table.get("scales", {}).items():
            common.setdefault(word, set()).add(power)
    shared = {word: min(powers) for word, powers in common.items() if len(powers) == 1 and len(word) > 3}
    english = _TABLE["en"]["scales"] if languages.base(language) not in _TABLE else {}
    own: dict[str, int] = _TABLE.get(languages.base(language), {}).get("scales", {})
    return shared | {"k": 3} | english | own


@cache
def spelled_numbers(language: str) -> dict[str, int]:
    """The words for 0 to 99, 1 alone left out, for it is an article too; of English they are in `spelled`."""
    table = _TABLE.get(languages.base(language), {})
    small = {word: value for value, word in enumerate(_split(table.get("numbers", ""))) if word}
    ones = [
        *((word, value) for word, value in small.items() if 1 < value < 10),
        *((x, 1) for x in _split(table.get("one", ""))),
    ]
    found = dict(small)
    for value, ten in enumerate(_split(table.get("tens", "")), 2):
        found[ten] = 10 * value
        for form in _split(table["join"]):
            found |= {form.format(ten=ten, one=word, cut=ten[:-1]): 10 * value + one for word, one in ones}
    further = (pair.partition("=") for pair in _split(table.get("further", "")))
    return found | {word: int(value) for value, _, word in further}


@cache
def spelled_pattern(language: str) -> re.Pattern[str]:
    """Finds such a word, and in `large` whether it is only a part of a larger number."""
    table = _TABLE.get(languages.base(language), {})
    names = "|".join(map(re.escape, sorted(spelled_numbers(language), key=len, reverse=True))) or "(?!)"
    large = "|".join([*_split(table.get("large", "")), *map(re.escape, table.get("scales", {}))]) or "(?!)"
    ends = table.get("ends", r"(?!\w)")
    more = rf"(?:{large})(?:[ -](?:y|e|et|na) |[ -])?"
    return re.compile(rf"(?P<before>(?<!\w){more})?(?<!\w)(?P<number>{names}){ends}(?P<after>[ -]?(?:{large})(?!\w))?")


@cache
def units() -> dict[str, tuple[str, int]]:
    """Kind and size by a unit's word, in all languages at once."""
    found = dict(_SYMBOLS)
    for table in _TABLE.values():
        for name, unit in UNITS.items():
            found |= dict.fromkeys(_split(table.get(name, "")), unit)
    return found
