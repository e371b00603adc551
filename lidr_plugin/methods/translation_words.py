"""The wordings of translation_words.txt, by which people ask for a translation."""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from lidr_plugin.languages import NAMES

_FILE = Path(__file__).with_suffix(".txt")
_QUOTED = r"['\"“”„‘’‚«»「『‹]"
_TEXT = (
    r"(?:sentences?|phrases?|texts?|paragraphs?|words?|poems?|passages?|letters?|e-?mails?|messages?|articles?|quot(?:e|ation)s?|"
    r"sayings?|proverbs?|expressions?|statements?|cv|resume|documents?|lyrics|songs?|stor(?:y|ies)|titles?|dialogues?|speech|"
    r"terms?|questions?|names?|idioms?|summary|conversation)"
)
_TO_NO_LANGUAGE = (
    r"(?![^.\n\"“]{0,60}\b(?:in)?to\s{1,3}(?!(?:the\s{1,3}|simple\s{1,3}|modern\s{1,3})?(?:{L})\b)|[^.\n]{0,60}\bby\s)"
)
_FURTHER_NAMES = {"Mandarin", "Farsi", "Castilian", "Flemish", "Gaelic"}


class Words(NamedTuple):
    """How a request for a translation is worded in one language.

    Attributes:
        triggers: words one of which is in every such request, in small letters.
        ascii_triggers: those of them that a text of ASCII may have.
        wordings: all wordings, as the text of one pattern.
    """

    triggers: tuple[str, ...]
    ascii_triggers: tuple[str, ...]
    wordings: str

    @property
    def asking(self) -> re.Pattern[str]:
        """All wordings as one pattern, made when it is first needed: most runs need few of the languages."""
        return _compiled(self.wordings)


@cache
def _compiled(wordings: str) -> re.Pattern[str]:
    return re.compile(wordings, re.IGNORECASE | re.MULTILINE)


@cache
def every() -> tuple[Words, ...]:
    """The wordings in every language."""
    sections = re.split(r"(?m)^\[.{1,40}\]\n", _FILE.read_text(encoding="utf-8"))
    return tuple(_words(section.strip().split("\n")) for section in sections[1:])


@cache
def trigger(*, ascii_only: bool) -> re.Pattern[str]:
    """Finds any of the triggers, as a tree of their letters: a few hundred words one by one take several times as long.

    Args:
        ascii_only: for a text of ASCII, in which words with other letters need not be looked for.
    """
    triggers = {word for words in every() for word in (words.ascii_triggers if ascii_only else words.triggers)}
    return re.compile(_tree(triggers))


def _tree(words: Iterable[str]) -> str:
    """A pattern for any of the words; one that begins with another stands for no more than that."""
    tails: dict[str, set[str]] = {}
    for word in words:
        tails.setdefault(word[:1], set()).add(word[1:])
    branches = (re.escape(letter) + ("" if "" in rest else _tree(rest)) for letter, rest in sorted(tails.items()))
    return f"(?:{'|'.join(branches)})"


def _words(lines: list[str]) -> Words:
    _, endings, names = lines[0].split(" ", 2)
    known = sorted({*NAMES.values(), *_FURTHER_NAMES}, key=len, reverse=True)
    names = names.replace("{every English name}", "|".join(known))
    language = rf"(?:{names})\w{{0,{endings}}}" if endings != "0" else names
    wordings = "|".join(f"(?:{pattern})" for pattern in lines[2:]).replace("{N}", _TO_NO_LANGUAGE)
    wordings = wordings.replace("{T}", _TEXT).replace("{Q}", _QUOTED).replace("{L}", language)
    triggers = f"{names}|{lines[1].partition(' ')[2]}".casefold().split("|")
    plain = tuple(filter(str.isascii, triggers))
    return Words(tuple(triggers), plain, wordings)


CODES = re.compile(r"\b[A-Z]{2}\s{0,2}(?:-{1,2}>|→|=>|>)\s{0,2}[A-Z]{2}\b")
"""`EN -> DE`."""
