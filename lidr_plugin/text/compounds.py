"""Numbers in two units as one: "3 hours 20 minutes", "5 Euro 50", 3小时20分钟."""

import re
from functools import cache
from typing import NamedTuple

from lidr_plugin.text.formulae import THIN
from lidr_plugin.text.number_words import pattern, units
from lidr_plugin.text.numerals import Numeral

_UNIT_AHEAD = re.compile(rf"[ {THIN}]?([^\s\d_.,;:()!?。、|=/*+$€£%–-]{{1,16}})\.?")


@cache
def _joiner() -> re.Pattern[str]:
    return re.compile(rf"[ ,{THIN}]*(?:(?:{pattern('and')}|con|with|mit|avec) ?)?", re.IGNORECASE)


class _Measured(NamedTuple):
    """A number's unit, and where the unit's word ends."""

    kind: str
    size: int
    end: int


def _unit(text: str, end: int, last: _Measured | None) -> _Measured | None:
    """The unit that follows; `m` is minutes after hours."""
    match = _UNIT_AHEAD.match(text, end)
    if not match:
        return None
    word = match[1].lower()
    if word == "m" and last and last[:2] == units()["h"]:
        return _Measured(*units()["min"], match.end())
    for length in range(len(word), 0, -1) if word[0] >= "\u0e00" else (len(word),):
        if unit := units().get(word[:length]):
            return _Measured(*unit, match.end() if length == len(word) else match.start(1) + length)
    return None


def compounds(text: str, numerals: list[Numeral]) -> list[Numeral]:
    """With numbers in two units as one: in the smaller unit, and in the larger."""
    found: list[Numeral] = []
    largest: _Measured | None = None
    last: _Measured | None = None
    for numeral in numerals:
        before = found[-1] if found else None
        unit = _unit(text, numeral.end, last) or (last and _bare_rest(text, last, numeral))
        joined = (
            before
            and last
            and largest
            and unit
            and unit.kind == last.kind
            and unit.size < last.size
            and len(numeral.values) == 1
            and numeral.values[0] * unit.size < last.size  # "3 weeks, or 21 days" says one thing twice
            and len(before.values) in (1, 2)
            and (match := _joiner().match(text, last.end))
            and match.end() == numeral.start
        )
        if before and joined and last and largest and unit:
            small = before.values[0] * last.size / unit.size + numeral.values[0]
            bare = unit.end == numeral.end
            values = (small * unit.size / largest.size, *(() if bare and unit.kind == "money" else (small,)))
            found[-1] = Numeral(before.start, max(unit.end, numeral.end), values[::-1])
        else:
            found.append(numeral)
            largest = unit
        last = unit
    return _units_first(text, found)


def _bare_rest(text: str, last: _Measured, numeral: Numeral) -> _Measured | None:
    """The unit that is left out in "2 h 30" and "5 Euro 50"."""
    if text[last.end : numeral.start].strip() or not re.fullmatch(r"\d\d", text[numeral.start : numeral.end]):
        return None
    hours = text[last.end - 1 : last.end] in "hH"
    if not hours and re.match(r"\s?[\w%$€]", text[numeral.end : numeral.end + 2]):
        return None
    smaller = {("time", 3600): 60, ("money", 100): 1}.get((last.kind, last.size))
    return _Measured(last.kind, smaller, numeral.end) if smaller else None


def _units_first(text: str, numerals: list[Numeral]) -> list[Numeral]:
    """The same where the unit stands first: Swahili's "saa 3 na dakika 20"."""
    found: list[Numeral] = []
    for numeral in numerals:
        unit, first = _unit_before(text, numeral.start), found[-1] if found else None
        other = _unit_before(text, first.start) if first else None
        if (
            first
            and unit
            and other
            and (unit.kind == other.kind and unit.size < other.size)
            and re.fullmatch(r" (?:na )?[^\W\d_]+ ", text[first.end : numeral.start])
            and len(first.values) == len(numeral.values) == 1
        ):
            small = first.values[0] * other.size / unit.size + numeral.values[0]
            found[-1] = Numeral(first.start, numeral.end, (small, small * unit.size / other.size))
        else:
            found.append(numeral)
    return found


def _unit_before(text: str, start: int) -> _Measured | None:
    word = re.search(r"([^\W\d_]{1,12}) \Z", text[max(0, start - 14) : start].lower())
    unit = units().get(word[1]) if word else None
    return _Measured(*unit, start) if unit else None
