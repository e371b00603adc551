"""Which answers are in another language than was asked for, as far as that can be told."""

from collections.abc import Sequence

from lidr_plugin import languages
from lidr_plugin.text.language import LanguageGate, is_identifiable


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
