"""The answer of the majority before others: ScPO (arXiv 2411.04109) within a language, CALM (arXiv 2501.18457) over all.

V(y) = votes for y's final answer    chosen: argmax V    rejected: argmin V    weight (V+ - V-) / k, k answers asked for
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lidr_plugin.completions.client import Model
from lidr_plugin.completions.requests import Need
from lidr_plugin.completions.steps import Steps, together
from lidr_plugin.config.schema import Config
from lidr_plugin.methods.base import Ask, Reason, Sft
from lidr_plugin.methods.candidates import Candidate, Pool, Ranked, Ranking
from lidr_plugin.methods.filters import unread_answers, weigh
from lidr_plugin.methods.rankers.answer import by_answer
from lidr_plugin.methods.rankers.base import Asked, Tools
from lidr_plugin.methods.votes import Tally, votes_in
from lidr_plugin.prompts.prompt import Prompt
from lidr_plugin.prompts.prompt_set import PromptSet
from lidr_plugin.text.numbers import final_numbers


@dataclass(frozen=True, slots=True)
class ByVote:
    """Counts the final answers.

    Attributes:
        all_languages: whether the answers of all languages vote together.
        threshold: the share of the votes that the winner needs.
        semi_supervised: whether the final answer decides where a prompt has one (`answer_filter`).
    """

    tools: Tools
    all_languages: bool
    threshold: float
    semi_supervised: bool
    name: str = "vote"
    ranks_dominant: bool = True
    roles: Mapping[str, Model] = field(default_factory=dict)
    scores: Mapping[str, frozenset[Need]] = field(default_factory=dict)

    @property
    def compares(self) -> bool:
        """Where all languages vote together."""
        return self.all_languages

    @property
    def needs_dominant(self) -> bool:
        """As it compares."""
        return self.all_languages

    def problems(self, prompts: PromptSet) -> Sequence[str]:
        """A final answer that is no number, where it would decide."""
        return unread_answers(prompts, "set answer_filter=none") if self.semi_supervised else ()

    def asked(self, languages: int, answers: int) -> Asked:
        """A translation of the winner for every language in which nobody said it."""
        return Asked(languages - 1 if self.all_languages else 0)

    def rank(self, prompt: Prompt, pools: Sequence[Pool], ask: Ask) -> Steps[list[Ranking]]:
        """By votes; a prompt with a final answer by that, if wanted."""
        if self.semi_supervised and prompt.final_answer is not None:
            return [by_answer(pool, prompt.final_answer, voters=len(pool.members)) for pool in pools]
        if not self.all_languages:
            return [self._ranking(pool, votes_in(pool.members)) for pool in pools]
        everyone = [member for pool in pools for member in pool.members]
        votes = votes_in(everyone)
        rankings, start = [], 0
        for pool in pools:
            end = start + len(pool.members)
            own = votes._replace(scores=votes.scores[start:end], supports=votes.supports[start:end])
            rankings.append(self._ranking(pool, own, len(everyone), first_alone=True))
            start = end
        source = next(
            (x for x, ok in zip(everyone, votes.supports, strict=True) if ok and _is_sound(x, pools[0])), None
        )
        return (yield from together(*(self._completed(prompt, ranking, votes, source, ask) for ranking in rankings)))

    def _ranking(self, pool: Pool, votes: Tally, voters: int = 0, *, first_alone: bool = False) -> Ranking:
        """A pool by its part of the votes.

        Args:
            voters: how many were asked; 0: the members of the pool.
            first_alone: whether no supporter but the first that may be chosen is chosen.
        """
        voters = voters or len(pool.members)
        # 0.7 * 10 is a little more than 7.
        if votes.winner is None or votes.most + 1e-9 < self.threshold * voters:
            return Ranking(pool, (), voters, Reason.NO_MAJORITY)
        told = {
            member.sample: (score, ok)
            for member, score, ok in zip(pool.members, votes.scores, votes.supports, strict=True)
        }
        ranked: list[Ranked] = []
        for candidate in pool.distinct:
            score, supports = told[candidate.sample]
            taken = first_alone and any(x.choosable for x in ranked)
            choosable = supports and candidate.reason is None and not taken
            # Who abstained is not rejected: a lost format is another lesson than a wrong answer.
            ranked.append(Ranked(candidate, score, choosable, rejectable=score > 0, right=supports))
        return Ranking(pool, ranked, voters, _unsound(ranked))

    def _completed(
        self, prompt: Prompt, ranking: Ranking, votes: Tally, source: Candidate | None, ask: Ask
    ) -> Steps[Ranking]:
        """With the winner's translation from the dominant language, where nobody said it in this one."""
        supported = any(x.choosable for x in ranking.ranked)
        others = any(x.rejectable and not x.right for x in ranking.ranked)
        if source is None or supported or not others:
            return ranking
        target = ranking.pool.language
        text = yield from self.tools.responder.translator.carried(source.text, source.language, target, ask, prompt.id)
        origin = text.translated(source.name, target)
        row = Sft(prompt.id, target, ranking.pool.prompt, text, origin, source.text, final_answer=prompt.final_answer)
        reason = weigh(row, self.tools.filters)
        if reason is None and votes.winner not in final_numbers(text.text, target):
            reason = Reason.ANSWER
        made = Candidate(target, source.sample, text, reason, origin, source.text)
        if reason:
            return ranking._replace(reason=reason)
        translation = Ranked(made, votes.most, rejectable=False, right=True)
        return ranking._replace(ranked=[*ranking.ranked, translation], reason=None)


def _is_sound(candidate: Candidate, dominant: Pool) -> bool:
    return candidate.language == dominant.language and candidate.reason is None


def _unsound(ranked: Sequence[Ranked]) -> str | None:
    """Why none of those that said the winner may be chosen, if that is why there is no pair."""
    if any(x.choosable for x in ranked):
        return None
    return next((x.candidate.reason for x in ranked if x.right), None)


def build(config: Config, tools: Tools) -> ByVote:
    """The ranker as a configuration wants it."""
    return ByVote(
        tools=tools,
        all_languages=config.rank.pool == "all",
        threshold=config.rank.votes_needed,
        semi_supervised=config.answer_filter != "none",
    )
