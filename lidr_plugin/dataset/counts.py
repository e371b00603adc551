"""Counts candidates, pairs and reasons as they come, and keeps what the page shows; its memory does not grow."""

import hashlib
import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

from lidr_plugin import __version__, files
from lidr_plugin.completions.progress import Meter
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.marks import REASONS as MARKS
from lidr_plugin.dataset.ranking import RankingCounts, notes_before
from lidr_plugin.dataset.rows import row_json, row_of
from lidr_plugin.methods.base import Outcome, Preference, Row
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.text.language import unidentifiable

_SAMPLE = 12
_LENGTH_BINS = 24


def length_bin(characters: int) -> int:
    """The bin of a text length: three bins for each doubling from 16 characters on."""
    return min(_LENGTH_BINS - 1, int(3 * math.log2(characters / 16))) if characters > 16 else 0


def bin_edge(number: int) -> int:
    """The least length in a bin, in characters."""
    return round(16 * 2 ** (number / 3))


def _bins() -> defaultdict[str, list[int]]:
    return defaultdict(lambda: [0] * _LENGTH_BINS)


@dataclass
class Counts:
    """What a run came to, by language.

    Attributes:
        mixed: names of what is mixed in, which is counted apart too; its ids begin with them.
        lengths: for each text of a row by its name (`chosen`, `rejected` or `output`), the rows of a language in each bin.
    """

    mixed: Sequence[str] = ()
    prompts: int = 0
    mixed_in: Counter[tuple[str, str]] = field(default_factory=Counter)
    candidates: Counter[str] = field(default_factory=Counter)
    pairs: Counter[str] = field(default_factory=Counter)
    rejected: dict[str, Counter[str]] = field(default_factory=dict)
    lengths: defaultdict[str, defaultdict[str, list[int]]] = field(default_factory=lambda: defaultdict(_bins))
    ranking: RankingCounts = field(default_factory=RankingCounts)
    _last: Row | None = None
    _sample: dict[str, list[tuple[int, int, Row]]] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Counts one prompt."""
        self.prompts += 1
        for row in outcome.rows:
            language = row.language
            self.candidates[language] += 1
            self.pairs[language] += 1
            if self.mixed:
                self.mixed_in[row.id.partition(":")[0], language] += 1
            if isinstance(row, Preference):
                self.lengths["chosen"][language][length_bin(len(row.chosen.text))] += 1
                self.lengths["rejected"][language][length_bin(len(row.rejected.text))] += 1
                if row.ranker:
                    self.ranking.add(row)
            else:
                self.lengths["output"][language][length_bin(len(row.output.text))] += 1
            if row != self._last:  # copies of a pair follow one another
                self._keep(row, outcome.position)
            self._last = row
        for drop in outcome.drops:
            self.add_drop(drop.row.language, str(drop.reason))

    def add_drop(self, language: str, reason: str) -> None:
        """Counts a candidate that became no row."""
        self.candidates[language] += 1
        self.rejected.setdefault(reason, Counter())[language] += 1

    def add_rows_of(self, report: Mapping[str, Any], position: int) -> None:
        """Counts the rows of a part of the run, by what its own `report.json` says of them; a ranking's are not to be had so.

        Args:
            position: tells its prompts from those before.
        """
        self.pairs.update(report["pairs"])
        self.candidates.update(report["pairs"])
        for name in self.mixed:
            self.mixed_in.update({(name, code): made for code, made in report["mix_in"][name]["pairs"].items()})
        for side, languages in report["lengths"]["texts"].items():
            for language, bins in languages.items():
                mine = self.lengths[side][language]
                mine[:] = map(sum, zip(mine, bins, strict=True))
        for rows in report["samples"].values():
            for place, (_, copies) in enumerate(groupby(rows, key=itemgetter("id")), position):
                for row in copies:
                    self._keep(row_of(row), place)

    def _keep(self, row: Row, position: int) -> None:
        """A sample by the hash of the id: the same pairs every time, and none is likelier than another."""
        source = row.rejected_source if isinstance(row, Preference) else row.output_source
        if isinstance(row, Preference) and row.ranker:
            source = f"{row.chosen_source}>{source}"
        name = f"{row.language}\0{source}\0{row.id}".encode()
        rank = int.from_bytes(hashlib.blake2b(name, digest_size=8).digest())
        heap = self._sample.setdefault(row.language, [])
        if len(heap) < _SAMPLE:
            heapq.heappush(heap, (-rank, -position, row))
        else:
            heapq.heappushpop(heap, (-rank, -position, row))

    def sample(self, language: str) -> list[Row]:
        """Up to twelve pairs of a language, in the order of their prompts."""
        # Those of one prompt in an order that does not tell how they came, for they may come in shards.
        found = sorted(self._sample.get(language, []), key=lambda item: (-item[1], -item[0], item[2]))
        return [row for _, _, row in found]

    def counts(self, languages: list[str]) -> dict[str, Any]:
        """The counts of `report.json`, with a zero where there is nothing.

        Raises:
            AssertionError: a candidate disappeared.
        """
        for code in languages:
            lost = sum(counter[code] for counter in self.rejected.values())
            assert self.candidates[code] == self.pairs[code] + lost, f"{code}: a candidate disappeared"
        return {
            "prompts": self.prompts,
            "candidates": {code: self.candidates[code] for code in languages},
            "pairs": {code: self.pairs[code] for code in languages},
            "rejected": {
                reason: {code: counter[code] for code in languages if counter[code]}
                for reason, counter in sorted(self.rejected.items())
            },
            **({"mix_in": found} if (found := self._mixed_in(languages)) else {}),
        }

    def _mixed_in(self, languages: list[str]) -> dict[str, Any]:
        return {name: {"pairs": {code: self.mixed_in[name, code] for code in languages}} for name in self.mixed}


def write_report(
    run: RunDirectory,
    config: Config,
    counts: Counts,
    meter: Meter,
    reasons: Mapping[str, str],
    also: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Writes `report.json` and returns its content: the counts (contract, section 4), then what the page shows beside them.

    Args:
        reasons: each in words, in the order in which the page shows them.
        also: what later stages know of the rows.
    """
    ranking = counts.ranking.json(config.codes)
    report = {
        **counts.counts(config.codes),
        "completions": {"generated": meter.generated, "reused": meter.reused, "failed": meter.failed},
        "scores": asdict(meter.scores),
        "tokens": {"prompt": meter.prompt_tokens, "completion": meter.completion_tokens},
        "seconds": round(meter.seconds, 3),
        "tokens_per_second": round(meter.tokens_per_second, 3),
        "model_name_or_path": config.model_name_or_path,
        "lidr": __version__,
        "reasons": {str(reason): words for reason, words in {**reasons, **MARKS}.items()},
        "lengths": {"bins": [bin_edge(number) for number in range(_LENGTH_BINS)], "texts": counts.lengths},
        "timeline": {"bin_seconds": meter.bin_seconds, "tokens": meter.timeline},
        **({"ranking": ranking} if ranking else {}),
        "notes": [
            *(unidentifiable(config.codes) if config.filters.off_target else ()),
            *notes_before(config),
            *counts.ranking.notes(config.codes),
        ],
        **(also or {}),
        "samples": {code: [row_json(row, None) for row in counts.sample(code)] for code in config.codes},
    }
    files.write_json(run.report_json, report)
    return report
