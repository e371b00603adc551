"""From texts and what people look for to the words of a full-text index, in scripts with spaces between words and without."""

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from lidr_plugin.pages.view.items import FACETS

COLUMNS = ("prompt", "first", "second", "facets")
"""Of the index: the prompt, the chosen text or the first, the others, and the facets."""
_FIELDS = {"prompt": "prompt", "chosen": "first", "output": "first", "rejected": "second"}

_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff]+"
)
"""Thai, Lao, Burmese, Khmer, Chinese, Japanese: each character is a word of the index, and what is looked for is a phrase."""
_TERM = re.compile(r'(-?)(?:(prompt|chosen|rejected|output):)?(?:"([^"]*)"?|(\S+))')


class Term(NamedTuple):
    """A word or phrase that is looked for: not, in which column, and whether it is the beginning of a word."""

    text: str
    absent: bool = False
    column: str = ""
    begins: bool = False


def is_unspaced(text: str) -> bool:
    """Whether a character of such a script is in a text."""
    return not text.isascii() and bool(_UNSPACED.search(text))


def spaced(text: str) -> str:
    """The text with spaces around the characters of scripts that have none between words."""
    return text if text.isascii() else _UNSPACED.sub(lambda found: f" {' '.join(found[0])} ", text)


def terms_of(said: str) -> list[Term]:
    """What a person looks for: words, "phrases", -without, chosen:word, begin*."""
    found = []
    for minus, field, phrase, word in _TERM.findall(said.replace("\0", " ")[:500]):
        text = phrase or word
        if any(map(str.isalnum, text)):
            found.append(Term(text.rstrip("*"), bool(minus), _FIELDS.get(field, ""), text.endswith("*")))
    return found


def expression(terms: list[Term], facets: Mapping[str, str]) -> str:
    """The index's own expression for items that have all of it; empty: everything is looked for."""
    wanted = [f"facets : {facet_word(name, value)}" for name, value in facets.items()]
    wanted += [_in_words(term) for term in terms if not term.absent]
    unwanted = [_in_words(term) for term in terms if term.absent]
    if unwanted and not wanted:
        wanted = [f"facets : {_ALL}"]
    return " NOT ".join([" AND ".join(wanted), *unwanted]) if wanted else ""


def _in_words(term: Term) -> str:
    column = term.column or "{" + " ".join(COLUMNS[:-1]) + "}"
    quoted = spaced(term.text).replace('"', " ")
    return f'{column} : "{quoted}"{" *" if term.begins else ""}'


_ALL = "fall"


def facet_word(name: str, value: str) -> str:
    """A facet's value as a word of the index: no text of a run is one, for they lie in a column of their own."""
    digest = hashlib.blake2b(value.encode("utf-8", "replace"), digest_size=6).hexdigest()
    return f"f{FACETS.index(name)}x{digest}"


@lru_cache(4096)
def facet_words(facets: tuple[str, ...]) -> str:
    """All that an item has."""
    found = [facet_word(name, value) for name, value in zip(FACETS, facets, strict=True) if value]
    return " ".join([_ALL, *found])
