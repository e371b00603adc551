"""Every written number of a plain text (see `formulae.plain`), with its value as the text's language writes numbers."""

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import NamedTuple

from lidr_plugin.text.formulae import THIN
from lidr_plugin.text.number_words import decimal_mark, pattern, scales

MOST_DIGITS = 400
"""Longer numbers, and powers of ten beyond, are not read: no answer has them, and their arithmetic would take its time."""


class Numeral(NamedTuple):
    """A written number.

    Attributes:
        values: what it may mean; two where it names two units ("3 hours 20 minutes") or the language leaves it open. None:
            it cannot be read as one number.
        lowest: the lowest power of ten among its words of scale; 0 without.
    """

    start: int
    end: int
    values: tuple[Fraction, ...]
    lowest: int = 0


_DIGITS = rf"\d+(?:[.,'٬٫_]\d+|[ {THIN}]\d{{3}}(?!\d))*"
_RUN = re.compile(_DIGITS)
_GROUPED = re.compile(r"[1-9]\d{0,2}(?:\D\d{3})+|[1-9]\d?(?:,\d{2})+,\d{3}")
_FRACTION = re.compile(r"/(\d{1,9})(?![\d/]|[.,]\d)")
_MIXED = re.compile(rf"(?:[ {THIN}]| (?:and|und|y|et|e|и) )(\d{{1,9}})/(\d{{1,9}})(?![\d/]|[.,]\d)")
_HALF = re.compile(
    r"\s?(?:(?P<of>[^\W\d_]{1,10}) )?(?:and a half|und eine? halbe?|y medi[ao]|et demie?|e mezz[ao]|e mei[ao]|с половиной)(?!\w)"
    r"|[个個]半|時間半|小时半|시간 반"
)
_POWER = re.compile(r"\s?(?:[x×*·]\s?10\s?\^\s?([-+]?\d+)|[eE]([-+]?\d+)(?!\w)|\^([-+]?\d+))")
_CHINESE_FRACTION = re.compile(r"\s?分[の之]\s?(\d{1,9})")
_CHINESE_SCALE = re.compile("(?:千(?![克米瓦卡])|[十百万萬億亿兆천백십만억])+|조(?!각)")
_CHINESE_POWERS = dict(zip("十百千万萬億亿兆십백천만억조", (1, 2, 3, 4, 4, 8, 8, 12, 1, 2, 3, 4, 8, 12), strict=True))
_GLUED_SCALE = re.compile(r"([kKMB])(?![\w²^])")
_ABBREVIATED = frozenset("mio mrd tsd тыс тис mill εκ δισ".split())
_CURRENCY = frozenset("usd eur gbp chf jpy inr rs kr kn ksh sh tsh rp rm lei zł".split())
_HOURS_BEFORE = re.compile(r"\d\s?h\Z")
_LETTERS_BEFORE = re.compile(r"[^\W\d_]{1,12}\Z")
_SIGN = re.compile("(?:^|[^\\w.,]|[\u0590-\U0010ffff])" r"\s?(-|–)\s?[$€£¥₹₽₩%]?\s?\Z")


def singles(text: str, language: str, *, commas: bool = False) -> list[Numeral]:
    """All numbers in their order, each unit by itself.

    Args:
        commas: the text's own words say that it is of a language with a decimal comma, whatever `language` says.
    """
    found: list[Numeral] = []
    mark = "," if commas else decimal_mark(language)
    for numeral in _single(text, language, _Style.of(text, mark)):
        before = found[-1] if found else None
        if before and (joined := _joined(text, before, numeral)):
            found[-1] = joined
        else:
            found.append(numeral)
    return found


class _Style(NamedTuple):
    """How a text writes decimals: its language's mark, and whether it also has decimals with the other mark (2.50 in German)."""

    mark: str
    foreign: bool

    @classmethod
    def of(cls, text: str, mark: str) -> "_Style":
        other = {".": ",", ",": "."}.get(mark)
        decimal = rf"(?<![\d.,])\d+{re.escape(other)}\d{{1,2}}(?![\d.,]\d|\d)" if other else None
        return cls(mark, bool(decimal and re.search(decimal, text)))


def _single(text: str, language: str, style: _Style) -> Iterator[Numeral]:
    """The numbers one by one, words of scale included."""
    done = 0
    for match in _RUN.finditer(text):
        if match.start() < done:
            continue
        for start, end in _pieces(text, match.start(), match.end()):
            if start < done or not _stands_free(text, start):
                continue
            begin = start
            if start and text[start - 1] in ".," and _is_bare_decimal(text, start - 1, style):
                begin = start - 1
            numeral = _numeral(text, begin, end, language, style)
            done = numeral.end
            yield numeral


