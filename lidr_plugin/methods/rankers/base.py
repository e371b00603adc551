"""What a ranker is."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from lidr_plugin.completions.client import Model
from lidr_plugin.completions.steps import Steps
from lidr_plugin.methods.base import Ask
from lidr_plugin.methods.candidates import Pool, Ranking
from lidr_plugin.methods.filters import Filter
from lidr_plugin.methods.translation import Translator
from lidr_plugin.prompts.prompt import Prompt
from lidr_plugin.prompts.prompt_set import PromptSet


class Tools(NamedTuple):
    """What a method lends its ranker: the policy's translator, and the filters of one text."""

    translator: Translator
    filters: Sequence[Filter]


class Ranker(Protocol):
    """Gives the answers to one prompt their scores. Pure, as the method that it is part of.

    Attributes:
        name: as `rank.by` has it, and the rows' column `ranker`.
        compares: whether it holds answers in different languages against each other, so that they must say the same.
        roles: who it asks beside the policy and the translator.
    """

    @property
    def name(self) -> str: ...
    @property
    def compares(self) -> bool: ...
    @property
    def roles(self) -> Mapping[str, Model]: ...

    def problems(self, prompts: PromptSet) -> Sequence[str]:
        """All that is wrong with the prompts for this ranker."""

    def requests_at_most(self, languages: int, answers: int) -> int:
        """Requests of its own for one prompt, with so many languages and so many answers in each."""

    def rank(self, prompt: Prompt, pools: Sequence[Pool], ask: Ask) -> Steps[list[Ranking]]:
        """A ranking of each pool, in their order: languages in the run's order, the dominant one first."""
