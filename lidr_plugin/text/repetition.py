"""Whether a text repeats itself without end."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from lidr_plugin.text.scripts import UNSPACED, in_latin_1

_UNSPACED = re.compile(f"[{UNSPACED}]")
_PERHAPS_UNSPACED = re.compile("[\u0e00-\U0010ffff]")  # one range is looked for several times as fast as a dozen
_DIGITS = re.compile(r"\d+")
_CODE = re.compile(r"[][{}<>=_|\\\"]")
_ITEMS = 12
_EMPTY_ITEMS = re.compile(rf"(?:\n{{1,2}}[ \t]{{0,8}}(?:\d{{1,4}}[.)]|[-*•–+])[ \t]{{0,8}}(?=\n|\Z)){{{_ITEMS}}}")
_RUN_ON = re.compile(r"[^A-Za-z0-9+/=_-]+")

# Below these lengths nothing is too long: of a text and of a word, of a line (brackets are shorter), of a loop (a laugh is
# shorter), of a loop without a letter within a line and over many (rules, empty tables and boards are), of a run-on (hashes are).
_SHORTEST, _LINE, _LOOP, _BARE, _BARE_LINES, _WORD = 60, 8, 18, 200, 1_000, 300
_WORDS, _CHARACTERS = 8, 16
"""Units of the n-grams that stand again at the same distance as long as a loop goes on."""
_LONG = {_WORDS: 12, _CHARACTERS: 48}
"""Units of the shortest line of prose: verses, items and lines of code are shorter. By the order of n-grams."""
_ROUNDS, _LITTLE, _FEW_ROUNDS, _HALF = 6, 0.1, 3, 0.5
"""Rounds that only a chorus has, and the share of a text that they may be; the same for rounds that many texts have."""
_SAME_FIGURES = 25
"""Lines of the same figures that no table has: data of that kind is shorter, and what has no figure is a rule or a board."""
_NUMBERED_ROUNDS, _LISTED_ROUNDS, _MARKS = 10, 15, ("#.", "#)", "#:")
"""Rounds that differ in numbers alone (short lists have fewer), and those of a list of one and the same word."""
_NEW, _AGAIN = 0.94, 0.4
"""The share of 5-grams that are new in a text worth a closer look, and of n-grams of long lines that may come twice."""


class _Loop(NamedTuple):
    """A stretch of units that follows itself at once: where it begins, the units of a round and of all rounds."""

    start: int
    period: int
    length: int

    @property
    def rounds(self) -> float:
        return self.length / self.period


def is_degenerate(text: str, prompt: str = "") -> bool:
    """Whether a text repeats itself without end: in loops, in lines that come again and again, in a word that does not end.

    A loop is a stretch of words (of characters in scripts without spaces, and within a very long word) that follows itself at
    once. Six rounds may make up a tenth of the text, three may make up half of it. A counter does not tell rounds apart
    ("Step 3: see step 4."), and within a line no number does. A dozen items of a list with nothing in them are endless, too.

    Args:
        prompt: what it answers; a loop that the prompt asks for ("write it 50 times") is none.
    """
    if len(text) < _SHORTEST:
        return False
    if text.count("\n") >= _ITEMS and _EMPTY_ITEMS.search(text):
        return True
    units = _units(text)
    if not _may_repeat(units) and max(map(len, units), default=0) <= _SHORTEST:
        return False
    longest = max(units, key=len)
    looped = _exact(text, units) or _counted(text) or _lines(text) or _passages(text, units) or _within(longest, text)
    return bool(looped) and not _is_asked_for(looped, prompt)


def repeated_share(text: str, order: int = 4) -> float:
    """The share of a text's n-grams of words (characters in scripts without spaces) that stood in it before."""
    units = _units(text)
    total = len(units) - order + 1
    return 1 - len({tuple(units[i : i + order]) for i in range(total)}) / total if total > 0 else 0.0


def _units(text: str) -> list[str]:
    """Words; in scripts without spaces characters."""
    unspaced = in_latin_1(text) is None and _PERHAPS_UNSPACED.search(text)
    return _UNSPACED.sub(lambda match: match[0] + " ", text).split() if unspaced else text.split()


