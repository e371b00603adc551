"""Numbers in words: English ones, those in Chinese characters, and those up to twenty of six further languages."""

import re

from lidr_plugin.text.number_words import small_numbers

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
    if whole:
        stated = list(_STATED.finditer(text))
        text = text[stated[-1].start("number") :] if stated else ""
    own = small_numbers(language)
    if not whole and (
        word := next((word for word in re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)?", text) if word in own), None)
    ):
        return own[word]
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
