"""What a ranker is, and what those share that ask for scores."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from lidr_plugin.completions.client import Model
from lidr_plugin.completions.models import Purpose, other_model
from lidr_plugin.completions.requests import Failure, Need
from lidr_plugin.completions.steps import ScoreAnswer, Steps, together
from lidr_plugin.config.schema import Config
from lidr_plugin.methods.base import Ask, Reason
from lidr_plugin.methods.candidates import Candidate, Pool, Ranked, Ranking
from lidr_plugin.methods.filters import Filter
from lidr_plugin.methods.responses import Responder
from lidr_plugin.prompts.prompt import Prompt
from lidr_plugin.prompts.prompt_set import PromptSet

SCORER = "scorer"
"""The role of the model that gives scores, where it is another one."""


class Tools(NamedTuple):
    """What a method lends its ranker: how prompts are sent and texts translated, and the filters of one text."""

    responder: Responder
    filters: Sequence[Filter]


class Asked(NamedTuple):
    """Requests of a ranker for one prompt, at most."""

    chats: int = 0
    scores: int = 0


class Ranker(Protocol):
    """Gives the answers to one prompt their scores. Pure, as the method that it is part of.

    Attributes:
        name: as `rank.by` has it, and the rows' column `ranker`.
        compares: whether it holds answers in different languages against each other, so that they must say the same.
        ranks_dominant: whether it can rank the answers in the dominant language.
        needs_dominant: whether it needs them, be there pairs of them or not.
        roles: who it asks beside the policy and the translator.
        scores: by role, what scores it asks for.
    """

    @property
    def name(self) -> str: ...
    @property
    def compares(self) -> bool: ...
    @property
    def ranks_dominant(self) -> bool: ...
    @property
    def needs_dominant(self) -> bool: ...
    @property
    def roles(self) -> Mapping[str, Model]: ...
    @property
    def scores(self) -> Mapping[str, frozenset[Need]]: ...

    def problems(self, prompts: PromptSet) -> Sequence[str]:
        """All that is wrong with the prompts for this ranker."""

    def asked(self, languages: int, answers: int) -> Asked:
        """For one prompt, with so many languages and so many answers in each."""

    def rank(self, prompt: Prompt, pools: Sequence[Pool], ask: Ask) -> Steps[list[Ranking]]:
        """A ranking of each pool, in their order: languages in the run's order, the dominant one first."""


def scorer_of(config: Config, needs: frozenset[Need]) -> dict[str, Model]:
    """The model of `rank.scorer` by its role; none where there is none.

    Raises:
        InputError: it is not there.
    """
    if config.rank.scorer is None:
        return {}
    return {SCORER: other_model(config, config.rank.scorer, Purpose("rank.scorer", 1, "scorer.log", scores=needs))}


Measure = Callable[[Candidate], Steps[float | Reason]]
"""Asks for an answer's score; gives the reason where there is none."""


def scored(pool: Pool, measure: Measure) -> Steps[Ranking]:
    """A pool by the scores of its answers; nothing is asked where no pair can come of it, and what has no score is left out."""
    if pool.obstacle:
        return Ranking(pool)
    candidates = pool.distinct
    found = yield from together(*(measure(candidate) for candidate in candidates))
    ranked = [
        Ranked(candidate, round(score, 4), candidate.reason is None)
        for candidate, score in zip(candidates, found, strict=True)
        if not isinstance(score, Reason)
    ]
    missing = next((x for x in found if isinstance(x, Reason)), None)
    return Ranking(pool, ranked, reason=None if len(ranked) > 1 else missing)


def value(answer: ScoreAnswer) -> float | Reason:
    """The one number of a reward."""
    return Reason.REQUEST_FAILED if isinstance(answer, Failure) else answer.values[0]