def _may_repeat(units: Sequence[str]) -> bool:
    """A quick look, which settles nearly every text: whether a few of its 5-grams stood there before.

    Of six rounds that are a tenth of the text, five are no news. What begins with no letter counts as the same, for a loop
    may differ in its numbers.
    """
    if len(set(units)) > len(units) - _LOOP * 2 // 3:  # three rounds of the shortest loop have so many words again
        return False
    alike = [unit if unit[0].isalpha() else "" for unit in units]
    grams = set(zip(alike, alike[1:], alike[2:], alike[3:], alike[4:], strict=False))
    return len(grams) <= _NEW * (len(units) - 4)


def _loops(units: Sequence[str]) -> Iterator[_Loop]:
    """The loops of a text, by the distances at which its n-grams stand again."""
    order = _order(units)
    last: dict[tuple[str, ...], int] = {}
    begun = period = 0
    grams = zip(*(islice(units, n, None) for n in range(order)), strict=False)
    # The end, at which nothing stands again, closes the last loop.
    for place, gram in enumerate(chain(grams, [()])):
        distance = place - last.get(gram, place)
        last[gram] = place
        if distance != period:
            if period:
                yield _Loop(begun - period, period, place - begun + period + order - 1)
            begun, period = place, distance


def _order(units: Sequence[str]) -> int:
    """The units of an n-gram: more where they are characters."""
    return _WORDS if sum(map(len, units[:100])) > 2 * len(units[:100]) else _CHARACTERS


def _round(units: Sequence[str], loop: _Loop) -> Sequence[str]:
    return units[loop.start : loop.start + loop.period]


def _exact(text: str, units: Sequence[str]) -> Sequence[str]:
    """A round of loops that are too long for the text; empty if there are none."""
    bare = _BARE if max(map(len, text.split("\n"))) >= _BARE else _BARE_LINES

    def is_long(loop: _Loop) -> bool:
        once = "".join(_round(units, loop))
        if _says(once) and "|" not in once:
            return loop.length >= _LOOP
        figures = loop.rounds >= _SAME_FIGURES and any(map(str.isdigit, once))
        return len(once) * loop.rounds >= (_BARE if figures else bare)

    loops = [loop for loop in _loops(units) if loop.rounds >= _FEW_ROUNDS and is_long(loop)]
    endless = [loop for loop in loops if loop.rounds >= _ROUNDS]
    for found, share in ((endless, _LITTLE), (loops, _HALF)):
        if found and sum(loop.length for loop in found) >= share * len(units):
            return _round(units, max(found, key=lambda loop: loop.length))
    return ()


def _says(text: str) -> bool:
    return any(map(str.isalpha, text))


class _Counted(NamedTuple):
    """A text's units with its counters alike, and with all numbers alike; at each, the line and the counter's number."""

    counters: list[str]
    numbers: list[str]
    lines: list[int]
    at: list[int]


def _with_counters(text: str) -> _Counted:
    """A counter is the first number of a line, and each that is the same as it, or next to it."""
    found, at = _Counted([], [], [], []), 0
    for number, line in enumerate(text.split("\n")):
        fresh = True

        def mask(match: "re.Match[str]") -> str:
            nonlocal fresh, at
            value = int(match[0][:9])
            if len(match[0]) > 9 or (not fresh and abs(value - at) > 1):
                return match[0]
            fresh, at = False, value
            return "#"

        for unit in _units(line):
            found.counters.append(unit if unit.isalpha() else _DIGITS.sub(mask, unit))
            found.numbers.append(unit if unit.isalpha() else _DIGITS.sub("#", unit))
            found.lines.append(number)
            found.at.append(at)
    return found


