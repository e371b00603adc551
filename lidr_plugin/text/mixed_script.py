"""Words in a script that does not belong in a text, after the word-level pass rate of Marchisio et al. (arXiv 2406.20052)."""

import re
from collections.abc import Iterator
from itertools import pairwise

from lidr_plugin.text import prose, scripts

_LATIN, _GREEK, _HAN, _KOREAN = map(scripts.mark_of, ("Latn", "Grek", "Hani", "Hang"))
_UNSPACED = "".join(map(scripts.mark_of, ("Hani", "Kana", "Thai", "Laoo", "Mymr", "Khmr", "Tibt", "Bopo")))
_SUFFIXING = "".join(
    map(scripts.mark_of, "Hang Deva Beng Guru Gujr Orya Taml Telu Knda Mlym Sinh Geor Armn Ethi Arab Hebr".split())
)
"""Scripts that put their endings straight after a Latin word: `AI는`, `WiFiയുടെ`."""
_PREFIXES = {
    scripts.mark_of("Hebr"): re.compile(r"[הובלמשכ]{1,4}"),
    scripts.mark_of("Arab"): re.compile(r"[وفأ]?[بكلس]?(?:ال|ل)?ـ?"),
}
"""Articles, conjunctions and prepositions that stand straight before one: `הWiFi`, `وAndroid`."""
_REPLACEMENT = "\ufffd"  # of bytes that are no character
_ENCLOSED = re.compile(
    r"\"[^\"\n]{1,120}\"|“[^”\n]{1,120}”|„[^“”\n]{1,120}[“”]|«[^»\n]{1,120}»|‹[^›\n]{1,120}›|「[^」\n]{1,120}」|『[^』\n]{1,120}』"
    r"|《[^》\n]{1,120}》|‘[^’\n]{1,120}’|\([^()\n]{1,120}\)|（[^（）\n]{1,120}）|\[[^\[\]\n]{1,120}\]|(?<!\w)'[^'\n]{1,60}'(?!\w)"
)
_PLACE = "\x00"
"""Stands for what was enclosed."""
_BEYOND_LATIN = re.compile(
    "[\u0370-\u1cff\u1f00-\u1fff\u2c80-\u2dff\u2e80-\u2fdf\u3005-\u3007\u3021-\ua6ff\ua880-\uaaff\uab70-\ud7ff\uf900-\ufaff\ufb13-\ufdff"
    "\ufe70-\ufefc\uff66-\uffdc\U00010000-\U0001cfff\U0001e000-\U0001efff\U00020000-\U0003ffff]"
)
_RUN = re.compile(r"[A-Za-z+]+")
_PHRASE = re.compile(r"[A-Za-z'’]+(?: [A-Za-z'’]+)*")
_ENGLISH = frozenset(
    "the very is are was were which that this these those your their because also but will can should have has had would could "
    "important importantly maybe perhaps however therefore although really always never sometimes usually often already people "
    "different useful necessary possible impossible difficult beautiful opportunity opportunities something someone everything "
    "everyone nothing them they between during without through where when while than then such only just "
    "even many much more most other another each every".split()
)
"""Words that no name and no loan brings along, unless it begins with a capital letter."""
_BROKEN_CASE = re.compile(r"[a-z]{4}(?=[A-Z]{0,12}[AEIOU])[A-Z]{3,12}\Z")
_INTRODUCES = tuple(":：=–—→/|")
_IS_NAMED = re.compile(
    r"(?<!\w)(?:words?|terms?|characters?|kanji|letters?|symbols?|wort|begriff|zeichen|buchstaben?|mot|terme|caractère|palabra|"
    r"término|carácter|letra|palavra|caractere|parola|termine|woord|słowo|слов[оау]|иероглиф|термин|символ|букв[ау])"
    r"(?:\s(?:for|für|pour|para|per|voor|для)\s[^.!?\n]{1,40}\s(?:is|ist|est|es|é|è))?\Z|"
    r"(?<!\w)(?:pinyin|romaji|pron[uo]nci\w{1,5}|traduction|traducción|tradução|traduzione) (?:de|di|del)\Z",
    re.IGNORECASE,
)
"""What a foreign word is called before it stands: "the Russian word мир", "the Russian word for peace is мир"."""
_BEFORE_GLOSS = (_PLACE, "=", "–", "—", ":", "：")


