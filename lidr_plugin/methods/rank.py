"""Answers of one language against each other: n samples, put in order by a ranker (`methods/rankers`), become pairs.

y^l_0 … y^l_{n-1} ~ M(x^l)    pair in l: prompt x^l, chosen and rejected among the y^l by their scores
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from lidr_plugin.completions.client import Model
from lidr_plugin.completions.requests import Need
from lidr_plugin.completions.steps import Steps, together
from lidr_plugin.config.schema import Config
from lidr_plugin.methods.base import Ask, Drop, Outcome, Preference, Reason, Text
from lidr_plugin.methods.candidates import Candidate, Pool, Ranked, Ranking
from lidr_plugin.methods.draw import drawn
from lidr_plugin.methods.filters import REASONS, Filter, Kinds, unread_answers, weigh
from lidr_plugin.methods.length_control import LengthFit, fit, priced
from lidr_plugin.methods.rankers import ranker_of
from lidr_plugin.methods.rankers.base import Ranker, Tools
from lidr_plugin.methods.sampler import Sampler
from lidr_plugin.methods.selection import Pairing, Select, select
from lidr_plugin.methods.translation_prompts import TranslationPrompts
from lidr_plugin.methods.weights import Weights, copies, is_kept
from lidr_plugin.prompts.prompt import Prompt, PromptText
from lidr_plugin.prompts.prompt_set import PromptSet
from lidr_plugin.text.numbers import is_correct

_REASONS: Mapping[str, str] = {
    Reason.NO_MAJORITY: "too few of the answers agree",
    Reason.THINNED: "left out by its weight",
    Reason.UNREAD: "the judge's reply cannot be read",
}


@dataclass(frozen=True, slots=True)
class Rank:
    """The method's settings; see the configuration's keys of the same names.

    Attributes:
        languages: all that are sampled, the dominant one first where it is.
        paired: those of them that pairs are made in.
        prices: by language, what a character costs.
        fitted: whether they are to be found from all prompts, and are not yet.
        only_sound: whether what cannot be chosen cannot be rejected either.
        filters: those of pairs; those of one text are the sampler's.
    """

    languages: Sequence[str]
    paired: Sequence[str]
    sampler: Sampler
    ranker: Ranker
    prices: Mapping[str, float]
    fitted: bool
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
        return {**REASONS, **_REASONS}

    def problems(self, prompts: PromptSet) -> Sequence[str]:
        """What the ranker finds, and a final answer that is no number where a filter reads it."""
        if found := self.ranker.problems(prompts):
            return found
        return unread_answers(prompts, "set answer_filter=none") if self.answer_filter != "none" else ()

    def requests_at_most(self, prompts: int) -> int:
        """The samples, and what the ranker asks."""
        languages, answers = len(self.languages), self.sampler.asked
        return prompts * (languages * answers + self.ranker.asked(languages, answers).chats)

    @property
    def scores(self) -> Mapping[str, frozenset[Need]]:
        """Those of the ranker."""
        return self.ranker.scores

    def scores_at_most(self, prompts: int) -> int:
        """Those of the ranker."""
        return prompts * self.ranker.asked(len(self.languages), self.sampler.asked).scores

    def survey(self) -> "LengthSurvey | None":
        """What must be known of all prompts before the first row: with `length_control: auto`, the price of a character."""
        return LengthSurvey(self) if self.fitted else None

    def steps(self, prompt: Prompt, ask: Ask) -> Steps[Outcome]:
        """The pairs of every language, in the run's order, the dominant one first."""
        asks_translation = self.translation_prompts.treatment_of(prompt) != "ignore"
        if asks_translation and self.ranker.compares:
            empty = [Pool(code, PromptText(""), ()) for code in self.paired]
            return Outcome.of(prompt.position, [_drop(prompt, pool, Reason.TRANSLATION_PROMPT) for pool in empty])
        rankings = yield from self.rankings(prompt, ask, asks_translation=asks_translation)
        fates = [
            fate for ranking in rankings for fate in self._fates(prompt, priced(ranking, self.prices), asks_translation)
        ]
        verdicts = tuple([ranking.verdict for ranking in rankings if ranking.verdict])
        return Outcome.of(prompt.position, fates)._replace(verdicts=verdicts)

    def rankings(self, prompt: Prompt, ask: Ask, *, asks_translation: bool) -> Steps[list[Ranking]]:
        """The answers to a prompt in the languages that have pairs, with the scores as the ranker gives them."""
        draw = partial(self.sampler.pool, prompt, ask=ask, asks_translation=asks_translation)
        pools = yield from together(*(draw(language=code) for code in self.languages))
        rankings = yield from self.ranker.rank(prompt, pools, ask)
        return [ranking for ranking in rankings if ranking.pool.language in self.paired]

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


class LengthSurvey:
    """Finds what a character costs in each language, by the answers to all prompts."""

    def __init__(self, method: Rank) -> None:
        self._method = method
        self._fits: dict[str, LengthFit] = {}

    def steps(self, prompt: Prompt, ask: Ask) -> Steps[list[Ranking]]:
        """One prompt, up to its scores; none for one that is dropped."""
        method = self._method
        asks_translation = method.translation_prompts.treatment_of(prompt) != "ignore"
        if asks_translation and method.ranker.compares:
            return []
        return (yield from method.rankings(prompt, ask, asks_translation=asks_translation))

    def add(self, rankings: list[Ranking]) -> None:
        """Takes one prompt's answers."""
        fit(rankings, self._fits)

    @property
    def found(self) -> dict[str, float]:
        """By language."""
        return {code: self._fits[code].price for code in self._method.paired if code in self._fits}

    @property
    def noted(self) -> dict[str, list[int]]:
        """By language, the sums of its fit."""
        return {code: found.sums for code, found in self._fits.items()}

    def add_noted(self, noted: Mapping[str, Sequence[int]]) -> None:
        """Takes the sums of other prompts."""
        for code, sums in noted.items():
            self._fits.setdefault(code, LengthFit()).add_sums(sums)

    def method(self) -> Rank:
        """The method with what was found."""
        return replace(self._method, prices=self.found, fitted=False)


def build(config: Config, filters: Sequence[Filter], roles: Mapping[str, Model]) -> Rank:
    """The method as a configuration wants it."""
    wanted, kinds = config.rank, Kinds.of(filters)
    sampler = Sampler.of(config, kinds.of_texts)
    ranker = ranker_of(config, Tools(sampler.responder, kinds.of_texts))
    paired = config.codes if wanted.dominant and ranker.ranks_dominant else config.languages
    price = 0.0 if isinstance(wanted.length_control, str) else wanted.length_control
    return Rank(
        languages=config.codes if wanted.dominant or ranker.needs_dominant else config.languages,
        paired=paired,
        sampler=sampler,
        ranker=ranker,
        prices=dict.fromkeys(config.codes, price),
        fitted=wanted.length_control == "auto",
        select=wanted.select,
        pairs=wanted.pairs,
        weights=wanted.weighted,
        only_sound=wanted.reject_from == "sound",
        translation_prompts=TranslationPrompts.of(config),
        filters=kinds.of_pairs,
        answer_filter=config.answer_filter,
        roles={**roles, **ranker.roles},
    )
