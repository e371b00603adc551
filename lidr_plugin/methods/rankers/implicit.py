"""The reward that a model carries in itself, against the one it was trained from (ICR, arXiv 2503.04647; DICE, arXiv 2406.09760).

r(y) = log p(y | prompt) - log p_ref(y | prompt), of the whole answer, its end of turn included
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lidr_plugin.completions.client import Model
from lidr_plugin.completions.requests import Failure, Message, Need
from lidr_plugin.completions.steps import ScoreAnswer, Steps, both, together
from lidr_plugin.config.schema import Config
from lidr_plugin.errors import RunError
from lidr_plugin.methods.base import POLICY, Ask, Reason
from lidr_plugin.methods.candidates import Candidate, Pool, Ranking
from lidr_plugin.methods.rankers.base import SCORER, Asked, Tools, scored, scorer_of
from lidr_plugin.methods.responses import turns_of
from lidr_plugin.prompts.prompt import Prompt
from lidr_plugin.prompts.prompt_set import PromptSet

_NEEDS: frozenset[Need] = frozenset({"logprob"})
_IN_LANGUAGE = "Answer the following in {language}, unless it asks for another language itself.\n\n"
"""Our wording before a dominant prompt under which an answer in another language is scored."""


@dataclass(frozen=True, slots=True)
class ByImplicit:
    """Asks the policy and its reference for the log-probability of every answer.

    Attributes:
        cross: whether an answer stands under the dominant prompt, with its language named, or under its own.
    """

    tools: Tools
    cross: bool
    roles: Mapping[str, Model]
    name: str = "implicit"
    ranks_dominant: bool = True
    needs_dominant: bool = False

    @property
    def compares(self) -> bool:
        """Where the dominant prompt stands for the others."""
        return self.cross

    @property
    def scores(self) -> Mapping[str, frozenset[Need]]:
        """Log-probabilities of both."""
        return {POLICY: _NEEDS, SCORER: _NEEDS}

    def problems(self, prompts: PromptSet) -> Sequence[str]:
        """None."""
        return ()

    def asked(self, languages: int, answers: int) -> Asked:
        """Two log-probabilities for every answer."""
        return Asked(scores=2 * languages * answers)

    def rank(self, prompt: Prompt, pools: Sequence[Pool], ask: Ask) -> Steps[list[Ranking]]:
        """Each language by itself."""
        return (yield from together(*(self._ranking(prompt, pool, ask) for pool in pools)))

    def _ranking(self, prompt: Prompt, pool: Pool, ask: Ask) -> Steps[Ranking]:
        turns = self._turns(prompt, pool)

        def reward(candidate: Candidate) -> Steps[float | Reason]:
            policy, reference = yield from both(
                _logprob(POLICY, candidate, turns, prompt, ask), _logprob(SCORER, candidate, turns, prompt, ask)
            )
            if isinstance(policy, Failure) or isinstance(reference, Failure):
                return Reason.REQUEST_FAILED
            if policy.values[1] != reference.values[1]:
                raise RunError(
                    f"rank.scorer: another tokenizer or template than the model's: of {prompt.id} [{candidate.name}] the model "
                    f"has {policy.values[1]:.0f} tokens and the reference {reference.values[1]:.0f}",
                    "their log-probabilities cannot be compared; name the model that this one was trained from",
                )
            return policy.values[0] - reference.values[0]

        return (yield from scored(pool, reward))

    def _turns(self, prompt: Prompt, pool: Pool) -> tuple[Message, ...]:
        """What an answer is scored under."""
        responder = self.tools.responder
        if not self.cross or pool.language == responder.dominant:
            return turns_of(pool.prompt.joined, responder.system)
        asked = responder.worded(prompt.texts[responder.dominant], pool.language).joined
        language = responder.translator.name_of(pool.language)
        return turns_of(_IN_LANGUAGE.replace("{language}", language) + asked, responder.system)


def _logprob(role: str, candidate: Candidate, turns: Sequence[Message], prompt: Prompt, ask: Ask) -> Steps[ScoreAnswer]:
    text, row = candidate.text, f"{prompt.id} [{candidate.name}]"
    answer: ScoreAnswer = yield ask.score(role, "logprob", turns, text.text, row=row, cut=text.cut)
    return answer


def build(config: Config, tools: Tools) -> ByImplicit:
    """The ranker as a configuration wants it."""
    return ByImplicit(tools, config.rank.scoring_prompt == "cross", scorer_of(config, _NEEDS))
