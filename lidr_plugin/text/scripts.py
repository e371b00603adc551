"""Scripts: how they are written, which of a text's characters are in which, and which of them a language uses."""

import re
import unicodedata
from functools import cache

from lidr_plugin import languages

UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u0f00-\u0fff"  # Tibetan: a dot ends a syllable, a space a clause
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Burmese
    "\u1780-\u17ff"  # Khmer
    "\u3040-\u30ff\uff66-\uff9f"  # Japanese syllables, of half width too
    "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese characters
)
"""Scripts without spaces between words, as the inside of a regular expression's `[…]`: what is counted in words elsewhere
is counted in characters here."""

DENSE = UNSPACED + "\uac00-\ud7af"
"""Scripts of which a character says about as much as three Latin letters. Korean has spaces, but writes syllables."""

# The first word of a character's Unicode name, the ISO 15924 code of its script, and the letter that stands for it in `marks`.
_SCRIPTS = """
LATIN Latn L|CYRILLIC Cyrl C|GREEK Grek G|ARMENIAN Armn M|HEBREW Hebr B|ARABIC Arab A|DEVANAGARI Deva D|BENGALI Beng N
GURMUKHI Guru U|GUJARATI Gujr J|ORIYA Orya O|TAMIL Taml T|TELUGU Telu E|KANNADA Knda K|MALAYALAM Mlym Y|SINHALA Sinh S
THAI Thai I|LAO Laoo P|TIBETAN Tibt Q|MYANMAR Mymr R|GEORGIAN Geor V|HANGUL Hang W|ETHIOPIC Ethi X|KHMER Khmr Z
HIRAGANA Kana F|KATAKANA Kana F|KATAKANA-HIRAGANA Kana F|CJK Hani H|IDEOGRAPHIC Hani H|BOPOMOFO Bopo b|MONGOLIAN Mong m
THAANA Thaa t|SYRIAC Syrc s|CHEROKEE Cher c|JAVANESE Java j|BALINESE Bali i|NKO Nkoo k|TIFINAGH Tfng f|OL Olck o|YI Yiii y
MEETEI Mtei e|CANADIAN Cans n|SUNDANESE Sund u|COPTIC Copt p|GOTHIC Goth g|ADLAM Adlm a|VAI Vaii v|CHAKMA Cakm h
"""
_ENTRIES = [entry.split() for line in _SCRIPTS.strip().splitlines() for entry in line.split("|")]
_MARK_OF_NAME = {name: mark for name, _, mark in _ENTRIES}
_MARK_OF_CODE = {code: mark for _, code, mark in _ENTRIES}

OTHER, JOINS, DIGIT = " ", "+", "0"
"""What `marks` writes for a character that belongs to no script, for one that belongs to the word it stands in, and for a digit."""

_JOINERS = "\u00ad\u0640\u200c\u200d\u2060\u30fc\uff70"  # the lengthening signs of Arabic and Japanese among them


class _Marks(dict[int, str]):
    """Code point to mark, filled as code points are met."""

    def __missing__(self, point: int) -> str:
        mark = self[point] = _mark(chr(point))
        return mark


def _mark(char: str) -> str:
    category = unicodedata.category(char)
    if char in _JOINERS:
        return JOINS
    if category == "Nd":
        return DIGIT
    if category[0] not in "LM":
        return OTHER
    words = unicodedata.name(char, "").split(" ", 2)
    if words[0] in ("FULLWIDTH", "HALFWIDTH") and len(words) > 1:
        return _MARK_OF_NAME.get(words[1], OTHER)
    if found := _MARK_OF_NAME.get(words[0]):
        return found
    # An accent or a vowel sign without a script of its own belongs to its word; ℝ, ª and the like are signs.
    return JOINS if category[0] == "M" or words[0] == "MODIFIER" else OTHER


_TABLE = _Marks()
_DIGIT = re.compile(r"\d")
_NO_DIGITS = bytes(byte for byte in range(256) if not chr(byte).isdecimal())


def marks(text: str) -> str:
    """The text with one letter for each character's script, of the same length: `"Й 7x"` is `"C 0L"`."""
    return text.translate(_TABLE)


def in_latin_1(text: str) -> bytes | None:
    """The text in Latin-1, if all of it is: then its letters are Latin, and a look at it need not be one at every character."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return None


def has_digit(text: str) -> bool:
    """Whether a decimal digit of any script is in the text."""
    data = in_latin_1(text)
    return bool(data.translate(None, _NO_DIGITS) if data is not None else _DIGIT.search(text))


def mark_of(script: str) -> str:
    """The letter that stands for a script in `marks`; an empty text for one that is not told apart."""
    return _MARK_OF_CODE.get(script, "")


_WRITTEN = """
Cyrl be bg ky mk mn ru tg tt uk ba ce cv os|Cyrl,Latn sr kk uz tk|Latn,Cyrl,Arab az ku|Arab ar fa ps ug ur sd ckb arz ary
Deva hi mr ne sa mai bho|Beng bn as|Guru,Arab pa|Gujr gu|Orya or|Taml ta|Telu te|Knda kn|Mlym ml|Sinh si|Thai th|Laoo lo
Mymr my shn|Khmr km|Tibt bo dz|Geor ka|Armn hy|Grek el|Hebr he yi|Ethi am ti|Hang ko|Kana,Hani ja|Hani,Bopo zh yue wuu
Thaa dv
"""
_SCRIPTS_OF = {
    language: tuple(entry.split(" ")[0].split(","))
    for line in _WRITTEN.strip().splitlines()
    for entry in line.split("|")
    for language in entry.split(" ")[1:]
}
_UNIONS = {
    "Jpan": ("Kana", "Hani"),
    "Hrkt": ("Kana",),
    "Hira": ("Kana",),
    "Kore": ("Hang", "Hani"),
    "Hans": ("Hani", "Bopo"),
    "Hant": ("Hani", "Bopo"),
}


@cache
def written_in(code: str) -> str:
    """The letters of `marks` that a language is written in."""
    tag = languages.tag(code)
    found = usual(tag.base, tag.script)
    if tag.base not in _SCRIPTS_OF and tag.base not in languages.NAMES and tag.script is None:
        found = usual(tag.base, languages.usual_script(tag.base))
    return "".join(map(mark_of, found))


def usual(language: str, script: str | None = None) -> tuple[str, ...]:
    """The scripts that a language is written in, by ISO 15924 code; with `script`, as a BCP-47 tag names it, in that one alone."""
    if script:
        return _UNIONS.get(script, (script,))
    return _SCRIPTS_OF.get(language, ("Latn",))
