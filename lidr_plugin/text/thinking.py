"""The thoughts that a reasoning model writes before its answer, between `<think>` and `</think>`."""

import re

from lidr_plugin.text.visible import is_blank

_OPENING = re.compile(r"\A\s{0,9}<think\b[^<>]{0,40}>", re.IGNORECASE)
_CLOSING = re.compile(r"</think\s{0,8}>", re.IGNORECASE)
_EITHER = re.compile(r"</?think\b[^<>]{0,40}>", re.IGNORECASE)
_QUOTES = "`'\"“”„«»‘’‹›「」"


def without_thoughts(text: str, *, thinking: bool) -> str:
    """The answer proper. Unless `thinking` is wanted, the thoughts at its beginning go, also where the template opened them.

    Empty where nothing can be seen. Thoughts come first: tags further on belong to a text about them, and so do those in
    quotes or code.
    """
    while not thinking and (end := _end_of_thoughts(text)):
        text = text[end:]
    return "" if is_blank(text) else text.strip()


def _end_of_thoughts(text: str) -> int:
    """Where the thoughts at the beginning of a text end; 0 if there are none."""
    if opening := _OPENING.match(text):
        closings = _CLOSING.finditer(text, opening.end())
        return next((tag.end() for tag in closings if not _is_quoted(text, tag)), len(text))
    first = _EITHER.search(text)
    if first and first[0][1] == "/" and not _is_mentioned(text, first):
        return first.end()
    return 0


def _is_quoted(text: str, tag: re.Match[str]) -> bool:
    return text[tag.start() - 1 : tag.start()] in tuple(_QUOTES) and text[tag.end() : tag.end() + 1] in tuple(_QUOTES)


def _is_mentioned(text: str, tag: re.Match[str]) -> bool:
    """Whether a closing tag without an opening one is part of a sentence or of code, and ends no thought."""
    if _is_quoted(text, tag) or text.count("```", 0, tag.start()) % 2:
        return True
    before, after = text[: tag.start()], text[tag.end() :]
    begins_line = not before.rpartition("\n")[2].strip()
    ends_line = not after.partition("\n")[0].strip()
    if begins_line or (ends_line and after.strip()):
        return False
    return ends_line or after[0] in ".,;:!?)]}。、，" or (before[-1].isspace() and after[0].isspace())
