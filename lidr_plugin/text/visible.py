"""Whether there is anything to see in a text."""

import unicodedata

_BLANK = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and signs that Unicode counts as such and nobody sees: the fillers of Hangul and Khmer, the empty Braille pattern."""


def is_blank(text: str) -> bool:
    """Whether a text shows nothing: spaces, controls, zero-width characters, variation selectors, marks without a letter."""
    for char in text:  # noqa: SIM110  # nearly always the first one ends it: sooner than a generator begins
        if unicodedata.category(char)[0] not in "CMZ" and char not in _BLANK:
            return False
    return True
