"""Cross-lingual-thought prompting (Huang et al. 2023, arXiv 2305.07004), in lidr's own wording.

One request has the model retell the question in the dominant language, solve it step by step and end with the answer in a
fixed form.
"""

from dataclasses import dataclass
from typing import ClassVar

from lidr_plugin.completions.steps import Steps
from lidr_plugin.evaluation.baselines.base import Reached, Setting, row_of
from lidr_plugin.evaluation.benchmarks.base import Question
from lidr_plugin.methods.base import Ask

_WORDING = """\
You solve problems, and you know {language} well.

Problem:
{question}

First retell the problem in {dominant}. Then solve it step by step in {dominant}. Last give the result on a line of its \
own, in this form:
Answer: [result]"""


@dataclass(frozen=True, slots=True)
class Xlt:
    """Retold in the dominant language and solved there, in one request."""

    setting: Setting
    needs_answer: ClassVar[bool] = True

    def steps(self, question: Question, ask: Ask) -> Steps[Reached]:
        """One request."""
        turns = self.setting.turns(self.setting.worded(_WORDING, question))
        answer = yield from self.setting.answered(turns, ask, row_of(question, "xlt"))
        return Reached(answer, self.setting.dominant)