def _counted(text: str) -> Sequence[str]:
    """A round of a loop whose rounds differ in a counter, or within a line in any numbers; empty if there is none."""
    if not _DIGITS.search(text):
        return ()
    units = _with_counters(text)
    least = _LITTLE * len(units.at)
    for loop in _loops(units.counters):
        once = _round(units.counters, loop)
        if loop.rounds >= _NUMBERED_ROUNDS and loop.length >= least and not any("__" in unit for unit in once):
            step = abs(units.at[loop.start + 2 * loop.period] - units.at[loop.start + loop.period])
            listed = loop.rounds >= _LISTED_ROUNDS and any(unit in _MARKS for unit in once)
            if step <= 1 and len(_prose(once)) >= (1 if listed and loop.length >= _HALF * len(units.at) else 3):
                return _words(once)
    for loop in _loops(units.numbers):
        words = _prose(_round(units.numbers, loop))
        same_line = units.lines[loop.start] == units.lines[loop.start + loop.length - 1]
        if (
            same_line
            and len(words) > max(3, loop.period / 2)
            and loop.rounds >= _NUMBERED_ROUNDS
            and loop.length >= least
        ):
            return words
    return ()


def _words(units: Sequence[str]) -> list[str]:
    return [unit for unit in units if _says(unit)]


def _prose(units: Sequence[str]) -> list[str]:
    """Words that are no part of code."""
    return [word for word in _words(units) if not _CODE.search(word)]


def _lines(text: str) -> Sequence[str]:
    """Lines of which each stands there more than five times and which, but for five of each, are half of the text."""
    if text.count("\n") < _ROUNDS:
        return ()
    lines = Counter(line for line in map(str.strip, text.split("\n")) if len(line) >= _LINE)
    often = {line: count for line, count in lines.items() if count >= _ROUNDS and _words([line])}
    surplus = sum((count - _ROUNDS + 1) * len(line) for line, count in often.items())
    return list(often) if surplus > _HALF * len(text) else ()


def _passages(text: str, units: Sequence[str]) -> Sequence[str]:
    """The words of passages that stand in long lines for a second time, if they are too much of the text; else nothing."""
    order = _order(units)
    lines = [line for line in map(_units, text.split("\n")) if len(line) >= _LONG[order] and line[0] != "|"]
    prose = [unit for line in lines if len(_words(line)) > _HALF * len(line) for unit in line]
    grams = Counter(zip(*(prose[n:] for n in range(order)), strict=False))
    again = [gram for gram, count in grams.items() if count > 1]
    surplus = grams.total() - len(grams)
    return [word for gram in again for word in gram] if surplus > _AGAIN * (len(units) - order + 1) else ()


def _within(word: str, text: str) -> Sequence[str]:
    """What goes on and on in a very long word: a round of its loop, or all of it; empty if it is none."""
    if len(word) <= _SHORTEST or len(word) < _LITTLE * len(text):
        return ()
    loops = [loop for loop in _loops(word) if loop.rounds >= _ROUNDS and loop.length >= _LITTLE * len(text)]
    for loop in loops:
        once = "".join(_round(word, loop))
        if loop.length >= (_SHORTEST if _says(once) else _BARE):
            return [once]
    run_on = max(_RUN_ON.split(word), key=len)
    return [word] if len(run_on) >= max(_WORD, _HALF * len(text)) and not run_on.isdecimal() else ()


_TIMES = re.compile(
    r"\b(?:times|repeat|forever|mal|wiederhol\w*|fois|répète\w*|veces|repite|repetir|repita|vezes|repita|volte|ripeti|keer|"
    r"herhaal|razy|powtórz|раза?|повтори\w*|разів|kez|kere|tekrarla\w*|lần|lặp|kali|ulangi|mara|φορές|פעמים)\b|"
    r"مرة|مرات|كرر|बार|দোহরা|বার|ครั้ง|ដង|ကြိမ်|次|遍|重复|重複|回|繰り返|번|반복|\dmal",
    re.IGNORECASE,
)


def _is_asked_for(looped: Sequence[str], prompt: str) -> bool:
    """Whether the prompt asks for something a number of times, and says what; of what has no letters, a number is enough."""
    words = _words(looped)
    if not prompt or not (words or _DIGITS.search(prompt)):
        return False
    asked = _bare(prompt)
    return not words or (_TIMES.search(prompt) is not None and all(_bare(word) in asked for word in words))


def _bare(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
