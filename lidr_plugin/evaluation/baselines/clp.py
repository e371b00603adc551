"""Cross-lingual prompting (Qin et al., EMNLP 2023, 2023.emnlp-main.163): two turns, to understand and to solve.

In the first the model takes the question in, step by step in the dominant language; in the second, of the same conversation, it
solves it there. The wording is lidr's own, and both are drawn as all answers of an evaluation (the paper: temperatures 1 and 0.2).
"""

from dataclasses import dataclass
from typing import ClassVar

from lidr_plugin.completions.requests import Message
from lidr_plugin.completions.steps import Steps
from lidr_plugin.evaluation.baselines.base import Reached, Setting, row_of
from lidr_plugin.evaluation.benchmarks.base import Question
from lidr_plugin.methods.base import Ask

_FIRST = """\
Here is a problem in {language}:
{question}

Make sure that you understand it: go through it step by step in {dominant}, and say what is given and what is asked for. \
Do not solve it yet."""
_SECOND = """\
Now solve it step by step in {dominant}. End with the result on a line of its own, in this form:
Answer: [result]"""


@dataclass(frozen=True, slots=True)
class Clp:
    """Understood, then solved, in the dominant language."""

    setting: Setting
    needs_answer: ClassVar[bool] = True

    def steps(self, question: Question, ask: Ask) -> Steps[Reached]:
        """Two turns; nothing is solved that was not taken in."""
        setting, row = self.setting, row_of(question, "clp")
        first = setting.turns(setting.worded(_FIRST, question))
        understood = yield from setting.answered(first, ask, row)
        if understood.failed or not understood.text:
            return Reached(understood, setting.dominant)
        turns = [*first, Message("assistant", understood.text), Message("user", setting.worded(_SECOND, question))]
        answer = yield from setting.answered(turns, ask, row)
        return Reached(answer, setting.dominant)
