"""The numbers of a text, as far as they are written with digits, and whether another text has them too."""

import re

_SPACES = "\u00a0\u202f\u2009\u2007'’٬"
_NUMBER = re.compile(
    rf"(?:(?<![A-Za-z0-9.])\.)?\d{{1,40}}(?:[.,٫{_SPACES}]\d{{1,40}}){{0,12}}(?:(?: \d{{3}}(?!\d)){{1,6}}(?:[.,]\d{{1,40}})?)?"
    r"(?P<scale>[ \u00a0\u202f-]{0,2}(?:[^\s\d.,;:()/-]{1,12}\.?(?: millones| milhões)?))?"
)
_COMPOUND = re.compile(r"(\d{1,4})\s?[億亿억]\s?(\d{1,4})\s?[万萬만]")
_DECADE = re.compile(r"(\d{1,2})\s?世[纪紀]\s?(\d0)")
_ROMAN = re.compile(r"\b(?:[IVX]{2,7}|[IVX])(?=e\b|è|\b)(?!['’])")
_SCALES = {
    "thousand": 3, "tausend": 3, "mille": 3, "mil": 3, "тыс": 3, "тысяч": 3, "千": 3, "천": 3, "hazar": 3, "हजार": 3, "হাজার": 3,
    "พัน": 3, "ألف": 3, "آلاف": 3, "ألفًا": 3, "هزار": 3, "万": 4, "萬": 4, "만": 4, "หมื่น": 4, "lakh": 5, "लाख": 5, "লাখ": 5, "แสน": 5,
    "million": 6, "millions": 6, "millionen": 6, "millón": 6, "millones": 6, "milhão": 6, "milhões": 6, "milioni": 6, "milione": 6,
    "miljoen": 6, "млн": 6, "миллион": 6, "миллиона": 6, "миллионов": 6, "mio": 6, "مليون": 6, "میلیون": 6, "ล้าน": 6, "백만": 6,
    "百万": 6,
    "milyon": 6, "milionów": 6, "triệu": 6, "juta": 6, "千万": 7, "crore": 7, "करोड़": 7, "কোটি": 7, "亿": 8, "億": 8, "억": 8,
    "billion": 9, "billions": 9, "milliarde": 9, "milliarden": 9, "milliard": 9, "milliards": 9, "mil millones": 9, "bilhões": 9,
    "miliardi": 9,
    "miljard": 9, "млрд": 9, "миллиард": 9, "миллиарда": 9, "миллиардов": 9, "mrd": 9, "bn": 9, "مليار": 9, "میلیارد": 9, "十亿": 9,
    "trillion": 12, "billón": 12, "billones": 12, "billionen": 12, "万亿": 12, "兆": 12, "조": 12,
}  # fmt: skip
"""Powers of ten by the words for them. English `billion` is 9; the German and Spanish words for 12 are others."""
_SIGNS = {"k": 3, "m": 6, "b": 9}
"""Powers of ten that a letter may stand for; it may be a unit as well."""
_ROMAN_DIGITS = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
_COMMAS_GROUP = frozenset("en zh ja ko th he hi bn ta te ur sw ms my km ne mr gu pa kn ml si yue fil".split())
_SPELLED = frozenset(
    [*map(float, range(21)), *(10.0 * n for n in range(3, 11)), 200.0, 500.0, 1e3, 1e4, 1e5, 1e6, 1e8, 1e9]
)
"""Numbers that are often written as words."""


def _plain(value: float) -> float:
    return float(f"{value:.9g}")


