"""How likely a text is in each language: py3langid, over all the languages that lidr names and it knows."""

import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import version
from math import log, sqrt
from typing import TYPE_CHECKING

from lidr_plugin import languages

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

_VARIETIES = {"ary": "ar", "arz": "ar", "wuu": "zh", "hbo": "he"}
"""Labels of the model that are varieties of languages that lidr names. Its other labels would take short texts from these."""

LABELS = frozenset(
    "af am ar az be bg bn bs ca cs cy da de el en eo es et eu fa fi fr fy ga gl gu ha he hi hr ht hu hy id ig is it ja jv ka "
    "kk km kn ko ku ky la lb lg lo lt lv mg mk ml mn mr ms mt my ne nl nn no om or pa pl ps pt qu ro ru rw si sk sl sn so sq "
    "sr st sv sw ta te tg th tk tl tr tt ug uk ur uz vi xh yo yue zh zu".split()
)
"""The languages that are told apart, as `languages.tag` has them. Written here so that nothing loads a model to know them."""


def name_and_version() -> str:
    """What identifies languages, for a run's `config.json`."""
    return f"py3langid {version('py3langid')}"


_LONGEST = 6
"""Bytes of the model's longest feature: where its automaton stands depends on no more of them."""
_AT_ONCE = 3
"""Texts that are scored together at most."""
_PLACES = 1024
"""Bytes of the texts of most calls; for longer ones there are more."""
_NO_BYTE = b"\xff"
"""Is in no text, and leads back to where the automaton begins."""


class Identifier:
    """py3langid's model, with the columns of our languages alone, in the precision that is fast to multiply."""

    def __init__(self) -> None:
        import numpy
        from py3langid.langid import MODEL_FILE, LanguageIdentifier

        model = LanguageIdentifier.from_model_file(MODEL_FILE)
        named = [(i, _VARIETIES.get(label, label)) for i, label in enumerate(model.nb_classes)]
        columns = [i for i, label in named if label in LABELS]
        self._labels = [label for _, label in named if label in LABELS]
        self._priors = model.nb_pc[columns].astype(numpy.float32)
        self._moves = numpy.asarray(model.tk_nextmove)
        self._rows = numpy.asarray(model.tk_row, dtype=numpy.intp) << 8
        self._begun = self._moves[self._rows[0] : self._rows[0] + 256]
        self._found = numpy.asarray(model.tk_output, dtype=numpy.intp)
        # The last row stands for no feature, whose number is -1.
        self._weights = numpy.zeros((len(model.nb_ptc) + 1, len(columns)), dtype=numpy.float32)
        self._weights[:-1] = model.nb_ptc[:, columns]
        self._own = numpy.arange(0, _AT_ONCE * len(self._weights), len(self._weights))[:, None]
        self._last = numpy.zeros(_AT_ONCE * len(self._weights), dtype=numpy.intp)
        self._places = numpy.arange(_PLACES)
        self._logs = numpy.log1p(self._places, dtype=numpy.float32)

    def best(self, texts: Sequence[str]) -> list[str]:
        """The likeliest language of each text, of which there may be three; so many take little more time than one."""
        return [self._labels[i] for i in self._scores(list(map(_encoded, texts))).argmax(axis=1).tolist()]

    def evidence(self, text: str) -> Mapping[str, float]:
        """By language, the natural logarithm of how likely it is; py3langid makes the likelihood tamer for long texts."""
        import numpy

        data = _encoded(text)
        scores = self._scores([data])[0] / sqrt(len(data) or 1)
        shares = numpy.exp(scores - scores.max())
        likely = dict.fromkeys(self._labels, 1e-30)
        for label, share in zip(self._labels, (shares / shares.sum()).tolist(), strict=True):
            likely[label] += share
        return {label: log(share) for label, share in likely.items()}

    def _scores(self, texts: Sequence[bytes]) -> "NDArray[numpy.float32]":
        """A row for each text, a column for each label.

        All bytes walk through the automaton side by side, each from as far before it as matters: a loop over them one after
        the other takes several times as long.
        """
        import numpy

        width = max(map(len, texts)) + _LONGEST - 1
        places = len(texts) * width
        while places >= len(self._places):
            self._places = numpy.arange(2 * len(self._places))
            self._logs = numpy.log1p(self._places, dtype=numpy.float32)
        line = b"".join([_NO_BYTE * (_LONGEST - 1), *[text.ljust(width, _NO_BYTE) for text in texts]])
        data = numpy.frombuffer(line, dtype=numpy.uint8).astype(numpy.intp)
        states = self._begun.take(data[:places])
        for step in range(1, _LONGEST):
            states = self._moves.take(self._rows.take(states) + data[step : places + step])
        features = self._found.take(states)
        # A feature is counted at the last place in the text where it is, and at the others not at all.
        own = (features.reshape(len(texts), width) + self._own[: len(texts)]).ravel()
        self._last[own] = self._places[:places]
        counts = numpy.bincount(self._last.take(own), minlength=places)
        weights = self._weights.take(features, axis=0).reshape(len(texts), width, -1)
        logs = self._logs.take(counts).reshape(len(texts), 1, width)
        scores: NDArray[numpy.float32] = (logs @ weights)[:, 0]
        scores += self._priors
        return scores


def _encoded(text: str) -> bytes:
    return unicodedata.normalize("NFC", text.lower() if text.isupper() else text).encode(errors="replace")


@lru_cache(maxsize=1)
def identifier() -> Identifier:
    """The one of this process: its model takes a second and 60 MB to load."""
    return Identifier()


def is_identifiable(code: str) -> bool:
    """Whether texts in a language can be told from texts in the others that are known."""
    return languages.tag(code).base in LABELS
