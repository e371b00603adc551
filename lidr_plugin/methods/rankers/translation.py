"""How likely a translator finds the dominant answers, given another as their source (MAPO, arXiv 2401.06838).

score(y) = mean over the references e of log p(e | y) for each token of e
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lidr_plugin.completions.client import Model
from lidr_plugin.completions.requests import Failure, Need
from lidr_plugin.completions.steps import ScoreAnswer, Steps, together
from lidr_plugin.completions.translation_codes import scorer_codes
from lidr_plugin.config.schema import Config
from lidr_plugin.methods.base import TRANSLATOR, Ask, Reason
from lidr_plugin.methods.candidates import Candidate, Pool, Ranking
from lidr_plugin.methods.rankers.base import SCORER, Asked, Tools, scored, scorer_of
from lidr_plugin.methods.references import MOST, medoid, references_of
from lidr_plugin.methods.translation import PREFILL, translation_request, turns_for
from lidr_plugin.prompts.prompt import Prompt
from lidr_plugin.prompts.prompt_set import PromptSet
from lidr_plugin.text.chrf import chrf
from lidr_plugin.text.numbers import is_correct

_NEEDS: frozenset[Need] = frozenset({"logprob"})


@dataclass(frozen=True, slots=True)
class ByTranslation:
    """Asks for a log-probability of each reference for each answer.

    Attributes:
        codes: what the translation model calls the languages; empty where the run's own translator is asked.
        all_references: whether all dominant answers count, or the most central one.
        by_vote: whether they are answers to a task whose majority says which are worth it.
    """

    tools: Tools
    codes: Mapping[str, str]
    all_references: bool
    by_vote: bool
    roles: Mapping[str, Model]
    name: str = "translation"
    compares: bool = True
    ranks_dominant: bool = False
    needs_dominant: bool = True

    @property
    def scores(self) -> Mapping[str, frozenset[Need]]:
        """Log-probabilities of the translation model, or of the run's translator."""
        return {SCORER if self.codes else TRANSLATOR: _NEEDS}

    def problems(self, prompts: PromptSet) -> Sequence[str]:
        """None."""
        return ()

    def asked(self, languages: int, answers: int) -> Asked:
        """One log-probability an answer and reference."""
        return Asked(scores=(languages - 1) * answers * (min(answers, MOST) if self.all_references else 1))

    def rank(self, prompt: Prompt, pools: Sequence[Pool], ask: Ask) -> Steps[list[Ranking]]:
        """All languages but the dominant one, against its answers."""
        dominant, *others = pools
        references = self._references(dominant)
        if not references:
            return [Ranking(pool, reason=dominant.obstacle) for pool in others]
        rankings = yield from together(*(self._ranking(prompt, pool, references, ask) for pool in others))
        return [_right_alone(ranking, prompt.final_answer) for ranking in rankings]

    def _references(self, dominant: Pool) -> list[str]:
        found = [x.words for x in references_of(dominant, by_vote=self.by_vote)]
        if self.all_references or len(found) < 2:
            return found
        return [found[medoid(len(found), lambda one, other: chrf(found[one], found[other]))]]

    def _ranking(self, prompt: Prompt, pool: Pool, references: Sequence[str], ask: Ask) -> Steps[Ranking]:
        def likelihood(candidate: Candidate) -> Steps[float | Reason]:
            answers = yield from together(*(self._asked(candidate, text, prompt, ask) for text in references))
            told = [x.values for x in answers if not isinstance(x, Failure)]
            if len(told) < len(references):
                return Reason.REQUEST_FAILED
            return sum(total / tokens for total, tokens in told) / len(told)

        return (yield from scored(pool, likelihood))

    def _asked(self, candidate: Candidate, reference: str, prompt: Prompt, ask: Ask) -> Steps[ScoreAnswer]:
        row = f"{prompt.id} [{candidate.name}]"
        responder = self.tools.responder
        if codes := self.codes or ask.codes:
            role = SCORER if self.codes else TRANSLATOR
            turns = turns_for(codes[candidate.language], codes[responder.dominant], candidate.words)
            answer: ScoreAnswer = yield ask.score(role, "logprob", turns, reference, row=row)
            return answer
        translator = responder.translator
        turn = translation_request(
            candidate.words, translator.name_of(responder.dominant), 0, template=translator.template
        )
        answer = yield ask.score(TRANSLATOR, "logprob", [turn], f"{PREFILL}{reference}\n</translated>", row=row)
        return answer


def _right_alone(ranking: Ranking, final_answer: str | None) -> Ranking:
    """Where the right answer is known, only what gives it may be chosen."""
    if final_answer is None:
        return ranking
    right = [is_correct(x.candidate.words, final_answer, x.candidate.language) for x in ranking.ranked]
    ranked = [x._replace(right=ok, choosable=x.choosable and ok) for x, ok in zip(ranking.ranked, right, strict=True)]
    return ranking._replace(ranked=ranked)


def build(config: Config, tools: Tools) -> ByTranslation:
    """The ranker as a configuration wants it."""
    return ByTranslation(
        tools=tools,
        codes=scorer_codes(config),
        all_references=config.rank.references == "all",
        by_vote=config.task == "math",
        roles=scorer_of(config, _NEEDS),
    )
