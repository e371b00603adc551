"""A text cut into sentences for a model that translates them one at a time, and put together again line by line."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_END = re.compile(r"(?<=[.!?…])[ \t]{1,9}(?=\S)|(?<=[。！？।॥؟۔։])[ \t]{0,9}(?=\S)")
_MARK = re.compile(r"[ \t]{0,40}(?:(?:[#>*+•-]{1,6}|\d{1,3}[.)])[ \t]{1,9}){0,4}")
"""What a line begins with that is no part of its text: its indent, the mark of a heading, a quotation or a list."""
_CLOSE = re.compile("[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff01-\uff9f]")
"""Chinese and Japanese characters and signs: sentences have no space between them. Thai and Khmer do."""
_SHORT = 40
"""Characters: what is shorter (`Dr.`, `z. B.`) goes with what follows it."""
_LONG = 400
"""Characters: NLLB was trained on up to 512 tokens, and a character is seldom more than one."""


class Line(NamedTuple):
    """A line of a text.

    Attributes:
        kept: what is not translated: the mark it begins with, or all of a line of code or without a letter.
        sentences: what is.
    """

    kept: str
    sentences: tuple[str, ...] = ()


def lines_of(text: str) -> list[Line]:
    """The lines of a text; those of a fenced code block are kept whole."""
    lines, fenced = [], False
    for line in text.split("\n"):
        fence = line.lstrip().startswith("```")
        fenced ^= fence
        if fence or fenced or not any(map(str.isalpha, line)):
            lines.append(Line(line))
            continue
        mark = _MARK.match(line)
        kept = mark[0] if mark else ""
        lines.append(Line(kept, tuple(_sentences(line[len(kept) :].strip()))))
    return lines


def text_of(lines: Sequence[Line], translated: Sequence[str]) -> str:
    """The text with its sentences translated, in their order."""
    found = iter(translated)
    return "\n".join(line.kept + _joined([next(found) for _ in line.sentences]) for line in lines)


def _sentences(line: str) -> list[str]:
    found: list[str] = []
    for sentence in _END.split(line):
        if found and len(found[-1]) < _SHORT and len(found[-1]) + len(sentence) < _LONG:
            found[-1] = _joined([found[-1], sentence])
        else:
            found += _cut(sentence)
    return found


def _cut(sentence: str) -> Iterator[str]:
    """Pieces of what is too long, at its spaces as far as there are any."""
    while len(sentence) > _LONG:
        end = sentence.rfind(" ", 1, _LONG)
        end = end if end > 0 else _LONG
        yield sentence[:end]
        sentence = sentence[end:].lstrip()
    yield sentence


def _joined(parts: Sequence[str]) -> str:
    text = ""
    for part in parts:
        close = not text or not part or _CLOSE.match(text[-1]) or _CLOSE.match(part[0])
        text += part if close else f" {part}"
    return text
