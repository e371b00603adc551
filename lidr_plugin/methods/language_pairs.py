"""Pairs that differ in language alone (CLO, arXiv 2505.14297), made of texts that Language Imbalance Driven Rewarding has anyway.

in l: prompt x^l, chosen t^{d->l}, rejected y^d        in d: prompt x^d, chosen y^d, rejected t^{d->l}

They are against answers that drift into the dominant language, and belong beside ordinary pairs, in a small share: alone they make
a model collapse (arXiv 2608.23149).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lidr_plugin.config.schema import Config
from lidr_plugin.methods.base import Drop, Preference, Reason
from lidr_plugin.methods.draw import drawn
from lidr_plugin.methods.filters import Filter, weigh
from lidr_plugin.prompts.prompt import PromptText
from lidr_plugin.text.language import LanguageGate

OffTarget = Callable[[str, str], bool]
"""Whether a text is clearly in another language than that of a code."""


@dataclass(frozen=True, slots=True)
class LanguagePairs:
    """The share of the prompts that get such pairs, and what tells that two texts are in different languages."""

    share: float
    seed: int
    dominant: str
    off_target: OffTarget
    filters: Sequence[Filter]

    @classmethod
    def of(cls, config: Config, filters: Sequence[Filter]) -> "LanguagePairs":
        """As a configuration wants it."""
        gate = LanguageGate(config.codes)
        return cls(config.language_pairs, config.generation.seed, config.dominant_language, gate.off_target, filters)

    def made_of(self, ordinary: Preference, asked_d: PromptText) -> list[Preference | Drop]:
        """The two pairs of a prompt, of the ordinary candidate in l and the prompt in d; none for a prompt that is not drawn."""
        code = ordinary.language
        if drawn(self.seed, ordinary.id, code, "language_pairs") >= self.share:
            return []
        outward = ordinary._replace(rejected=ordinary.source, rejected_source=f"response:{self.dominant}")
        inward = outward._replace(
            language=self.dominant,
            prompt=asked_d,
            chosen=outward.rejected,
            rejected=outward.chosen,
            chosen_source=outward.rejected_source,
            rejected_source=outward.chosen_source,
        )
        # A translation that is no good in l says nothing in d either.
        reason = weigh(outward, self.filters) or self._undecided(outward)
        back = reason or weigh(inward, self.filters)
        return [Drop(outward, reason) if reason else outward, Drop(inward, back) if back else inward]

    def _undecided(self, pair: Preference) -> str | None:
        """Where nobody can tell the two languages apart (code, numbers, a word or two), the pair would teach nothing."""
        told = self.off_target(pair.rejected.text, pair.language) and self.off_target(pair.chosen.text, self.dominant)
        return None if told else Reason.NO_CONTRAST