def values(digits: str, scale: str, commas_group: bool = False) -> frozenset[float]:
    """What a number may be worth: `1.280` is a thousand and more in German, and a little more than one in English.

    Args:
        commas_group: whether the language puts commas between thousands, and nowhere else.
    """
    marks = [mark for mark in digits if not mark.isdecimal()]
    groups = re.split(r"\D", digits)
    readings = {float("".join(groups))}
    if marks and marks[-1] in ".,٫" and marks.count(marks[-1]) == 1:
        decimal = float(f"{''.join(groups[:-1])}.{groups[-1]}")
        grouped = len(groups[-1]) == 3 and groups[0].lstrip("0") != "" and len(groups[0]) < 4
        if not (grouped and commas_group and marks[-1] == ","):
            readings = {decimal, *readings} if grouped else {decimal}
    word = scale.strip(" \u00a0\u202f-.").casefold()
    powers = [_power(word)] if word not in _SIGNS else [0, _SIGNS[word]]
    return frozenset(_plain(value * 10**power) for value in readings for power in powers)


def _power(word: str) -> int:
    """The power of ten that a word stands for; 0 for any other. Scripts without spaces write the next word right behind it."""
    if word in _SCALES or word < "\u0e00":
        return _SCALES.get(word, 0)
    return next((_SCALES[word[:n]] for n in (4, 3, 2, 1) if word[:n] in _SCALES), 0)


def numbers_of(text: str, language: str = "") -> list[frozenset[float]]:
    """Every number of a text that is written with digits, each with its readings."""
    commas_group = language in _COMMAS_GROUP
    found = []
    if "年代" in text:
        text = _DECADE.sub(_decade, text)
    for number in _NUMBER.finditer(_COMPOUND.sub(_compound, text)):
        scale = number["scale"] or ""
        digits = number[0][: len(number[0]) - len(scale)]
        parts = re.split(r"\D", digits)
        if len(parts) > 2 and not _is_grouped(parts):  # a date, or a section: 3.4.2021
            found += [frozenset({float(part)}) for part in parts if part]
        else:
            found.append(values(digits, scale, commas_group))
    return found


def _compound(written: re.Match[str]) -> str:
    """1億2500万 in digits alone."""
    return f"{int(written[1]) * 10**8 + int(written[2]) * 10**4}"


def _decade(written: re.Match[str]) -> str:
    return f"{(int(written[1]) - 1) * 100 + int(written[2])}"


def _is_grouped(parts: list[str]) -> bool:
    """Whether digits stand in groups of three, or of two before the last as in India; what follows the last may be decimals."""
    middle = {len(part) for part in parts[1:-1]}
    return middle == {3} or (middle == {2} and len(parts[-1]) == 3 and len(parts[0]) < 3)


def _roman(word: str) -> float:
    digits = [_ROMAN_DIGITS[letter] for letter in word]
    return float(sum(-one if one < after else one for one, after in zip(digits, [*digits[1:], 0], strict=True)))


def are_lost(source: str, translation: str, origin: str = "") -> bool:
    """Whether a number of the source is missing in the translation, and was not merely written in another way."""
    wanted = numbers_of(source, origin)
    if not wanted:
        return False
    there = {value for readings in numbers_of(translation) for value in readings}
    known = there | {_roman(word) for word in _ROMAN.findall(translation)}
    missing = [readings for readings in wanted if not any(_is_there(value, known) for value in readings)]
    if not missing:
        return False
    if any(not readings & _SPELLED for readings in missing):
        return True
    own = {value for readings in wanted for value in readings}
    return any(value > 20 and value not in own for value in there)


def _is_there(value: float, there: set[float]) -> bool:
    """As it is, by another clock (5 pm is 17), as a decade or a century (1990s, the 19th), for a range, as a Thai year."""
    if value in there:
        return True
    if value <= 24 and value == int(value) and (value + 12 if value <= 12 else value - 12) in there:
        return True
    if any(_plain(value * power) in there for power in (1e6, 1e9, 1e12)):  # 1.8 to 2.1 million
        return True
    if 1800 <= value < 2100 and value + 543 in there:  # a year of the Buddhist calendar
        return True
    if 1000 <= value < 2100 and value % 100 == 0 and value // 100 + 1 in there:
        return True
    return 1900 <= value < 2100 and value % 10 == 0 and value % 100 in there
