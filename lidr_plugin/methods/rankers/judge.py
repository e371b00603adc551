"""The answer that a judge prefers, before the other (SAO, arXiv 2510.06652); asked in both orders, for judges prefer a place.

score(y) = the orders in which y wins    a pair only where that is both of them
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lidr_plugin.completions.client import Model
from lidr_plugin.completions.models import Purpose, other_model
from lidr_plugin.completions.requests import TOP_LOGPROBS, Failure, Need
from lidr_plugin.completions.steps import Answer, Steps, both, together
from lidr_plugin.config.schema import Config
from lidr_plugin.methods.base import POLICY, Ask, Reason
from lidr_plugin.methods.candidates import Candidate, Pool, Ranked, Ranking
from lidr_plugin.methods.judging import Verdict, comparison, letter, sampling
from lidr_plugin.methods.rankers.base import SCORER, Asked, Tools
from lidr_plugin.prompts.prompt import Prompt
from lidr_plugin.prompts.prompt_set import PromptSet

MAX_TOKENS = 16
"""New tokens of a verdict or a grade, which are a letter or a number, with a word or two around them."""


@dataclass(frozen=True, slots=True)
class ByJudge:
    """Asks the judge, or the policy itself, twice for each language."""

    roles: Mapping[str, Model]
    name: str = "judge"
    compares: bool = False
    ranks_dominant: bool = True
    needs_dominant: bool = False
    scores: Mapping[str, frozenset[Need]] = field(default_factory=dict)

    def problems(self, prompts: PromptSet) -> Sequence[str]:
        """None."""
        return ()

    def asked(self, languages: int, answers: int) -> Asked:
        """Both orders of the two answers."""
        return Asked(2 * languages)

    def rank(self, prompt: Prompt, pools: Sequence[Pool], ask: Ask) -> Steps[list[Ranking]]:
        """Each language by itself."""
        return (yield from together(*(self._ranking(prompt, pool, ask) for pool in pools)))

    def _ranking(self, prompt: Prompt, pool: Pool, ask: Ask) -> Steps[Ranking]:
        if pool.obstacle:
            return Ranking(pool)
        one, other = pool.distinct
        first, second = yield from both(
            self._preferred(prompt, pool, one, other, ask), self._preferred(prompt, pool, other, one, ask)
        )
        if isinstance(first, Failure) or isinstance(second, Failure):
            return Ranking(pool, reason=Reason.REQUEST_FAILED)
        verdict = Verdict(f"{prompt.id} [{pool.language}]", letter(first), letter(second))
        if not verdict.is_read:
            return Ranking(pool, reason=Reason.UNREAD, verdict=verdict)
        won = {"win": 2, "lose": 0}.get(verdict.outcome, 1)
        ranked = [Ranked(one, won, one.reason is None), Ranked(other, 2 - won, other.reason is None)]
        return Ranking(pool, ranked, verdict=verdict)

    def _preferred(self, prompt: Prompt, pool: Pool, a: Candidate, b: Candidate, ask: Ask) -> Steps[Answer]:
        turn, row = comparison(pool.prompt.joined, a.words, b.words), f"{prompt.id} [{pool.language}, judge]"
        request = ask.chat(SCORER if self.roles else POLICY, [turn], sampling(MAX_TOKENS), row=row)
        answer: Answer = yield request._replace(top_logprobs=TOP_LOGPROBS)
        return answer


def judge_of(config: Config) -> dict[str, Model]:
    """The model of `rank.scorer` by its role; none where the policy judges itself.

    Raises:
        InputError: it is not there.
    """
    if config.rank.scorer is None:
        return {}
    purpose = Purpose("rank.scorer", MAX_TOKENS, "scorer.log", TOP_LOGPROBS)
    return {SCORER: other_model(config, config.rank.scorer, purpose)}


def build(config: Config, tools: Tools) -> ByJudge:
    """The ranker as a configuration wants it."""
    return ByJudge(judge_of(config))
