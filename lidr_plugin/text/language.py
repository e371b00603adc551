"""Which of the run's languages a text is in."""

import re
from collections.abc import Sequence

from lingua import IsoCode639_1, LanguageDetector, LanguageDetectorBuilder

from lidr_plugin import languages
from lidr_plugin.errors import InputError
from lidr_plugin.text.scripts import DENSE

_NOT_PROSE = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|www\.\S+|\S+@\S+\.\w+|<[^<>\n]{1,200}>|\$[^$\n]+\$", re.DOTALL
)
_DENSE = re.compile(f"[{DENSE}]")
_WINDOW = 90
_ENOUGH_LETTERS = 24


def _iso_of(code: str) -> IsoCode639_1 | None:
    base = {"no": "nb"}.get(languages.base(code), languages.base(code))
    found: IsoCode639_1 | None = getattr(IsoCode639_1, base.upper(), None)
    return found


def is_identifiable(code: str) -> bool:
    """Whether lingua knows the language."""
    return _iso_of(code) is not None


class LanguageGate:
    """Tells off-target texts, with lingua restricted to the run's languages.

    What does not decide: code, addresses, formulas, and texts with fewer than 24 letters (a character of a dense script
    such as Chinese, Thai or Korean counts as three).

    Raises:
        InputError: lingua does not know one of the languages.
    """

    def __init__(self, codes: Sequence[str]) -> None:
        self._iso: dict[str, IsoCode639_1] = {}
        for code in codes:
            iso = _iso_of(code)
            if iso is None:
                raise InputError(
                    f"filters.off_target: {languages.name_of(code)} ({code}) cannot be identified",
                    "switch the filter off: filters.off_target=false",
                )
            self._iso[code] = iso
        self._detector: LanguageDetector | None = None

    def detect(self, text: str) -> str | None:
        """The code of the text's language, or None if it is too short or too close to call."""
        sample = self._sample(text)
        if sum(map(str.isalpha, sample)) + 2 * len(_DENSE.findall(sample)) < _ENOUGH_LETTERS:
            return None
        if len(self._iso) == 1:
            return next(iter(self._iso))
        if self._detector is None:
            builder = LanguageDetectorBuilder.from_iso_codes_639_1(*self._iso.values())
            self._detector = builder.with_minimum_relative_distance(0.1).build()
        found = self._detector.detect_language_of(sample)
        return next((code for code, iso in self._iso.items() if found and iso == found.iso_code_639_1), None)

    def off_target(self, text: str, code: str) -> bool:
        """Whether the text is clearly in another of the run's languages than `code`."""
        found = self.detect(text)
        return found is not None and self._iso[found] != self._iso[code]

    @staticmethod
    def _sample(text: str) -> str:
        """Beginning, middle and end of the prose: enough to tell, and the time does not grow with the length."""
        prose = " ".join(_NOT_PROSE.sub(" ", text).split())
        if len(prose) <= 3 * _WINDOW:
            return prose
        middle = len(prose) // 2
        return f"{prose[:_WINDOW]} {prose[middle - _WINDOW // 2 : middle + _WINDOW // 2]} {prose[-_WINDOW:]}"


class Identification:
    """Tells answers in the wrong one of a run's languages, where these can be identified; `notes` says where they cannot."""

    def __init__(self, codes: Sequence[str]) -> None:
        known = [code for code in codes if is_identifiable(code)]
        # Against a single language nothing can be told: every text would be found to be in it.
        self._known = frozenset(known) if len(known) > 1 else frozenset[str]()
        self._gate = LanguageGate(known)
        whose = [f"{languages.name_of(code)} ({code}) cannot" for code in codes if code not in known]
        if not self._known:
            whose = ["fewer than two of the run's languages can"]
        self.notes = tuple(
            f"{x} be identified: whether answers are in the right language is not measured" for x in whose
        )

    def off_target(self, text: str, code: str) -> bool | None:
        """Whether a text is clearly in another of the run's languages than `code`; None where nobody can tell."""
        return self._gate.off_target(text, code) if code in self._known else None
