"""Votes across languages (arXiv 2504.01857): the question as it is, solved step by step once in each language of the run, and the
number that most of them come to."""

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from lidr_plugin.completions.steps import Steps, together
from lidr_plugin.evaluation.baselines.base import Reached, Setting, row_of
from lidr_plugin.evaluation.benchmarks.base import Question
from lidr_plugin.methods.base import Ask, Text
from lidr_plugin.methods.votes import tally
from lidr_plugin.text.numbers import final_numbers


@dataclass(frozen=True, slots=True)
class Vote:
    """As many requests as there are languages. Among equals that wins which the first in the run's order said."""

    setting: Setting
    needs_answer: ClassVar[bool] = True

    def steps(self, question: Question, ask: Ask) -> Steps[Reached]:
        """The answer that stands for the vote: the first with the number that won, or the dominant one where there is none."""
        found = yield from together(*(self._solved(question, code, ask) for code in self.setting.languages))
        return voted(found)

    def _solved(self, question: Question, language: str, ask: Ask) -> Steps[Reached]:
        turns = self.setting.turns(self.setting.reasoned(question.bare or question.text, question, language))
        answer = yield from self.setting.answered(turns, ask, row_of(question, f"vote in {language}"))
        return Reached(answer, language)


def voted(answers: list[Reached]) -> Reached:
    """The first answer with the number that most have; one that was cut has none."""
    numbers = [_numbers(text, language) for text, language in answers]
    won = tally(numbers)
    return next((x for x, supports in zip(answers, won.supports, strict=True) if supports), answers[0])


def _numbers(text: Text, language: str) -> frozenset[Fraction]:
    return frozenset() if text.cut or text.failed else frozenset(final_numbers(text.text, language))
