"""Self-translate (Etxaniz et al. 2023, arXiv 2308.01223): the model translates the question into the dominant language, answers
it there, and translates an open answer back.

The paper translates with four examples; lidr takes its own request for translations, zero-shot.
"""

from dataclasses import dataclass
from typing import ClassVar

from lidr_plugin.completions.steps import Steps
from lidr_plugin.evaluation.baselines.base import Reached, Setting, row_of
from lidr_plugin.evaluation.benchmarks.base import Question
from lidr_plugin.methods.base import Ask, Text


@dataclass(frozen=True, slots=True)
class SelfTranslate:
    """There, and for open answers back again."""

    setting: Setting
    needs_answer: ClassVar[bool] = False

    def steps(self, question: Question, ask: Ask) -> Steps[Reached]:
        """A question that cannot be translated has no answer."""
        setting, language, row = self.setting, question.language, row_of(question, "self_translate")
        text, home = Text(question.bare or question.text), setting.dominant
        if language != home:
            text = yield from setting.translator.translated(text, language, home, ask, question.id)
        if text.failed:
            return Reached(text, home)
        worded = setting.reasoned(text.text, question, home) if question.expected else text.text
        answer = yield from setting.answered(setting.turns(worded), ask, row)
        if question.expected or language == home:
            return Reached(answer, home)
        back = yield from setting.translator.carried(answer, home, language, ask, question.id)
        return Reached(back._replace(cut=back.cut or answer.cut), language)