def _is_bare_decimal(text: str, at: int, style: _Style) -> bool:
    """Whether the point at `at` begins a decimal, as in `.5`."""
    return text[at] in (".", style.mark) and (not at or text[at - 1] in " \n$€£=(-–+*:" + THIN)


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The numbers of a run of digits and separators: one, or several that only stand side by side (`3,4,5`, `2020 500`)."""
    for separator in ("", f"[ {THIN}]", "[,_']"):
        if not separator and _fits(text[start:end]):
            yield start, end
            return
        if separator and re.search(separator, text[start:end]):
            at = start
            for part in re.split(separator, text[start:end]):
                yield from _pieces(text, at, at + len(part))
                at += len(part) + 1
            return


def _fits(run: str) -> bool:
    """Whether a run is one number: groups of three (or as in India), at most one decimal mark."""
    marks = re.findall(r"\D", run)
    if not marks:
        return True
    whole, last = run[: run.rindex(marks[-1])], marks[-1]
    if len(set(marks)) == 1:
        return bool(_GROUPED.fullmatch(run)) or (len(marks) == 1 and last in ".,٫")
    return last in ".,٫" and len(set(marks[:-1])) == 1 and bool(_GROUPED.fullmatch(whole))


def _stands_free(text: str, start: int) -> bool:
    """Whether digits are a number, and no part of a name or a unit: `m2`, `cm^2`, `PS5`, `COVID-19`, `x_1`."""
    before = text[max(0, start - 13) : start]
    if not before or before[-1] in " \n$":
        return True
    if before.endswith(("^", "_")) or (before.endswith("/") and before[-2:-1].isalpha()):
        return False
    if before.endswith("-") and before[-2:-1].isalpha():
        return not _is_european(before[-2])
    word = _LETTERS_BEFORE.search(before)
    if not word or _HOURS_BEFORE.search(before):
        return True
    letters = word[0].lower()
    if "\u0590" <= letters[0] <= "\u06ff":  # conjunctions and prepositions hang on
        return len(letters) <= 2 and letters[0] in "وبلفكابلכמהשו"
    return not _is_european(letters[-1]) or letters in _CURRENCY


def _is_european(char: str) -> bool:
    return char.isalpha() and char < "\u0590"


def _numeral(text: str, start: int, end: int, language: str, style: _Style) -> Numeral:
    values = _values(text[start:end], style, dollars=text[max(0, start - 2) : start].rstrip().endswith("$"))
    end, values = _with_fraction(text, end, values, language)
    if match := _POWER.match(text, end):
        ten = match[1] or match[2]
        values = _powered(values, ten or match[3], ten is not None)
        end = match.end()
    power, end = _scale(text, end, language)
    if not power and _says_scale_first(language):
        power = _scale_before(text, start, language)
    if _is_negative(text, start):
        values = tuple(-value for value in values)
    return Numeral(start, end, tuple(value * 10**power for value in values), power)


def _values(run: str, style: _Style, *, dollars: bool) -> tuple[Fraction, ...]:
    """What a run that is one number may mean."""
    if sum(char.isdigit() for char in run) > MOST_DIGITS:
        return ()
    marks = re.findall(r"\D", run)
    whole, _, part = run.rpartition(marks[-1]) if marks else (run, "", "")
    grouped = Fraction(re.sub(r"\D", "", run))
    if not marks or (not _GROUPED.fullmatch(run) and not whole and not part):
        return (grouped,)
    decimal = Fraction(re.sub(r"\D", "", whole) or 0) + Fraction(int(part), 10 ** len(part))
    if not _GROUPED.fullmatch(run) or len(set(marks)) > 1:
        return (decimal,)
    if len(marks) > 1 or marks[0] not in ".,":
        return (grouped,) if marks[0] != "٫" else (decimal,)
    if dollars and marks[0] == ",":
        return (grouped,)
    if not style.mark:
        return (grouped, decimal)
    # Who writes decimals with a comma does not write 70,000 for seventy, nor 1,250 beside 2.50 for one and a quarter.
    odd = style.foreign or (style.mark == "," and part == "000")
    return (decimal,) if marks[0] == style.mark and not odd else (grouped,)


def _with_fraction(
    text: str, end: int, values: tuple[Fraction, ...], language: str
) -> tuple[int, tuple[Fraction, ...]]:
    """With what follows a whole number: `/4`, ` 1/2`, `分の3`, ` millones y medio`."""
    if len(values) != 1 or values[0].denominator != 1:
        return end, values
    if half := _HALF.match(text, end):
        power = scales(language).get((half["of"] or "").lower(), 0)
        return half.end(), ((values[0] + Fraction(1, 2)) * 10**power,)
    for form in (_FRACTION, _CHINESE_FRACTION, _MIXED):
        if not (match := form.match(text, end)):
            continue
        if form is _MIXED and 0 < int(match[1]) < int(match[2]):
            return match.end(), (values[0] + Fraction(int(match[1]), int(match[2])),)
        if form is _FRACTION and int(match[1]):
            return match.end(), (values[0] / int(match[1]),)
        if form is _CHINESE_FRACTION and values[0]:
            if values[0] == 100:  # 百分之20 with a hundred in digits: per cent
                return match.end(), (Fraction(int(match[1])),)
            return match.end(), (int(match[1]) / values[0],)
    return end, values


def _powered(values: tuple[Fraction, ...], exponent: str, of_ten: bool) -> tuple[Fraction, ...]:
    if len(exponent) > 6 or abs(power := int(exponent)) > MOST_DIGITS:
        return ()
    if of_ten:
        return tuple(value * Fraction(10) ** power for value in values)
    if any((not value and power < 0) or len(str(value)) * abs(power) > MOST_DIGITS for value in values):
        return ()
    return tuple(value**power for value in values)


def _scale(text: str, end: int, language: str) -> tuple[int, int]:
    """The power of ten of a word of scale that follows, and where it ends."""
    space = text[end : end + 1] in (" ", THIN)
    at = end + space
    first = text[at : at + 1].lower()
    if not first.isalpha():
        return 0, end
    if match := _CHINESE_SCALE.match(text, at):
        return sum(_CHINESE_POWERS[char] for char in match[0]), match.end()
    if not space and (glued := _GLUED_SCALE.match(text, end)):
        return {"k": 3, "K": 3, "M": 6, "B": 9}[glued[1]], glued.end()
    for word in _scale_words(language).get(first, ()):
        ahead = text[at : at + len(word) + 1].lower()
        if ahead.startswith(word) and (word[0] >= "\u0e00" or not ahead[len(word) :].isalpha()):
            dot = ahead.endswith(".") and word in _ABBREVIATED
            return scales(language)[word], at + len(word) + dot
    return 0, end


@cache
def _scale_words(language: str) -> dict[str, list[str]]:
    """By their first letter, the longest first."""
    found: dict[str, list[str]] = {}
    for word in sorted(scales(language), key=len, reverse=True):
        found.setdefault(word[0], []).append(word)
    return found


def _says_scale_first(language: str) -> bool:
    """Whether a language says the scale first: Swahili's "milioni 1.5"."""
    return language.startswith("sw")


