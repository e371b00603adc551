"""The final number of an answer, and whether it is the right one."""

import re
import unicodedata
from decimal import Decimal

_SPACES = "   ’'٬"
"""Separators of thousands that are never decimal: no-break, narrow and thin space, apostrophes, the Arabic one."""

_NUMBER = re.compile(rf"[-−–]?\d+(?:[.,٫{_SPACES}]\d+| \d{{3}}(?!\d))*")


def _ascii_digits(text: str) -> str:
    """Native digits (Arabic, Bengali, Thai, full-width, …) as 0–9."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)


def _readings(token: str) -> set[Decimal]:
    """What a written number may mean: `1.000` is a thousand in German and one in English."""
    sign = -1 if token[0] in "-−–" else 1
    token = re.sub(rf"[{_SPACES} ]", "", token.lstrip("-−–")).replace("٫", ",")
    marks = [c for c in token if c in ".,"]
    plain = Decimal(re.sub("[.,]", "", token))
    if not marks:
        return {sign * plain}
    if len(set(marks)) == 1 and len(marks) > 1:
        return {sign * plain}
    whole, _, part = token.rpartition(marks[-1])
    decimal = Decimal(re.sub("[.,]", "", whole) + "." + part)
    if len(marks) == 1 and len(part) == 3 and 1 <= len(whole) <= 3 and not whole.startswith("0"):
        return {sign * plain, sign * decimal}
    return {sign * decimal}


def final_numbers(text: str) -> set[Decimal]:
    """The possible readings of the last number in a text; empty if there is none."""
    tokens = _NUMBER.findall(_ascii_digits(text))
    return _readings(tokens[-1]) if tokens else set()


def expected_number(final_answer: str) -> Decimal | None:
    """The right answer as the data has it: comma between thousands, point before decimals (`1,000` is `1000.0`)."""
    tokens = _NUMBER.findall(_ascii_digits(final_answer).replace(",", ""))
    return Decimal(tokens[-1].replace("−", "-").replace("–", "-")) if tokens else None


def is_correct(text: str, final_answer: str) -> bool:
    """Whether the last number of `text` is the right answer; numbers compare as numbers."""
    return expected_number(final_answer) in final_numbers(text)
