"""The final number of an answer, and whether it is the right one.

A person looks for it in this order, and so does this module: the last `\\boxed{…}`, the last line `#### …`, what follows the
last "answer is" or "Answer:" (in any language), else the last sentence that says a number.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from fractions import Fraction
from functools import cache, lru_cache
from typing import NamedTuple

from lidr_plugin.text import spelled
from lidr_plugin.text.asides import Marks, between, marks_of
from lidr_plugin.text.compounds import compounds
from lidr_plugin.text.formulae import last_box, plain
from lidr_plugin.text.number_words import decimal_mark, language_of_answer_word, pattern
from lidr_plugin.text.numerals import Numeral, singles

_MOST_CHARACTERS = 20_000
"""Of a longer answer the end is read; those of 4,096 tokens are seldom longer."""

_MAY_BE, _ASIDE = ("", "minor"), ("aside",)
_HASHES = re.compile(r"^#{4} ?(?=\S)(.*\d.*)$", re.MULTILINE)
_ENDS = re.compile(r"[.!?](?=[\"')\]*$_]{0,4}(?:\s|\Z))|[。！？।;\n]")
_OPERATOR = re.compile(
    r"\W{0,3}(?:[^\W\d_]{1,12}\.?\W{1,2})?\s?[+×x*·÷/]\s?[($€£¥₹]{0,2}\s?\Z|[\s)$]{0,2}[-–][\s($€£¥₹]{0,3}\Z"
)
_EQUAL = re.compile(r"[=→⇒≈]")
_TO_THE_POINT = re.compile(r"[\s*_:=~≈≃$€£¥₹%(+\"“”„«»'-]{0,6}(?:[^\W\d_]{1,8}[.$ ]{1,2}){0,2}[$€£¥₹(]?\Z")


_SIGNS = frozenset("$€£¥₹")
_MONEY = re.compile(r"\s?(?:[$€£¥₹]|euros?\b|dollars?\b|cents?\b|pounds?\b|рубл)")
_PAID = re.compile(r"\s?[^\W\d_]{0,8}[$€£¥₹]?\s(?:for|für|por|para|pour|per|voor|за)\s(?:[^\W\d_]{1,5}\s)?")


def final_numbers(text: str, language: str = "") -> set[Fraction]:
    """What the number that a text gives as its answer may mean; empty if it gives none, or none that can be read.

    Args:
        language: of the text; decides between 1,234 and 1.234. Empty: not known, and both are possible.
    """
    text = text[-_MOST_CHARACTERS:]
    for part in (last_box(text), _last_hashes(text)):
        if part is not None and (numeral := _Reader(part, language).last()):
            return set(numeral.values)
    reader = _Reader(text, language)
    numeral = reader.answer()
    return set(numeral.values) if numeral else set()


def _last_hashes(text: str) -> str | None:
    found = _HASHES.findall(text)
    return found[-1] if found else None


class _Cue(NamedTuple):
    """Words that announce the answer: where they end, and whose they are."""

    end: int
    word: str
    stands: bool


class _Reader:
    """A text with its numbers, sentences and asides."""

    def __init__(self, text: str, language: str) -> None:
        self.text, self.bold = plain(text)
        self.language = language or "en"
        self.lower = self.text.lower()
        if len(self.lower) != len(self.text):  # İ has two characters in lower case
            self.text = self.lower
        self.cues = self._cues()
        own = next((code for cue in reversed(self.cues) if (code := language_of_answer_word(cue.word))), "")
        commas = bool(own) and decimal_mark(own) == "," and decimal_mark(language) != ","
        self.numerals = _ranges(self.lower, compounds(self.text, singles(self.text, language or own, commas=commas)))
        self.marks: Marks = marks_of(self.lower, self.numerals, self.language)
        self.sentences = self._sentences()
        self.ends = [end for _, end in self.sentences]
        self.starts = [numeral.start for numeral in self.numerals]

    def _sentences(self) -> list[tuple[int, int]]:
        """Their places; no number is divided."""
        inside = bytearray(len(self.text) + 1)
        for numeral in self.numerals:
            inside[numeral.start : numeral.end] = b"\1" * (numeral.end - numeral.start)
        ends = [match.end() for match in _ENDS.finditer(self.text) if not inside[match.start()]]
        return list(zip([0, *ends], [*ends, len(self.text)], strict=True))

    def _cues(self) -> list[_Cue]:
        found = []
        for match in _answer_word().finditer(self.lower):
            if self.lower[max(0, match.start() - 3) : match.start()] == "to ":
                continue  # "to answer this"
            if tail := _cue_tail().match(self.lower, match.end()):
                found.append(_Cue(tail.end(), match["word"], tail["stands"] is not None))
        return found

    def last(self) -> Numeral | None:
        """Of a text that is an answer and nothing else."""
        return self._concluded(0, len(self.text))

    def answer(self) -> Numeral | None:
        """What follows the last announcement of an answer that a number follows, else the last number said."""
        for cue in reversed(self.cues):
            line = self.text.find("\n", cue.end)
            line = len(self.text) if line < 0 else line
            if not self.text[cue.end : line].strip(" *_$:.-–"):
                rest = self._concluded(cue.end, len(self.text))
                if rest or (rest := self._spelled(cue.end, len(self.text))):
                    return rest
                continue
            if found := self._announced(cue, line):
                return found
            if found := self._spelled(cue.end, line):
                return found
        return self._concluded(0, len(self.text)) or self._spelled(0, len(self.text), whole=True)

    def _spelled(self, start: int, end: int, *, whole: bool = False) -> Numeral | None:
        """A number in words: `eighteen`, `十八`."""
        value = spelled.number(self.lower[start:end], self.language, whole=whole)
        return None if value is None else Numeral(start, end, (Fraction(value),))

    def _within(self, start: int, end: int, marks: Collection[str]) -> list[Numeral]:
        found = []
        for place in range(bisect_left(self.starts, start), len(self.numerals)):
            if (numeral := self.numerals[place]).start >= end:
                break
            if numeral.end <= end and self.marks.of[place] in marks:
                found.append(numeral)
        return found

    def _parts(self, start: int, end: int) -> list[tuple[int, int]]:
        """The sentences between two places, the first and the last as far as they lie there."""
        first, last = bisect_right(self.ends, start), bisect_left(self.ends, end)
        return [(max(start, a), min(end, b)) for a, b in self.sentences[first : last + 1] if b > start and a < end]

    def _announced(self, cue: _Cue, line: int) -> Numeral | None:
        """The number in the rest of a line that announces the answer."""
        for kinds in _MAY_BE, _ASIDE:
            for start, end in self._parts(cue.end, line):
                if numerals := self._within(start, end, kinds):
                    if self._is_reasoning(start, end, line):
                        return self._concluded(start, len(self.text))
                    return self._stated(numerals, start, end, first=start == cue.end)
        return None

    def _is_reasoning(self, start: int, end: int, line: int) -> bool:
        """Whether a line begins a calculation that further lines carry on, and is not the answer yet."""
        numerals = self._within(start, end, _MAY_BE)
        direct = numerals and _TO_THE_POINT.fullmatch(self.text[start : numerals[0].start])
        if direct and not _EQUAL.search(self.text, start, end):
            return False
        return any(
            self._within(a, b, ("",)) and (_EQUAL.search(self.text, a, b) or _conclusion().search(self.lower, a, b))
            for a, b in self._parts(line, len(self.text))
        )

    def _concluded(self, start: int, end: int) -> Numeral | None:
        """The last number that is said, asides left out unless there is nothing else."""
        for kinds in _MAY_BE, _ASIDE:
            for first, last in reversed(self._parts(start, end)):
                if numerals := self._within(first, last, kinds):
                    return self._stated(numerals, first, last, first=False)
        return None

    def _stated(self, numerals: Sequence[Numeral], start: int, end: int, *, first: bool) -> Numeral:
        """The number that a sentence states."""
        numerals = self._main(numerals)
        because = _because(self.language).search(self.lower, numerals[0].end, end)
        if because:
            numerals = [numeral for numeral in numerals if numeral.end <= because.start()]
            end = because.start()
        to_the_point = first and _TO_THE_POINT.fullmatch(self.text[start : numerals[0].start])
        if to_the_point and not self._goes_on(numerals, end):
            return numerals[0]
        if not _EQUAL.search(self.text, start, end):
            bold = [x for x in numerals if any(a <= x.start and x.end <= b for a, b in self.bold)]
            numerals = bold or numerals
        return self._result(self._without_count(numerals))

    def _without_count(self, numerals: Sequence[Numeral]) -> Sequence[Numeral]:
        """Without the things that a price is paid for: "12,50 € für 5 Hefte"."""
        if len(numerals) < 2:
            return numerals
        price, count = numerals[-2:]
        gap = self.lower[price.end : count.start]
        paid = _PAID.fullmatch(gap) and (
            _MONEY.match(gap) or self.text[max(0, price.start - 1) : price.start] in _SIGNS
        )
        return numerals[:-1] if paid else numerals

    def _main(self, numerals: Sequence[Numeral]) -> Sequence[Numeral]:
        """Without years, ordinals and terms where there are other numbers."""
        main = [x for x in numerals if self.marks.at(x) != "minor"]
        return main or numerals

    def _goes_on(self, numerals: Sequence[Numeral], end: int) -> bool:
        """Whether the first number after an announcement is not yet the answer: a calculation, a list, "…, so 8 in all"."""
        if len(numerals) == 1:
            return False
        gap = self.text[numerals[0].end : numerals[1].start]
        tail = self.lower[numerals[0].end : end].partition(", which")[0]
        if self.text[numerals[0].end : numerals[0].end + 3].lstrip().startswith("=") and len(numerals) > 2:
            return False  # 18 = 9 × 2
        return bool(
            _OPERATOR.search(gap)
            or _EQUAL.search(tail)
            or re.fullmatch(r"[\s,;]{1,3}", gap)
            or _goes_on_words(self.language).search(tail)
        )

    def _result(self, numerals: Sequence[Numeral]) -> Numeral:
        """The last number; of `18 = 9 × 2` the one before the calculation. A calculation without a result is no number."""
        numerals = self._up_to_result(numerals)
        at = len(numerals) - 1
        while at and self._calculated(numerals[at - 1], numerals[at]):
            at -= 1
        if at == len(numerals) - 1:
            return numerals[-1]
        alone = at < 2 or not self._calculated(numerals[at - 2], numerals[at - 1])
        if at and alone and _EQUAL.search(self.text, numerals[at - 1].end, numerals[at].start):
            return numerals[at - 1]
        return Numeral(numerals[at].start, numerals[-1].end, ())

    def _up_to_result(self, numerals: Sequence[Numeral]) -> Sequence[Numeral]:
        """Without what only follows the result of the last calculation: "… = $6 for 2 tubs and 4 packets"."""
        for at in range(len(numerals) - 1, 0, -1):
            if _EQUAL.search(self.text, numerals[at - 1].end, numerals[at].start):
                rest = self.lower[numerals[at].end : numerals[-1].start]
                ends = at == len(numerals) - 1 or self._calculated(numerals[at], numerals[at + 1])
                return numerals if ends or _goes_on_words(self.language).search(rest) else numerals[: at + 1]
        return numerals

    def _calculated(self, left: Numeral, right: Numeral) -> bool:
        gap = self.text[left.end : right.start]
        return len(gap) < 40 and bool(_OPERATOR.match(gap)) and not _EQUAL.search(gap)


def _ranges(lower: str, numerals: list[Numeral]) -> list[Numeral]:
    """With what lies between two numbers as one that cannot be read."""
    spans = [match.span() for pattern in between() for match in pattern.finditer(lower)]
    if not spans:
        return numerals
    inside = bytearray(len(lower) + 1)
    for start, end in spans:
        inside[start:end] = b"\1" * (end - start)
    return [x._replace(values=()) if inside[x.start] else x for x in numerals]


@cache
def _answer_word() -> re.Pattern[str]:
    return re.compile(rf"(?P<word>{pattern('answer')})(?!る|えて)")


@cache
def _cue_tail() -> re.Pattern[str]:
    """What follows the word: `:`, a verb, or the number itself. Not `answer this question, 15 + 25`."""
    between = r"[^\n.!?。:=,、，]{0,60}?"
    direct = r"[\s*_\"']{0,4}(?=[$€£¥₹]?[-–]?[$€£¥₹]?\d)(?!\d{1,2}\s?[:)])"
    return re.compile(rf"(?:{direct}|{between}(?:[:=→—]|(?P<stands>{pattern('stands')})))")


@cache
def _because(language: str) -> re.Pattern[str]:
    # Of the language alone: French "car" is a thing elsewhere.
    return re.compile(pattern("because", language))


@cache
def _conclusion() -> re.Pattern[str]:
    return re.compile(pattern("so"))


@cache
def _goes_on_words(language: str) -> re.Pattern[str]:
    return re.compile(rf"{pattern('so', language)}|{pattern('stands', language)}")


_PLAIN = re.compile(r"-?\d{1,18}(?:\.\d{1,18})?")


@lru_cache(maxsize=4096)
def expected_number(final_answer: str) -> frozenset[Fraction]:
    """The right answer as the data has it, as English writes numbers (`1,000` is `1000.0`); empty if it cannot be read."""
    if _PLAIN.fullmatch(final_answer):
        return frozenset([Fraction(final_answer)])
    return frozenset(final_numbers(final_answer, "en"))


def is_correct(text: str, final_answer: str, language: str = "") -> bool:
    """Whether the final number of a text in a language is the right answer; numbers compare as numbers."""
    return not expected_number(final_answer).isdisjoint(final_numbers(text, language))
