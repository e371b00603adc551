"""Which language a text is in, of all that are known, and whether it is the one that was wanted."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from lidr_plugin import languages
from lidr_plugin.text import prose, scripts
from lidr_plugin.text.identifier import LABELS, identifier, is_identifiable

_WINDOW = 48
"""Characters of the three samples that settle most texts."""
_PIECE = 100
"""Characters of the pieces that a doubtful text is judged by."""
_MOST_PIECES = 12
_ENOUGH_LETTERS = 24
_ENOUGH_OF_A_SCRIPT = 6
_MARGIN_WITHIN, _MARGIN_BEYOND = 2.0, 3.0
"""By how much (natural logarithm) another language must be likelier than the wanted one: one of the run, or any other.
On 100 characters of right text the second is passed in 0.02 % of the cases (docs/languages.md)."""
_FOREIGN_SHARE = 0.4
"""Of the letters: from there a text is mixed, and not merely quoting."""
_UNMISTAKABLE = frozenset({"de", "en", "es", "fr", "pt"})
"""No text in a language that cannot be identified is taken for one of these (measured: docs/languages.md)."""
_CERTAIN = -0.01

_DENSE = re.compile(f"[{scripts.DENSE}]")


class _Target(NamedTuple):
    """A wanted language.

    Attributes:
        label: as the identifier names it.
        own: the letters of `scripts.marks` that it is written in.
        settled: the scripts among these that no other language of ours is written in, or that tell it from its neighbours.
        variant: `Hans` or `Hant` where the code asks for that.
    """

    label: str
    own: str
    settled: str
    variant: str | None

    @classmethod
    def of(cls, code: str) -> "_Target":
        tag, own = languages.tag(code), scripts.written_in(code)
        settled = "".join(mark for mark in own if _ALONE.get(mark) == tag.base)
        return cls(tag.base, own, settled, tag.script if tag.script in ("Hans", "Hant") else None)


def _alone() -> dict[str, str]:
    """The scripts that a single language is written in, of those that we name, with that language."""
    users: dict[str, set[str]] = {}
    for code in languages.NAMES:
        base = languages.tag(code).base
        for script in scripts.usual(base):
            users.setdefault(scripts.mark_of(script), set()).add(base)
    return {mark: next(iter(found)) for mark, found in users.items() if len(found) == 1}


_ALONE = _alone()
_HAN, _KANA, _LATIN = map(scripts.mark_of, ("Hani", "Kana", "Latn"))
_ALL_LATIN = {_LATIN: 1.0}
# To count by deleting what does not count is by far the quickest, and a text of eight bits a character is that of most languages.
_NO_LETTERS = bytes(byte for byte in range(256) if not chr(byte).isalpha())
_NOT_LATIN = bytes(byte for byte in range(256) if scripts.marks(chr(byte)) != _LATIN)


class LanguageGate:
    """Tells off-target texts: all languages that are known compete, those of the run with an advantage.

    What does not decide: code, addresses, formulas, tables, lists of names, quoted lines, and texts with fewer than 24 letters
    (a character of a dense script such as Chinese, Thai or Korean counts as three). A text that is wholly in a script in
    which the language is not written is off-target if it has six. A text of several languages is off-target if 40 % of its letters
    are in pieces that clearly are in another.
    """

    def __init__(self, codes: Sequence[str]) -> None:
        self._targets = {code: _Target.of(code) for code in codes}
        self._run = frozenset(target.label for target in self._targets.values())
        self._judged = lru_cache(maxsize=1024)(self._judge)  # a verdict looks at 768 texts, at some of them twice

    def detect(self, text: str) -> str | None:
        """The code of the text's language (the run's own code for its languages), or None if it is too short or close to call."""
        lines = prose.lines(text)
        sample = _windows(lines, _PIECE)
        shares = _shares(sample)
        if not shares:
            return None
        label = _ALONE.get(max(shares, key=lambda mark: shares[mark]))
        if label is None:
            if _letters(sample) < _ENOUGH_LETTERS:
                return None
            first, second = sorted(identifier().evidence(sample).items(), key=lambda item: -item[1])[:2]
            if first[1] - second[1] < _MARGIN_WITHIN / 2:
                return None
            label = first[0]
        return next((code for code, target in self._targets.items() if target.label == label), label)

    def off_target(self, text: str, code: str) -> bool:
        """Whether the text is clearly in another language than `code`."""
        return self._judged(text, self._targets[code])

    def _judge(self, text: str, target: _Target) -> bool:
        lines = prose.lines(text)
        sample = _windows(lines, _WINDOW)
        if (verdict := _by_script(sample, target, settled=0.85)) is not None:
            return verdict or _is_other_variant(lines, target)
        if _letters(sample) < _ENOUGH_LETTERS:
            return False
        if target.label in LABELS and len(sample) > 2 * _WINDOW:
            third = len(sample) // 3
            if set(identifier().best([sample[i * third : (i + 1) * third] for i in range(3)])) == {target.label}:
                return _is_other_variant(lines, target)
        return self._is_foreign_in_pieces(lines, target) or _is_other_variant(lines, target)

    def _is_foreign_in_pieces(self, lines: Sequence[str], target: _Target) -> bool:
        telling = [line for line in lines if not prose.is_names(line)]
        own_words = [line for line in telling if not prose.is_quoted(line)]
        pieces = _pieces(own_words or telling)
        if not pieces:
            return False
        if self._is_foreign(_windows(pieces, _PIECE), target):
            return True
        weights = [_letters(piece) for piece in pieces]
        foreign = sum(weight for piece, weight in zip(pieces, weights, strict=True) if self._is_foreign(piece, target))
        return foreign > _FOREIGN_SHARE * sum(weights)

    def _is_foreign(self, piece: str, target: _Target) -> bool:
        """Whether a piece of a text is clearly in another language."""
        if (verdict := _by_script(piece, target, settled=0.5)) is not None:
            return verdict
        if _letters(piece) < _ENOUGH_LETTERS:
            return False
        evidence = identifier().evidence(piece)
        if target.label not in LABELS:
            return any(evidence[label] > _CERTAIN for label in _UNMISTAKABLE)
        wanted = evidence[target.label]
        return any(
            value - wanted > (_MARGIN_WITHIN if label in self._run else _MARGIN_BEYOND)
            for label, value in evidence.items()
            if label != target.label
        )


def unidentifiable(codes: Sequence[str]) -> tuple[str, ...]:
    """For each language that cannot be identified, what that means for a run."""
    return tuple(
        f"{languages.name_of(code)} ({code}) cannot be identified: filters.off_target finds only texts in another script, "
        "or plainly in one of the best known languages"
        for code in codes
        if not is_identifiable(code)
    )


class Identification:
    """Tells answers in the wrong language, where the wanted one can be identified; `notes` says where it cannot."""

    def __init__(self, codes: Sequence[str]) -> None:
        self._known = frozenset(filter(is_identifiable, codes))
        self._gate = LanguageGate(codes)
        self.notes = tuple(
            f"{languages.name_of(code)} ({code}) cannot be identified: whether answers are in the right language is not measured"
            for code in codes
            if code not in self._known
        )

    def off_target(self, text: str, code: str) -> bool | None:
        """Whether a text is clearly in another language than `code`; None where nobody can tell."""
        return self._gate.off_target(text, code) if code in self._known else None


def _windows(lines: Sequence[str], width: int) -> str:
    """Beginning, middle and end of the prose: enough to tell, and the time does not grow with the length."""
    text = " ".join(lines)
    if len(text) <= 3 * width:
        return " ".join(text.split())
    starts = (0, (len(text) - width) // 2, len(text) - width)
    return " ".join(" ".join(text[start : start + width].split()) for start in starts)


@lru_cache(maxsize=16)
def _letters(text: str) -> int:
    """Letters, those of dense scripts three times."""
    data = scripts.in_latin_1(text)
    if data is not None:
        return len(data.translate(None, _NO_LETTERS))
    return sum(map(str.isalpha, text)) + 2 * len(_DENSE.findall(text))


def _shares(sample: str) -> Mapping[str, float]:
    """The share of each script in the letters of a sample, by its letter in `scripts.marks`."""
    data = scripts.in_latin_1(sample)
    if data is not None:
        return _ALL_LATIN if len(data.translate(None, _NOT_LATIN)) >= _ENOUGH_OF_A_SCRIPT else {}
    counts = Counter(scripts.marks(sample))
    for mark in (scripts.OTHER, scripts.JOINS, scripts.DIGIT):
        counts.pop(mark, None)
    for mark in counts:
        if mark in _DENSE_MARKS:
            counts[mark] *= 3
    total = counts.total()
    return {mark: count / total for mark, count in counts.items()} if total >= _ENOUGH_OF_A_SCRIPT else {}


_DENSE_MARKS = frozenset(map(scripts.mark_of, ("Hani", "Kana", "Hang", "Thai", "Laoo", "Tibt", "Mymr", "Khmr")))


def _by_script(sample: str, target: _Target, *, settled: float) -> bool | None:
    """Whether a sample is off-target, as far as its scripts tell; `settled` is the share of a script that settles it."""
    shares = _shares(sample)
    if not shares or (shares is _ALL_LATIN and _LATIN in target.own):
        return None
    own = sum(shares.get(mark, 0) for mark in target.own)
    foreign = 1 - own - (shares.get(_LATIN, 0) if _LATIN not in target.own else 0)
    if _HAN in target.own and shares.get(_HAN, 0) + shares.get(_KANA, 0) > 0.5:
        return _between_han_and_kana(shares, target, settled)
    if foreign > 0.6:
        return True  # in a third script
    if own < 0.15 and _letters(sample) >= _ENOUGH_LETTERS:
        # Names and brands stand in Latin letters everywhere; a text of them alone is no evidence, prose is.
        return None if prose.is_names(sample) else True
    return False if sum(shares.get(mark, 0) for mark in target.settled) >= settled else None


def _between_han_and_kana(shares: Mapping[str, float], target: _Target, settled: float) -> bool | None:
    # Japanese has kana in every sentence, and Chinese none but in names.
    kana = shares.get(_KANA, 0)
    if target.label == "ja":
        return False if kana >= 0.05 and kana + shares.get(_HAN, 0) >= settled else None
    return True if kana > 0.15 else None


def _pieces(lines: Iterable[str]) -> list[str]:
    """Pieces of about the same length: short lines together, long ones cut; of very many a dozen, spread over the text."""
    pieces: list[str] = []
    for line in lines:
        words = " ".join(line.split())
        if pieces and len(pieces[-1]) < _PIECE // 3:
            words = f"{pieces.pop()} {words}"
        while len(words) > 1.5 * _PIECE:
            cut = words.rfind(" ", _PIECE // 2, _PIECE) + 1 or _PIECE
            pieces.append(words[:cut])
            words = words[cut:]
        pieces.append(words)
    step = max(1.0, len(pieces) / _MOST_PIECES)
    return [pieces[int(i * step)] for i in range(min(len(pieces), _MOST_PIECES))]


def _is_other_variant(lines: Sequence[str], target: _Target) -> bool:
    """Whether Chinese is clearly in the characters that were not asked for: those that one of the old encodings lacks."""
    if target.variant is None:
        return False
    counts = Counter[str]()
    for char in _windows(lines, 3 * _PIECE):
        counts["Hans"] += _encodes(char, "gb2312") and not _encodes(char, "big5")
        counts["Hant"] += _encodes(char, "big5") and not _encodes(char, "gb2312")
    other = "Hans" if target.variant == "Hant" else "Hant"
    return counts[other] >= 3 and counts[other] > 5 * counts[target.variant]


def _encodes(char: str, encoding: str) -> bool:
    try:
        return char >= "\u3400" and bool(char.encode(encoding))
    except UnicodeEncodeError:
        return False
