"""Numbers in words: English ones, those in Chinese characters, and those up to 99 of nine further languages."""

import re

from lidr_plugin.text.number_words import spelled_numbers, spelled_pattern

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_ENGLISH = {word: number for number, word in enumerate(_SMALL)} | {word: 10 * n for n, word in enumerate(_TENS, 2)}
_LARGE = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_WORDS = re.compile(r"[a-z]+")
_STATED = re.compile(r"(?:\A\s*|\b(?:is|are|equals|makes)\s)(?P<number>" + "|".join(_ENGLISH) + r")\b(?! of\b)")
_CHARACTERS = re.compile(
    "(?!一[^零〇二两兩三四五六七八九十百千万萬億亿个個人。. \n])[零〇一二两兩三四五六七八九十百千万萬億亿]+"
)
_COMPOUNDS = re.compile(
    "(?<![第零〇一二两兩三四五六七八九十百千万萬億亿])(?:[一二两兩三四五六七八九][十百千万萬億亿]|十[一二三四五六七八九])"
    "[零〇一二两兩三四五六七八九十百千万萬億亿]*(?![月年日号號世])"
)
"""Those of several characters, which are seldom a part of a word."""
_FIGURES = {char: number for number, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "兩": 2}
_POWERS = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "萬": 10**4, "億": 10**8, "亿": 10**8}
_LONGEST = 20


def number(text: str, language: str, *, whole: bool = False) -> int | None:
    """The first number that a text in lower case spells; None if it spells none.

    Args:
        whole: the text is all that was said and does not announce an answer: only "… is eighteen" counts, or a bare number.
    """
    text = text[-300:] if whole else text[:300]
    match = _CHARACTERS.search(text)
    if match and (not whole or match[0] == text.strip(" 。.\n")):
        return _chinese(match[0]) if len(match[0]) <= _LONGEST else None
    if whole and (said := _COMPOUNDS.findall(text)) and len(said[-1]) <= _LONGEST:
        return _chinese(said[-1])
    if whole:
        stated = list(_STATED.finditer(text))
        text = text[stated[-1].start("number") :] if stated else ""
    own = None if whole else spelled_pattern(language).search(text)
    if own:
        return None if own["before"] or own["after"] else spelled_numbers(language)[own["number"]]
    words = _WORDS.findall(text)
    first = next((place for place, word in enumerate(words) if word in _ENGLISH), None)
    value = None if first is None else _english(words[first:])
    # "One" among other words is more often a pronoun.
    return None if value == 1 and len(words) > 2 else value


def _english(words: list[str]) -> int:
    total = part = 0
    for word in words[:_LONGEST]:
        if word in _ENGLISH:
            part += _ENGLISH[word]
        elif word == "hundred":
            part *= 100
        elif word in _LARGE:
            total, part = total + part * _LARGE[word], 0
        elif word != "and":
            break
    return total + part


def _chinese(characters: str) -> int:
    total = section = figure = 0
    for char in characters:
        if char in _FIGURES:
            figure = 10 * figure + _FIGURES[char]
        elif _POWERS[char] < 10**4:
            section, figure = section + (figure or 1) * _POWERS[char], 0
        else:
            total, section, figure = total + (section + figure or 1) * _POWERS[char], 0, 0
    return total + section + figure