def is_mixed(text: str, code: str, prompt: str = "") -> bool:
    """Whether some word of a text's prose is in a script that does not belong there, mixes scripts, or has lost a character.

    Exempt: code, addresses, formulas; what is quoted, in brackets, or introduced by a colon or a dash; scripts that `prompt`
    uses; Latin names, units and loan words in a text of another script, with endings in its own; Greek letters as symbols.
    """
    return next(slips(text, code, prompt), None) is not None


def slips(text: str, code: str, prompt: str = "") -> Iterator[str]:
    """The words for which `is_mixed` says so."""
    if _REPLACEMENT in text and _REPLACEMENT not in prompt:
        yield _REPLACEMENT
    own = scripts.written_in(code)
    if not own or (own == _LATIN and (scripts.in_latin_1(text) is not None or not _BEYOND_LATIN.search(text))):
        return
    allowed = set(scripts.marks(prompt)) if prompt else set()
    for line in prose.lines(text):
        bare = _ENCLOSED.sub(_PLACE, line)
        marks = scripts.marks(bare)
        if _LATIN not in own:
            yield from _english(bare)
        for found in _RUN.finditer(marks):
            run = marks[found.start() : found.end()].replace(scripts.JOINS, "")
            word = bare[found.start() : found.end()]
            if _is_slip(run, word, own, allowed) and not _is_introduced(bare, marks, found, own):
                yield word


def _is_slip(run: str, word: str, own: str, allowed: set[str]) -> bool:
    """Whether a word, of which `run` has the scripts, does not belong where `own` are the scripts."""
    used = set(run)
    if len(used) == 1 and run[:1] in own:
        return False
    third = [mark for mark in run if mark not in own and mark != _LATIN and mark not in allowed]
    if third and not (set(third) == {_GREEK} and len(third) <= 2) and not (third == [_HAN] and _KOREAN in own):
        return True
    if _LATIN not in used or len(used & {_LATIN, *own}) < 2:
        return False
    return any(_clash(before, after, own) for before, after in pairwise(_segments(run, word)))


def _segments(run: str, word: str) -> list[tuple[str, str]]:
    """The word cut where its script changes, each part with its script. Unspaced scripts take turns freely."""
    parts: list[tuple[str, str]] = []
    for mark, char in zip(run, [char for char in word if scripts.marks(char) != scripts.JOINS], strict=True):
        if parts and parts[-1][0] == mark:
            parts[-1] = (mark, parts[-1][1] + char)
        else:
            parts.append((mark, char))
    return parts


def _clash(before: tuple[str, str], after: tuple[str, str], own: str) -> bool:
    """Whether two neighbouring parts of a word are a word torn between scripts, and not a name with an ending."""
    (mark, part), (next_mark, next_part) = before, after
    latin = part if mark == _LATIN else next_part if next_mark == _LATIN else ""
    other = next_mark if mark == _LATIN else mark
    if not latin or (other == _GREEK and _GREEK not in own):
        return False
    if other in _UNSPACED:
        return bool(_BROKEN_CASE.search(latin))
    if latin.isupper() and len(latin) > 1:
        return False  # an abbreviation
    if mark == _LATIN:
        return other not in _SUFFIXING
    is_prefix = other in _PREFIXES and _PREFIXES[other].fullmatch(part)
    return not is_prefix and not (other == _KOREAN and latin[:1].isupper())


def _is_introduced(line: str, marks: str, found: re.Match[str], own: str) -> bool:
    """Whether a foreign word is the subject: after a colon, a dash or "the word", before a gloss, or with a line to itself."""
    start, end = found.span()
    native = own + _LATIN
    if set(native) & set(found[0]):
        return False
    while start and (line[start - 1] == " " or (marks[start - 1].isalpha() and marks[start - 1] not in native)):
        start -= 1
    while end < len(line) and (line[end] == " " or (marks[end].isalpha() and marks[end] not in native)):
        end += 1
    before, after = line[:start].rstrip(), line[end:]
    alone = not any(map(str.isalpha, before)) and not after
    named = before.endswith(_INTRODUCES) or _IS_NAMED.search(before[-72:]) is not None
    return alone or named or after.startswith(_BEFORE_GLOSS)


def _english(line: str) -> Iterator[str]:
    """English words in a text of another script, where nothing says that they are a title."""
    for phrase in _PHRASE.finditer(line):
        words = phrase[0].split(" ")
        if words[0][:1].islower():
            yield from (word for word in words if word in _ENGLISH)
