"""Right answers before wrong ones (IRPO; Self-Refine Instruction-Tuning, arXiv 2405.00402): score 1 or 0 by `final_answer`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lidr_plugin.completions.client import Model
from lidr_plugin.completions.requests import Need
from lidr_plugin.completions.steps import Steps
from lidr_plugin.config.schema import Config
from lidr_plugin.methods.base import Ask
from lidr_plugin.methods.candidates import Pool, Ranked, Ranking
from lidr_plugin.methods.filters import without_answers
from lidr_plugin.methods.rankers.base import Asked, Tools
from lidr_plugin.prompts.prompt import Prompt
from lidr_plugin.prompts.prompt_set import PromptSet
from lidr_plugin.text.numbers import is_correct


@dataclass(frozen=True, slots=True)
class ByAnswer:
    """Needs the final answer of every prompt, and asks nothing."""

    name: str = "answer"
    compares: bool = False
    ranks_dominant: bool = True
    needs_dominant: bool = False
    roles: Mapping[str, Model] = field(default_factory=dict)
    scores: Mapping[str, frozenset[Need]] = field(default_factory=dict)

    def problems(self, prompts: PromptSet) -> Sequence[str]:
        """Prompts without a final answer."""
        return without_answers(prompts, "rank.by: answer", "set rank.by=vote, which needs none")

    def asked(self, languages: int, answers: int) -> Asked:
        """Nothing."""
        return Asked()

    def rank(self, prompt: Prompt, pools: Sequence[Pool], ask: Ask) -> Steps[list[Ranking]]:
        """By the final answer alone."""
        yield from ()
        return [by_answer(pool, prompt.final_answer or "") for pool in pools]


def by_answer(pool: Pool, final_answer: str, voters: int = 0) -> Ranking:
    """A pool by its final answers; a text without one is wrong. `voters`: of a pool that is otherwise ranked by votes."""
    ranked = []
    for candidate in pool.distinct:
        right = is_correct(candidate.text.text, final_answer, candidate.language)
        ranked.append(Ranked(candidate, float(right), candidate.reason is None, right=right))
    return Ranking(pool, ranked, voters, labelled=voters > 0)


def build(config: Config, tools: Tools) -> ByAnswer:
    """The ranker as a configuration wants it."""
    return ByAnswer()
