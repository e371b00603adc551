"""What a run of ranked answers reports beside its counts: the lengths of what is chosen and rejected, languages, copies."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lidr_plugin.config.schema import Config
from lidr_plugin.methods.base import Preference

_UNEVEN = 1.3
"""Times by which chosen and rejected texts may differ in length, on average, before that is what is learnt."""
_NONE_BELOW = 5
"""So many numbers, or fewer: none of them is two of their standard deviations below their mean, whatever they are."""
_LOPSIDED = 0.6
"""Share of the chosen texts that one language may have where all compete with each other."""


@dataclass
class RankingCounts:
    """Sums over the pairs of a run that a ranker gave scores, by language; copies of a pair count once.

    Attributes:
        length_control: by language, what a character cost, where that was fitted to the run.
    """

    rows: int = 0
    pairs: Counter[str] = field(default_factory=Counter)
    characters: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    origins: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    length_control: dict[str, float] = field(default_factory=dict)
    _last: Preference | None = None

    def add(self, row: Preference) -> None:
        """Counts a row; copies follow one another."""
        self.rows += 1
        if row == self._last:
            return
        self._last = row
        self.pairs[row.language] += 1
        for side, text, source in (
            ("chosen", row.chosen, row.chosen_source),
            ("rejected", row.rejected, row.rejected_source),
        ):
            self.characters[side][row.language] += len(text.text)
            self.origins[side][_language_of(source)] += 1

    @property
    def copies(self) -> float:
        """Rows for each pair."""
        pairs = self.pairs.total()
        return self.rows / pairs if pairs else 1.0

    def mean(self, side: str, language: str) -> float:
        """The mean length of a text, in characters."""
        return self.characters[side][language] / max(1, self.pairs[language])

    def json(self, languages: Sequence[str]) -> dict[str, Any]:
        """For `report.json`; nothing where no ranker gave scores."""
        if not self.rows:
            return {}
        sides = ("chosen", "rejected")
        told: dict[str, Any] = {
            "copies": round(self.copies, 4),
            "characters": {
                code: {side: round(self.mean(side, code), 1) for side in sides}
                for code in languages
                if self.pairs[code]
            },
            "languages": {side: {code: self.origins[side][code] for code in languages} for side in sides},
        }
        return {**told, "length_control": self.length_control} if self.length_control else told

    def notes(self, languages: Sequence[str]) -> Iterator[str]:
        """What the user should know before training on it."""
        for code in languages:
            chosen, rejected = self.mean("chosen", code), self.mean("rejected", code)
            if self.pairs[code] and max(chosen, rejected) > _UNEVEN * min(chosen, rejected):
                yield (
                    f"{code}: chosen texts have {chosen:,.0f} characters on average and rejected ones {rejected:,.0f}: training "
                    "may teach length; look at some of them, or set rank.length_control (by: reward or implicit)"
                )
        code, most = max(self.origins["chosen"].items(), key=lambda item: item[1], default=("", 0))
        mixed = any(self.origins["rejected"][code] != self.pairs[code] for code in languages)
        if mixed and most > _LOPSIDED * self.pairs.total():
            yield (
                f"{most:,} of {self.pairs.total():,} chosen texts are in {code}: scores of different languages are on different "
                "scales, and training may teach that one is better; rank.pool: language compares within each"
            )


def notes_before(config: Config) -> Iterator[str]:
    """What the settings of a ranking come to that is not what they say."""
    if config.family == "rank" and config.rank.select == "spread" and config.rank.answers <= _NONE_BELOW:
        yield (
            f"rank.select: spread is extremes here: of {config.rank.answers} answers none lies two deviations below their mean; it "
            f"takes more than {_NONE_BELOW}"
        )


def _language_of(source: str) -> str:
    """The language of a text, by where it comes from: `sw` of `translation:en#0->sw`."""
    return source.partition(":")[2].rpartition("->")[2].partition("#")[0].partition("+")[0]
