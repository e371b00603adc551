"""What a reward model likes before what it does not (arXiv 2407.02552; CroCo, arXiv 2605.26293)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lidr_plugin.completions.client import Model
from lidr_plugin.completions.requests import Need
from lidr_plugin.completions.steps import ScoreAnswer, Steps, together
from lidr_plugin.config.schema import Config
from lidr_plugin.methods.base import Ask, Reason
from lidr_plugin.methods.candidates import Candidate, Pool, Ranking
from lidr_plugin.methods.rankers.base import SCORER, Asked, Tools, scored, scorer_of, value
from lidr_plugin.methods.responses import turns_of
from lidr_plugin.prompts.prompt import Prompt
from lidr_plugin.prompts.prompt_set import PromptSet

_NEEDS: frozenset[Need] = frozenset({"reward"})


@dataclass(frozen=True, slots=True)
class ByReward:
    """Asks for one reward an answer, under the prompt as it was sent.

    Attributes:
        all_languages: whether the answers of all languages compete for one pair, under the prompt of the best.
    """

    system: str | None
    all_languages: bool
    roles: Mapping[str, Model]
    name: str = "reward"
    ranks_dominant: bool = True

    @property
    def compares(self) -> bool:
        """Where all languages compete."""
        return self.all_languages

    @property
    def needs_dominant(self) -> bool:
        """As it compares."""
        return self.all_languages

    @property
    def scores(self) -> Mapping[str, frozenset[Need]]:
        """Rewards of the scorer."""
        return {SCORER: _NEEDS}

    def problems(self, prompts: PromptSet) -> Sequence[str]:
        """None."""
        return ()

    def asked(self, languages: int, answers: int) -> Asked:
        """A reward for every answer."""
        return Asked(scores=languages * answers)

    def rank(self, prompt: Prompt, pools: Sequence[Pool], ask: Ask) -> Steps[list[Ranking]]:
        """By reward, each language by itself or all as one."""
        rankings = yield from together(*(self._ranking(prompt, pool, ask) for pool in pools))
        return [_as_one(rankings)] if self.all_languages else rankings

    def _ranking(self, prompt: Prompt, pool: Pool, ask: Ask) -> Steps[Ranking]:
        turns = turns_of(pool.prompt.joined, self.system)

        def reward(candidate: Candidate) -> Steps[float | Reason]:
            row = f"{prompt.id} [{candidate.name}]"
            answer: ScoreAnswer = yield ask.score(SCORER, "reward", turns, candidate.text.text, row=row)
            return value(answer)

        return (yield from scored(pool, reward))


def _as_one(rankings: Sequence[Ranking]) -> Ranking:
    """All answers in one ranking, which is of the language whose answer is the best that may be chosen."""
    ranked = [x for ranking in rankings for x in ranking.ranked]
    best = max((x for x in ranked if x.choosable), key=lambda x: x.score, default=None)
    home = next((x for x in rankings if best in x.ranked), rankings[0])
    return Ranking(home.pool, ranked, reason=None if ranked else home.reason)


def build(config: Config, tools: Tools) -> ByReward:
    """The ranker as a configuration wants it."""
    return ByReward(tools.responder.system, config.rank.pool == "all", scorer_of(config, _NEEDS))
