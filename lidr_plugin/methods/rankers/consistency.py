"""Answers that say what the dominant ones say, before others (CM-Align; LaCoMSA): by the closeness of their embeddings.

score(y) = mean over the references e of <h(y), h(e)>, all of length 1
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lidr_plugin.completions.client import Model
from lidr_plugin.completions.requests import Failure, Need
from lidr_plugin.completions.steps import ScoreAnswer, Steps, together
from lidr_plugin.config.schema import Config
from lidr_plugin.machine.hub import layers_of
from lidr_plugin.methods.base import POLICY, Ask, Reason
from lidr_plugin.methods.candidates import Candidate, Pool, Ranked, Ranking
from lidr_plugin.methods.rankers.base import SCORER, Asked, Tools, scorer_of
from lidr_plugin.methods.references import medoid, references_of
from lidr_plugin.methods.responses import turns_of
from lidr_plugin.prompts.prompt import Prompt
from lidr_plugin.prompts.prompt_set import PromptSet

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ByConsistency:
    """Asks for the embedding of every answer.

    Attributes:
        layer: the hidden layer under the prompt; None: the sentence embedding of the answer alone.
        all_references: whether all dominant answers count, or the most central one.
        by_vote: whether they are answers to a task whose majority says which are worth it.
    """

    system: str | None
    layer: int | None
    all_references: bool
    by_vote: bool
    roles: Mapping[str, Model]
    name: str = "consistency"
    compares: bool = True
    ranks_dominant: bool = True
    needs_dominant: bool = True

    @property
    def scores(self) -> Mapping[str, frozenset[Need]]:
        """Embeddings of the scorer, or of the policy."""
        need: Need = "embed" if self.layer is None else "layer"
        return {SCORER if self.roles else POLICY: frozenset({need})}

    def problems(self, prompts: PromptSet) -> Sequence[str]:
        """None."""
        return ()

    def asked(self, languages: int, answers: int) -> Asked:
        """An embedding of every answer."""
        return Asked(scores=languages * answers)

    def rank(self, prompt: Prompt, pools: Sequence[Pool], ask: Ask) -> Steps[list[Ranking]]:
        """Each language against the dominant answers; these by how central they are."""
        dominant = pools[0]
        if not dominant.distinct:
            return [Ranking(pool, reason=dominant.obstacle) for pool in pools]
        wanted = [pool for pool in pools if pool is dominant or not pool.obstacle]
        found = yield from together(*(self._vectors(prompt, pool, ask) for pool in wanted))
        vectors = dict(zip((pool.language for pool in wanted), found, strict=True))
        top = vectors[dominant.language]
        references = [x for x in references_of(dominant, by_vote=self.by_vote) if x in top]
        if len(references) > 1 and not self.all_references:
            at = medoid(len(references), lambda one, other: float(top[references[one]] @ top[references[other]]))
            references = [references[at]]
        return [self._ranking(pool, vectors.get(pool.language, {}), top, references) for pool in pools]

    def _vectors(self, prompt: Prompt, pool: Pool, ask: Ask) -> Steps[dict[Candidate, Vector]]:
        turns = () if self.layer is None else turns_of(pool.prompt.joined, self.system)

        def embedding(candidate: Candidate) -> Steps[ScoreAnswer]:
            role, row = SCORER if self.roles else POLICY, f"{prompt.id} [{candidate.name}]"
            text = candidate.text.text
            answer: ScoreAnswer = yield ask.score(role, "embed", turns, text, layer=self.layer, row=row)
            return answer

        candidates = pool.distinct
        answers = yield from together(*(embedding(candidate) for candidate in candidates))
        return {
            candidate: np.array(answer.values)
            for candidate, answer in zip(candidates, answers, strict=True)
            if not isinstance(answer, Failure)
        }

    def _ranking(
        self,
        pool: Pool,
        own: Mapping[Candidate, Vector],
        top: Mapping[Candidate, Vector],
        references: Sequence[Candidate],
    ) -> Ranking:
        if len(own) < 2 or not references:
            return Ranking(pool, reason=pool.obstacle or Reason.REQUEST_FAILED)
        ranked = []
        for candidate, vector in own.items():
            others = [top[x] for x in references if x != candidate] or [vector]
            score = round(float(np.mean([vector @ other for other in others])), 4)
            ranked.append(Ranked(candidate, score, candidate.reason is None))
        return Ranking(pool, ranked)


def build(config: Config, tools: Tools) -> ByConsistency:
    """The ranker as a configuration wants it.

    Raises:
        InputError: the model's number of layers is nowhere to be read, and is needed.
    """
    wanted = config.rank
    layer = wanted.layer if wanted.layer is not None or wanted.scorer else "middle"
    if layer == "middle":
        name = wanted.scorer.name if wanted.scorer else config.model_name_or_path
        revision = "main" if wanted.scorer else config.model_revision
        layer = layers_of(name, revision, key="rank.layer") // 2 - 1
    return ByConsistency(
        system=tools.responder.system,
        layer=layer,
        all_references=wanted.references == "all",
        by_vote=config.task == "math",
        roles=scorer_of(config, frozenset({"embed" if layer is None else "layer"})),
    )
