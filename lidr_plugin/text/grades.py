"""The grade from 0 to 10 that a judge's text gives, as a person reads it, or none."""

import re
from collections.abc import Sequence

from lidr_plugin.text.formulae import last_box, plain
from lidr_plugin.text.thinking import without_thoughts

_MOST_CHARACTERS = 20_000
"""Of a longer text the end is read."""
_NUMBER = r"(?<![\d.,/-])-?\d{1,4}(?:[.,]\d{1,4})?(?![.,]?\d)"
_SCALE = re.compile(
    r"(?:(?:from|of|von|de|da|от|between|zwischen|entre|между)\s)?\b[01]\s?(?:to|-|–|~|bis|à|a|al|до|and|und|et|y|"
    r"から|到|부터)\s?10\b|"
    r"满分\s?10\s?分?|滿分\s?10\s?分?|10\s?(?:点満点|分)(?:中|で)|10\s?点満点|10\s?점 만점(?:에|에서)?|"
    r"\(?\bout of (?:a (?:possible )?)?10\b\)?(?=\W*\Z)(?<=\))",
    re.IGNORECASE,
)
_OF_TEN = re.compile(
    rf"({_NUMBER})\]?\]?\s?(?:points? |punkten? |puntos? |points? )?(?:\(?/\s?10\b|\(?(?:out )?of 10\b|von 10\b|"
    rf"sur 10\b|de 10\b|sobre 10\b|su 10\b|из 10\b)",
    re.IGNORECASE,
)
_ANNOUNCED = re.compile(
    r"(?P<final>final |overall |gesamt|total )?(?:grade|rating|score|mark|bewertung|note|puntuación|calificación|"
    r"nota|pontuação|punteggio|voto|"
    rf"оценка|评分|評分|得分|分数|評価|点数|점수|평점|평가)\s?(?:is|of|:|=|ist|es|est|：|は|是|为)\W{{0,6}}({_NUMBER})",
    re.IGNORECASE,
)
_GIVEN = re.compile(
    r"(?:give|say|deserves|rate|grade|score|gebe|vergebe|bewerte|donne|doy|otorgo|dou|do|ставлю|оцениваю|给|給|"
    r"打)(?:[ \w]{0,40}? )?\W{0,4}"
    rf"({_NUMBER})|({_NUMBER})\s?[分点점](?![之の\d])",
    re.IGNORECASE,
)
_POINTS = re.compile(rf"({_NUMBER})\s?(?:points?|punkte?n?|puntos?|pontos?|punti|балл\w*)(?!\w)", re.IGNORECASE)
_DENIED = re.compile(r"(?<!\w)(?:not|nicht|no|pas|não|non|не)\W{1,3}\d", re.IGNORECASE)
_LIST = re.compile(rf"\W*{_NUMBER}(?:[\s,;]{{1,3}}{_NUMBER}){{1,50}}\W*")
_FIRST = re.compile(rf"\W{{0,4}}(?:an? )?({_NUMBER})(?:\W*\Z|[.,)]?\s?[-–—:\n(]|[.,;)]\s)", re.IGNORECASE)
_LAST = re.compile(rf"(?:\A|[.!?\n])\W{{0,4}}({_NUMBER})\W{{0,4}}\Z")
_OTHER_SCALE = re.compile(r"\d\s?(?:%|/\s?(?!10\b)\d+)")
_SEVERAL = re.compile(r"\d\s?(?:-|–|~|to|or|and|bis|oder|und|à|ou|o|y|a|или|до|或|到|から|か)\s?\d", re.IGNORECASE)


def grade(text: str) -> float | None:
    """The grade; None where the text gives none, one out of range, or several."""
    text = without_thoughts(text, thinking=False)[-_MOST_CHARACTERS:]
    box = last_box(text)
    text, scales = _SCALE.subn(" ", plain(box if box else text).text)
    text = text.strip()
    of_ten = [match[1] for match in _OF_TEN.finditer(text)]
    announced = list(_ANNOUNCED.finditer(text))
    final = [match[2] for match in announced if match["final"]]
    rest = _OF_TEN.sub(r" \1 ", text)
    if _OTHER_SCALE.search(rest) or _DENIED.search(rest):
        return None
    for found in (final, [match[2] for match in announced], of_ten):
        if found:
            return _one(found)
    if _SEVERAL.search(rest):
        return None
    if _LIST.fullmatch(rest):
        return _one(re.findall(_NUMBER, rest))
    for place in (_FIRST.match(rest), _LAST.search(rest)):
        if place:
            return _one([place[1]])
    given = [match[1] or match[2] for match in _GIVEN.finditer(rest)]
    if given or (given := _POINTS.findall(rest)):
        return _one(given)
    named = scales or re.search(rf":\W{{0,4}}{_NUMBER}\W{{0,4}}\Z", rest)
    return _one(re.findall(_NUMBER, rest)) if named else None


def _one(found: Sequence[str]) -> float | None:
    """The grade that all these numbers are, if they are one."""
    values = {float(number.replace(",", ".")) for number in found}
    return values.pop() if len(values) == 1 and 0 <= min(values) <= 10 else None
