"""The verdict on each language of a build, from the completions that it has anyway."""

from collections.abc import Iterable, Iterator

from lidr_plugin.completions.requests import key_of, request_json
from lidr_plugin.completions.store import Store
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.prepare import Prepared
from lidr_plugin.evaluation.benefit import Candidate, candidates_of, signal_of, whole
from lidr_plugin.evaluation.intervals import grouped
from lidr_plugin.evaluation.results import LanguageSignal
from lidr_plugin.evaluation.signal import spread, way_back
from lidr_plugin.methods.base import Outcome
from lidr_plugin.methods.translation import Translator
from lidr_plugin.text.language import Identification

_LOOKED_AT = 256
"""Prompts: their benefit is known to some five points either side, and a long build is not slowed by a look at every text."""


CANDIDATES = list[Candidate]
"""What a shard of a run keeps of its part for the verdicts on the whole."""


def verdicts_of(config: Config, candidates: Iterable[Candidate]) -> dict[str, LanguageSignal]:
    """By language; none for a method whose chosen texts are no translations."""
    identification = Identification(config.codes)
    found = grouped((x.row.language, x) for x in candidates)
    return {code: signal_of(own, identification) for code, own in found.items()}


class BuildSignal:
    """Looks at prompts evenly spread as they are built. Those of a probe before it are among them, and the way back of its
    translations is in the store.

    Args:
        total: prompts of the run, where this is a shard of it.
    """

    def __init__(self, ready: Prepared, total: int | None = None) -> None:
        self._ready = ready
        self._wanted = spread(_LOOKED_AT, len(ready.prompts) if total is None else total)
        self._found: list[Candidate] = []

    def watch(self, outcome: Outcome) -> None:
        """Takes what a prompt came to, if it is one of those looked at."""
        if outcome.position in self._wanted:
            self._found += candidates_of(outcome)

    def candidates(self, store: Store) -> list[Candidate]:
        """Those of the prompts looked at, with what the store has of their ways back."""
        return list(self._with_ways_back(store))

    def _with_ways_back(self, store: Store) -> Iterator[Candidate]:
        config, translator = self._ready.config, Translator.of(self._ready.config)
        asked = [
            request_json(
                way_back(
                    translator, config.dominant_language, x.row.id, x.row.language, x.row.chosen.text, self._ready.ask
                )
            )
            for x in self._found
        ]
        keys = [key_of(text) for text in asked]
        there = store.get_many(keys, dict(zip(keys, asked, strict=True)))
        for x, key in zip(self._found, keys, strict=True):
            if whole(x.row.chosen) and key in there:
                back = translator.read(there[key], x.row.chosen.text, self._ready.ask)
                yield x._replace(back=back.text)
            else:
                yield x
