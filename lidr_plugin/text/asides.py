"""Numbers in a text that are no answer: dates, times, steps and pages referred to, what stands in parentheses or is denied."""

import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from lidr_plugin.text.number_words import pattern
from lidr_plugin.text.numerals import Numeral


class Marks(NamedTuple):
    """Of each number: empty where it may be the answer; `minor` if another in its sentence is rather; `aside` if another
    in the text is rather; `none` if it is not."""

    of: list[str]
    starts: dict[int, int]

    def at(self, numeral: Numeral) -> str:
        """Of one number."""
        return self.of[self.starts[numeral.start]]


def marks_of(lower: str, numerals: Sequence[Numeral], language: str) -> Marks:
    """Of the numbers of a text in lower case."""
    marks = bytearray(len(lower) + 1)
    for kind, patterns in ((1, _minor()), (2, _aside()), (3, _none(language))):
        for found in patterns:
            for match in found.finditer(lower):
                start, end = match.span("n") if "n" in found.groupindex else match.span()
                marks[start:end] = bytes([kind]) * (end - start)
    names = ("", "minor", "aside", "none")
    of = [names[marks[numeral.end - 1]] for numeral in numerals]
    return Marks(of, {numeral.start: place for place, numeral in enumerate(numerals)})


_NUMBER = r"\d[\d.,]{0,11}"
_OUT_OF = "out of|of the|von|van de|sur|su|из|z|з|av|af|จาก|dari|trên|kati ya|من أصل|من بين|מתוך"
_YEAR = r"(?:1[5-9]|2[0-5])\d\d"


@cache
def _none(language: str) -> tuple[re.Pattern[str], ...]:
    month, reference, joint = pattern("months"), pattern("reference"), pattern("and")
    clock = r"\d{1,2}\s?h(?:\s?\d\d)?"
    return tuple(
        re.compile(text, re.MULTILINE)
        for text in (
            rf"\d{{1,2}}(?:\.|st|nd|rd|th|er|º)?\s(?:(?:de|of|di)\s)?{month}\.?,?(?:\s(?:(?:de|del)\s)?\d{{4}}(?:\s(?:года|году|г\.|роки|року))?)?(?!\d)",
            rf"{month}\.?\s\d{{1,2}}(?:st|nd|rd|th)?(?:,?\s\d{{4}})?(?![\d,.]\d|\d)",
            rf"{month}\.?,?\s(?:de\s)?\d{{4}}(?!\d)",
            r"(?<![\d.,/-])\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?![\d/-])",
            r"(?<![\d.,/-])\d{1,2}([-/.])\d{1,2}\1\d{4}(?![\d/-])",
            r"\d{4}\s?[年년](?:\s?\d{1,2}\s?[月월](?:\s?\d{1,2}\s?[日일号])?)?",
            r"\d{1,2}\s?[月월]\s?\d{1,2}\s?[日일号]",
            r"(?<![\d:])\d{1,2}:\d\d(?::\d\d)?(?![\d:])(?:\s?[ap]\.?m\b\.?)?",
            r"(?<![\d.,])\d{1,2}\s?[ap]\.?m\b\.?",
            r"(?<![\d:])\d+:\d+(?![\d:])",
            rf"{clock}\s?(?:à|-|–|et)\s?{clock}",
            r"\d{1,2}\s?[時时시点點](?:半|\s?\d{1,2}\s?[分분])?(?:から|まで|に|부터|까지|에|到|至)",
            r"\bv\d+(?:\.\d+)*|(?<![\d.])\d+(?:\.\d+){2,}(?![\d.,]*\d)(?<!\d\d\d)",
            r"\[\^\d+\]",
            rf"{reference}\s?[(#]?\d{{1,6}}\)?(?:\s?(?:,|-|–|~|から|到|至|부터|{joint})\s?(?:{reference}\s?)?\d{{1,6}}\)?(?![.,]?\d|[^\W\d_]))*",
            r"第\s?\d+",
            r"(?<!\d)\d{1,4}(?:\s?[~-]\s?\d{1,4})?\s?(?:단계|ページ|페이지|步骤|페이지)",
            rf"{pattern('not', language)}\s?(?:the\s|[$€£])?(?P<n>{_NUMBER})",
            rf"(?<!\d)(?P<n>{_NUMBER})[^\W\d_]{{0,4}}(?:ではな|ではあり|でな|じゃな|이 아니|가 아니|이 아닌|değil)",
        )
    )


@cache
def _aside() -> tuple[re.Pattern[str], ...]:
    return tuple(
        re.compile(text, re.MULTILINE)
        for text in (
            r"\([^()\n]{0,300}\)",
            r"^[ *_>#-]{0,6}" + pattern("check") + r"[^\n]*",
            r"^[ *_>-]{0,6}\(?\d{1,3}[.):、]\s?(?=\D)(?=\S)",
            r"^[ ]?---+[ ]?$[\s\S]*\Z",
            r"\[\d+(?:[,-]\s?\d+)*\]",
            r"(?<![#\d])#\d+",
        )
    )


@cache
def _minor() -> tuple[re.Pattern[str], ...]:
    time = "|".join(pattern(name) for name in ("second", "minute", "hour", "day", "week", "month", "annum"))
    return tuple(
        re.compile(text, re.MULTILINE)
        for text in (
            rf"{pattern('year')}\s(?P<n>{_YEAR})(?![\d.,]*\d)",
            rf"(?P<n>{_YEAR})\s(?:году|год|року)",
            rf"\d\s?(?:[^\W\d_]{{1,12}}\s)?(?:{_OUT_OF})\s(?P<n>{_NUMBER})",
            rf"\d\s(?:[^\W\d_]{{1,12}}\s){{0,2}}with\s(?P<n>{_NUMBER})\s(?:[^\W\d_]{{1,12}}\s)?(?:left|remaining|to spare)\b",
            rf"\d\sde\s(?:(?:los|las|cada|un total de|os|as)\s)?(?P<n>{_NUMBER})",
            r"\b(?:or|oder|ou|o|или)\s(?:about\s|approximately\s|roughly\s|etwa\s|environ\s)?(?P<n>\d[\d.,]{0,6})\s?%",
            r"(?<![\d=])(?<!= )(?P<n>\d{1,6})(?:st|nd|rd|th|ème|º|ª)(?![^\W\d_])",
            rf"{pattern('after')}\s(?:the\s|los\s|las\s|les\s)?(?P<n>{_NUMBER})\s(?:{time})",
        )
    )


@cache
def between() -> tuple[re.Pattern[str], ...]:
    """Two numbers with a range of answers between them."""
    return (
        re.compile(
            rf"{pattern('between')}\s\D{{0,3}}{_NUMBER}\s?[^\W\d_]{{0,8}}\s{pattern('and')}\s\D{{0,3}}{_NUMBER}"
            r"|(?<!\d)\d{1,6}\s?(?:到|至|から|和|と)\s?\d+\s?(?:之间|の間)"
        ),
        re.compile(r"(?<![\d.,+*×/^=-])(?<![\d+*×/^=-]\s)\d{1,6}(?:–|~)\d{1,6}(?![\d.,]*\d|\s?[-+*×/=–~])"),
    )
