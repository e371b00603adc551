"""The thoughts that a reasoning model writes before its answer, between `<think>` and `</think>`."""

import re

from lidr_plugin.text.visible import is_blank

_OPENING = re.compile(r"\s{0,9}<think(?:ing)?\b[^<>]{0,40}>", re.IGNORECASE)
_CLOSING = re.compile(r"</think(?:ing)?\s{0,8}>", re.IGNORECASE)
_EITHER = re.compile(r"</?think(?:ing)?\b[^<>]{0,40}>", re.IGNORECASE)
_QUOTES = frozenset("`'\"“”„«»‘’‹›「」")
_AFTER_A_WORD = ".,;:!?)]}。、，"


def without_thoughts(text: str, *, thinking: bool) -> str:
    """The answer proper. Unless `thinking` is wanted, the thoughts at its beginning go, also where the template opened them.

    Empty where nothing can be seen. Thoughts come first: tags further on belong to a text about them, and so do those in
    quotes or code.
    """
    begin = 0
    while not thinking and "<" in text and (end := _end_of_thoughts(text, begin)) > begin:
        begin = end
    text = text[begin:]
    return "" if is_blank(text) else text.strip()


def _end_of_thoughts(text: str, begin: int) -> int:
    """Where the thoughts at this place of a text end; the place itself if there are none."""
    if opening := _OPENING.match(text, begin):
        closings = _CLOSING.finditer(text, opening.end())
        return next((tag.end() for tag in closings if not _is_quoted(text, tag)), len(text))
    first = _EITHER.search(text, begin)
    if first and first[0][1] == "/" and not _is_mentioned(text, begin, first):
        return first.end()
    return begin


def _is_quoted(text: str, tag: re.Match[str]) -> bool:
    return text[tag.start() - 1 : tag.start()] in _QUOTES and text[tag.end() : tag.end() + 1] in _QUOTES


def _is_mentioned(text: str, begin: int, tag: re.Match[str]) -> bool:
    """Whether a closing tag without an opening one is part of a sentence or of code, and ends no thought."""
    if _is_quoted(text, tag) or text.count("```", begin, tag.start()) % 2:
        return True
    begin_of_line = max(begin, text.rfind("\n", begin, tag.start()) + 1)
    end_of_line = text.find("\n", tag.end())
    begins = not text[begin_of_line : tag.start()].strip()
    ends = not text[tag.end() : end_of_line if end_of_line >= 0 else len(text)].strip()
    if begins or (ends and end_of_line >= 0):
        return False
    return ends or text[tag.end()] in _AFTER_A_WORD or (text[tag.start() - 1].isspace() and text[tag.end()].isspace())
