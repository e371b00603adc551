"""Language codes (BCP 47: `de`, `pt-BR`, `zh-Hant`) and their English names."""

import re
from functools import lru_cache
from typing import NamedTuple

_NAMES = """
af Afrikaans|am Amharic|ar Arabic|az Azerbaijani|be Belarusian|bg Bulgarian|bn Bengali|bs Bosnian|ca Catalan|ceb Cebuano
cs Czech|cy Welsh|da Danish|de German|el Greek|en English|eo Esperanto|es Spanish|et Estonian|eu Basque|fa Persian
fi Finnish|fil Filipino|fr French|fy Frisian|ga Irish|gl Galician|gu Gujarati|ha Hausa|he Hebrew|hi Hindi|hr Croatian
ht Haitian Creole|hu Hungarian|hy Armenian|id Indonesian|ig Igbo|is Icelandic|it Italian|ja Japanese|jv Javanese
ka Georgian|kk Kazakh|km Khmer|kn Kannada|ko Korean|ku Kurdish|ky Kyrgyz|la Latin|lb Luxembourgish|lg Ganda|lo Lao
lt Lithuanian|lv Latvian|mg Malagasy|mi Maori|mk Macedonian|ml Malayalam|mn Mongolian|mr Marathi|ms Malay|mt Maltese
my Burmese|nb Norwegian Bokmål|ne Nepali|nl Dutch|nn Norwegian Nynorsk|no Norwegian|ny Chichewa|om Oromo|or Odia
pa Punjabi|pl Polish|ps Pashto|pt Portuguese|qu Quechua|ro Romanian|ru Russian|rw Kinyarwanda|sd Sindhi|si Sinhala
sk Slovak|sl Slovenian|sn Shona|so Somali|sq Albanian|sr Serbian|st Sotho|su Sundanese|sv Swedish|sw Swahili|ta Tamil
te Telugu|tg Tajik|th Thai|ti Tigrinya|tk Turkmen|tl Tagalog|tn Tswana|tr Turkish|ts Tsonga|tt Tatar|ug Uyghur
uk Ukrainian|ur Urdu|uz Uzbek|vi Vietnamese|wo Wolof|xh Xhosa|yi Yiddish|yo Yoruba|yue Cantonese|zh Chinese|zu Zulu
"""

NAMES: dict[str, str] = dict(
    entry.split(" ", maxsplit=1) for line in _NAMES.strip().splitlines() for entry in line.split("|")
)
"""Code to English name. They stand in requests, hence in the keys of completions, and never change; langcodes knows the others."""

_VARIANTS = {
    "zh-hans": "Simplified Chinese",
    "zh-hant": "Traditional Chinese",
    "zh-cn": "Simplified Chinese",
    "zh-tw": "Traditional Chinese",
    "pt-br": "Brazilian Portuguese",
    "pt-pt": "European Portuguese",
}
_SCRIPT_NAMES = {"latn": "Latin", "cyrl": "Cyrillic", "arab": "Arabic", "deva": "Devanagari", "guru": "Gurmukhi"}
_SCRIPT_OF_REGION = {"tw": "Hant", "hk": "Hant", "mo": "Hant", "cn": "Hans", "sg": "Hans"}  # of Chinese

RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ps", "sd", "ug", "ur", "yi", "iw", "ji", "ckb"})
"""Codes of languages written from right to left."""

_WELL_FORMED = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,4}")


class Tag(NamedTuple):
    """A code, taken apart.

    Attributes:
        base: the language alone, in its present form: `he` for `iw`, `no` for `nb`, `tl` for `fil`.
        script: the ISO 15924 code that the tag names, or that follows from its region (`zh-TW` is `Hant`); None if neither.
    """

    base: str
    script: str | None


_SAME = {"nb": "no", "fil": "tl", "iw": "he", "in": "id", "ji": "yi", "jw": "jv", "mo": "ro"}


@lru_cache(maxsize=1024)
def tag(code: str) -> Tag:
    """A well-formed code, taken apart; two codes with the same tag are not told apart in texts."""
    language, *parts = code.lower().split("-")
    script = next((part.capitalize() for part in parts if len(part) == 4 and part.isalpha()), None)
    if language not in NAMES and language not in _SAME:
        from langcodes import Language  # its tables are read only where our own do not have the language

        known = Language.get(language)
        language, script = known.language or language, script or known.script
    if language == "zh" and script is None:
        script = next((_SCRIPT_OF_REGION[part] for part in parts if part in _SCRIPT_OF_REGION), None)
    return Tag(_SAME.get(language, language), script)


def usual_script(language: str) -> str:
    """The script that most texts in a language are written in, for languages that `text.scripts` does not list."""
    from langcodes import Language

    return Language.get(language).maximize().script or "Latn"


def base(code: str) -> str:
    """The code without its region: `pt-BR` is `pt`."""
    return code.split("-", maxsplit=1)[0].lower()


def is_well_formed(code: str) -> bool:
    """Whether the code has the shape of a BCP 47 tag. Codes become parts of paths: nothing else is let in."""
    return bool(_WELL_FORMED.fullmatch(code))


def is_known(code: str) -> bool:
    """Whether the code is well formed, and of a language whose English name is known."""
    return is_well_formed(code) and _name(base(code)) is not None


@lru_cache(maxsize=1024)
def name_of(code: str) -> str:
    """The English name of a known code, as a translation request says it: `de` is `German`. Else the code itself."""
    language, *parts = code.lower().split("-")
    if variant := _VARIANTS.get("-".join([language, *parts[:1]])):
        return variant
    name = _name(language) or code
    script = next((_SCRIPT_NAMES[part] for part in parts if part in _SCRIPT_NAMES), None)
    return f"{name} ({script} script)" if script else name


@lru_cache(maxsize=1024)
def _name(language: str) -> str | None:
    if language in NAMES:
        return NAMES[language]
    from langcodes import Language

    name = Language.get(language).language_name("en")
    return None if name.startswith("Unknown language") else name
