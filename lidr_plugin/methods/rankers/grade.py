"""The answers by the grades, 0 to 10, that a judge gives each of them by itself (Self-Rewarding, arXiv 2401.10020).

score(y) = mean of the grades for y that can be read
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from lidr_plugin.completions.client import Model
from lidr_plugin.completions.requests import Chat, Failure, Need, Sampling
from lidr_plugin.completions.steps import Answer, Steps, together
from lidr_plugin.config.schema import Config
from lidr_plugin.methods.base import POLICY, Ask, Reason
from lidr_plugin.methods.candidates import Candidate, Pool, Ranking
from lidr_plugin.methods.judging import grading, sampling
from lidr_plugin.methods.rankers.base import SCORER, Asked, Tools, scored
from lidr_plugin.methods.rankers.judge import MAX_TOKENS, judge_of
from lidr_plugin.prompts.prompt import Prompt
from lidr_plugin.prompts.prompt_set import PromptSet
from lidr_plugin.text.grades import grade

_TEMPERATURE = 0.7
"""Of several grades for one answer, as the paper draws them; one grade is the likeliest."""


@dataclass(frozen=True, slots=True)
class ByGrade:
    """Asks the judge, or the policy itself, about each answer.

    Attributes:
        grades: for one answer.
    """

    grades: int
    roles: Mapping[str, Model]
    name: str = "grade"
    compares: bool = False
    ranks_dominant: bool = True
    needs_dominant: bool = False
    scores: Mapping[str, frozenset[Need]] = field(default_factory=dict)

    def problems(self, prompts: PromptSet) -> Sequence[str]:
        """None."""
        return ()

    def asked(self, languages: int, answers: int) -> Asked:
        """The grades of every answer."""
        return Asked(languages * answers * self.grades)

    def rank(self, prompt: Prompt, pools: Sequence[Pool], ask: Ask) -> Steps[list[Ranking]]:
        """Each language by itself."""
        return (yield from together(*(self._ranking(prompt, pool, ask) for pool in pools)))

    def _ranking(self, prompt: Prompt, pool: Pool, ask: Ask) -> Steps[Ranking]:
        def graded(candidate: Candidate) -> Steps[float | Reason]:
            turn, row = grading(pool.prompt.joined, candidate.words), f"{prompt.id} [{candidate.name}, grade]"
            requests = [
                ask.chat(SCORER if self.roles else POLICY, [turn], self._sampling, sample=number, row=row)
                for number in range(self.grades)
            ]
            answers = yield from together(*(_answered(request) for request in requests))
            replies = [answer for answer in answers if not isinstance(answer, Failure)]
            found = [value for reply in replies if (value := grade(reply.text)) is not None]
            if found:
                return fmean(found)
            return Reason.UNREAD if replies else Reason.REQUEST_FAILED

        return (yield from scored(pool, graded))

    @property
    def _sampling(self) -> Sampling:
        return sampling(MAX_TOKENS, _TEMPERATURE if self.grades > 1 else 0.0)


def _answered(request: Chat) -> Steps[Answer]:
    answer: Answer = yield request
    return answer


def build(config: Config, tools: Tools) -> ByGrade:
    """The ranker as a configuration wants it."""
    return ByGrade(config.rank.grades, judge_of(config))
