"""The thoughts that a reasoning model writes before its answer, between `<think>` and `</think>`."""

import re

_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)


def without_thoughts(text: str, *, thinking: bool) -> str:
    """The answer proper. Unless `thinking` is wanted, `<think>…</think>` goes, also where the template opened it."""
    if not thinking and ("<think>" in text or "</think>" in text):
        text = _THOUGHT.sub("", text)
        text = text.rpartition("</think>")[2]
    return text.strip()
