"""Answers of one language against each other: n samples, put in order by a ranker (`methods/rankers`), become pairs.

y^l_0 … y^l_{n-1} ~ M(x^l)    pair in l: prompt x^l, chosen and rejected among the y^l by their scores
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from lidr_plugin.completions.client import Model
from lidr_plugin.completions.steps import Steps, together
from lidr_plugin.config.schema import Config
from lidr_plugin.methods.base import Ask, Drop, Outcome, Preference, Reason, Text
from lidr_plugin.methods.candidates import Candidate, Pool, Ranked, Ranking
from lidr_plugin.methods.draw import drawn
from lidr_plugin.methods.filters import REASONS, Filter, Kinds, unread_answers, weigh
from lidr_plugin.methods.rankers import ranker_of
from lidr_plugin.methods.rankers.base import Ranker, Tools
from lidr_plugin.methods.sampler import Sampler
from lidr_plugin.methods.selection import Pairing, Select, select
from lidr_plugin.methods.translation_prompts import TranslationPrompts
from lidr_plugin.methods.weights import Weights, copies, is_kept
from lidr_plugin.prompts.prompt import Prompt, PromptText
from lidr_plugin.prompts.prompt_set import PromptSet
from lidr_plugin.text.numbers import is_correct


@dataclass(frozen=True, slots=True)
class Rank:
    """The method's settings; see the configuration's keys of the same names.

    Attributes:
        languages: all that are sampled, the dominant one first where it is.
        paired: those of them that pairs are made in.
        only_sound: whether what cannot be chosen cannot be rejected either.
        filters: those of pairs; those of one text are the sampler's.
    """

    languages: Sequence[str]
    paired: Sequence[str]
    sampler: Sampler
    ranker: Ranker
    select: Select
    pairs: int
    weights: Weights
    only_sound: bool
    translation_prompts: TranslationPrompts
    filters: Sequence[Filter]
    answer_filter: str
    roles: Mapping[str, Model]
    rows: type[Preference] = Preference

    @property
    def reasons(self) -> Mapping[str, str]:
        """Those of the filters, and what a ranking may come to."""
        return REASONS

    def problems(self, prompts: PromptSet) -> Sequence[str]:
        """What the ranker finds, and a final answer that is no number where a filter reads it."""
        if found := self.ranker.problems(prompts):
            return found
        return unread_answers(prompts, "set answer_filter=none") if self.answer_filter != "none" else ()

    def requests_at_most(self, prompts: int) -> int:
        """The samples, and what the ranker asks."""
        languages = len(self.languages)
        asked = languages * self.sampler.asked
        return prompts * (asked + self.ranker.requests_at_most(languages, self.sampler.asked))

    def steps(self, prompt: Prompt, ask: Ask) -> Steps[Outcome]:
        """The pairs of every language, in the run's order, the dominant one first."""
        asks_translation = self.translation_prompts.treatment_of(prompt) != "ignore"
        if asks_translation and self.ranker.compares:
            empty = [Pool(code, PromptText(""), ()) for code in self.paired]
            return Outcome.of(prompt.position, [_drop(prompt, pool, Reason.TRANSLATION_PROMPT) for pool in empty])
        draw = partial(self.sampler.pool, prompt, ask=ask, asks_translation=asks_translation)
        pools = yield from together(*(draw(language=code) for code in self.languages))
        rankings = yield from self.ranker.rank(prompt, pools, ask)
        fates = [
            fate
            for ranking in rankings
            if ranking.pool.language in self.paired
            for fate in self._fates(prompt, ranking, asks_translation)
        ]
        return Outcome.of(prompt.position, fates)

    def _fates(self, prompt: Prompt, ranking: Ranking, asks_translation: bool) -> Iterator[Preference | Drop]:
        """What becomes of one language's answers."""
        pool = ranking.pool
        ranked = [x._replace(rejectable=x.rejectable and self._may_be_rejected(x, prompt)) for x in ranking.ranked]
        draw = partial(drawn, self.sampler.sampling.seed, prompt.id, pool.language)
        how: Select = "contrast" if ranking.labelled else self.select
        pairings = [] if ranking.reason else select(how, ranked, self.pairs, draw)
        if not pairings:
            yield _drop(prompt, pool, pool.obstacle or ranking.reason or Reason.NO_CONTRAST)
        for pairing in pairings:
            row = self._row(prompt, ranking, pairing, asks_translation)
            yield from self._weighed(row, ranking.voters, draw(f"thin:{row.chosen_source}>{row.rejected_source}"))

    def _may_be_rejected(self, ranked: Ranked, prompt: Prompt) -> bool:
        candidate = ranked.candidate
        if self.only_sound and candidate.reason:
            return False
        if self.answer_filter != "contrast" or prompt.final_answer is None:
            return True
        return not is_correct(candidate.text.text, prompt.final_answer, candidate.language)

    def _row(self, prompt: Prompt, ranking: Ranking, pairing: Pairing, asks_translation: bool) -> Preference:
        (best, score, *_), (worst, lower, *_) = pairing
        return Preference(
            id=prompt.id,
            language=ranking.pool.language,
            prompt=ranking.pool.prompt,
            chosen=best.text,
            rejected=worst.text,
            chosen_source=best.source,
            rejected_source=worst.source,
            source=best.original or best.text,
            answers_translation=asks_translation,
            final_answer=prompt.final_answer,
            chosen_score=score,
            rejected_score=lower,
            weight=ranking.weight(*pairing),
            ranker=self.ranker.name,
        )

    def _weighed(self, row: Preference, voters: int, ticket: float) -> Iterator[Preference | Drop]:
        """The row as often as its weight wants it."""
        if reason := weigh(row, self.filters):
            yield Drop(row, reason)
        elif self.weights == "thin" and not is_kept(row.weight, ticket):
            yield Drop(row, Reason.THINNED)
        else:
            yield from [row] * (copies(row.weight, voters) if self.weights == "copies" and voters else 1)


def _drop(prompt: Prompt, pool: Pool, reason: str) -> Drop:
    """A candidate that stands for all answers in a language, with the first two that differ."""
    nothing = Candidate(pool.language, 0, Text(""))
    shown = [*(pool.distinct or pool.members), nothing, nothing]
    first, second = shown[0], shown[1]
    row = Preference(
        prompt.id, pool.language, pool.prompt, first.text, second.text, first.source, second.source, first.text
    )
    return Drop(row, reason)


def build(config: Config, filters: Sequence[Filter], roles: Mapping[str, Model]) -> Rank:
    """The method as a configuration wants it."""
    wanted, kinds = config.rank, Kinds.of(filters)
    sampler = Sampler.of(config, kinds.of_texts)
    ranker = ranker_of(config, Tools(sampler.responder.translator, kinds.of_texts))
    paired = config.codes if wanted.dominant else config.languages
    return Rank(
        languages=config.codes if wanted.dominant or ranker.compares else config.languages,
        paired=paired,
        sampler=sampler,
        ranker=ranker,
        select=wanted.select,
        pairs=wanted.pairs,
        weights=wanted.weighted,
        only_sound=wanted.reject_from == "sound",
        translation_prompts=TranslationPrompts.of(config),
        filters=kinds.of_pairs,
        answer_filter=config.answer_filter,
        roles={**roles, **ranker.roles},
    )