def _scale_before(text: str, start: int, language: str) -> int:
    word = re.search(r"([^\W\d_]{1,12}) \Z", text[max(0, start - 14) : start].lower())
    return scales(language).get(word[1], 0) if word else 0


def _is_negative(text: str, start: int) -> bool:
    if not start or text[start - 1] in "\n.,:;(":
        return False
    before = text[max(0, start - 16) : start]
    if match := _SIGN.search(before):
        lead = before[: match.start(1)]
        if match[1] == "–" and lead.endswith(":"):  # "Answer:–18" has a dash
            return False
        spaced = match.end(1) < len(before) and before[match.end(1)] in " " + THIN
        calculated = re.search(r"[\w)%\]]\s?\Z", lead)
        return not spaced and not (calculated and re.search(r"[\d)%\]]\s?\Z|\b[a-z]\s?\Z", lead))
    return before.rstrip(" $€£¥" + THIN)[-1:].isalpha() and bool(_minus().search(before.lower()))


@cache
def _minus() -> re.Pattern[str]:
    return re.compile(pattern("minus") + r"\s?[$€£¥]?\Z")


def _joined(text: str, first: Numeral, second: Numeral) -> Numeral | None:
    """`3億5000万`, `2 million 500 thousand` as one number: scales that fall."""
    gap = text[first.end : second.start]
    hundreds = first.lowest == 3 and re.fullmatch(r"[1-9]\d\d", text[second.start : second.end])  # "3 thousand 500"
    falls = 0 < second.lowest < first.lowest or (not second.lowest and (not gap or hundreds))
    if not first.lowest or gap not in ("", " ", THIN) or not falls or len(first.values) != 1 or len(second.values) != 1:
        return None
    if not 0 <= second.values[0] < 10**first.lowest:
        return None
    return Numeral(first.start, second.end, (first.values[0] + second.values[0],), second.lowest)
