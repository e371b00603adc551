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
_SURE = 10
"""Smaller numbers are in other words, too: "the two friends", "on the one hand"."""
_SAID = re.compile(
    r"(?P<stated>\A\s*(?=\S+(?:\s\S+){0,4}\s*\Z)|\b(?:is|are|equals|makes)\s)?"
    rf"(?P<number>\b(?:{'|'.join(_ENGLISH)})(?:[ -](?:and )?(?:{'|'.join([*_ENGLISH, *_LARGE])})){{0,12}})\b(?! of\b)"
)
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
        whole: the text is all that was said and does not announce an answer: only "… is eighteen" counts, a bare number, or the
            last one of at least ten, for smaller ones are in other words, too.
    """
    text = text[-300:] if whole else text[:300]
    match = _CHARACTERS.search(text)
    if match and (not whole or match[0] == text.strip(" 。.\n")):
        return _chinese(match[0]) if len(match[0]) <= _LONGEST else None
    if whole and (compounds := _COMPOUNDS.findall(text)) and len(compounds[-1]) <= _LONGEST:
        return _chinese(compounds[-1])
    said = list(spelled_pattern(language).finditer(text))
    if whole:
        said = [match for match in said if spelled_numbers(language)[match["number"]] >= _SURE][-1:]
    if said:
        return None if said[0]["before"] or said[0]["after"] else spelled_numbers(language)[said[0]["number"]]
    if whole:
        values = [(_english(match["number"]), match["stated"]) for match in _SAID.finditer(text)]
        return next((value for value, stated in reversed(values) if stated or value >= _SURE), None)
    match = _SAID.search(text)
    value = _english(match["number"]) if match else None
    # "One" among other words is more often a pronoun.
    return None if value == 1 and len(_WORDS.findall(text)) > 2 else value


def _english(said: str) -> int:
    total = part = 0
    for word in _WORDS.findall(said):
        if word in _ENGLISH:
            part += _ENGLISH[word]
        elif word == "hundred":
            part *= 100
        elif word in _LARGE:
            total, part = total + part * _LARGE[word], 0
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
