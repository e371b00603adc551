"""How likely a text is in each language: py3langid, over all the languages that lidr names and it knows."""

import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import version
from math import log

from lidr_plugin import languages

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


class Identifier:
    """py3langid's model, with the columns of our languages alone, in the precision that is fast to multiply."""

    def __init__(self) -> None:
        import numpy
        from py3langid.langid import MODEL_FILE, LanguageIdentifier

        model = LanguageIdentifier.from_model_file(MODEL_FILE)
        named = [(i, _VARIETIES.get(label, label)) for i, label in enumerate(model.nb_classes)]
        columns = [i for i, label in named if label in LABELS]
        self._model = LanguageIdentifier(
            numpy.ascontiguousarray(model.nb_ptc[:, columns], dtype=numpy.float32),
            model.nb_pc[columns].astype(numpy.float32),
            [label for _, label in named if label in LABELS],
            model.tk_nextmove,
            model.tk_output,
            norm_probs=True,
            tk_row=model.tk_row,
        )
        self._rows = [row << 8 for row in model.tk_row]

    def best(self, texts: Sequence[str]) -> list[str]:
        """The likeliest language of each text. One multiplication for all: there, and not in the walk, the time goes."""
        import numpy

        found = [self._features(text) for text in texts]
        counts = numpy.zeros((len(texts), sum(map(len, found))), dtype=numpy.float32)
        start = 0
        for row, features in zip(counts, found, strict=True):
            row[start : start + len(features)] = list(features.values())
            start += len(features)
        table = self._model.nb_ptc.take([feature for features in found for feature in features], axis=0)
        scores = numpy.log1p(counts) @ table + self._model.nb_pc
        return [self._model.nb_classes[i] for i in scores.argmax(axis=1).tolist()]

    def _features(self, text: str) -> Mapping[int, int]:
        """How often each feature of the model is in a text; nothing of the first where there is none."""
        from py3langid.langid import visit_counts

        data = unicodedata.normalize("NFC", text.lower() if text.isupper() else text).encode(errors="replace")
        return visit_counts(self._model.tk_nextmove, self._rows, self._model.tk_output, data) or {0: 0}

    def evidence(self, text: str) -> Mapping[str, float]:
        """By language, the natural logarithm of how likely it is."""
        return {label: log(p + 1e-30) for label, p in self._model.rank(text)}


@lru_cache(maxsize=1)
def identifier() -> Identifier:
    """The one of this process: its model takes a second and 60 MB to load."""
    return Identifier()


def is_identifiable(code: str) -> bool:
    """Whether texts in a language can be told from texts in the others that are known."""
    return languages.tag(code).base in LABELS
