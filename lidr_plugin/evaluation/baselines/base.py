"""What a baseline is, and how it asks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from lidr_plugin.completions.requests import Failure, Message, Sampling
from lidr_plugin.completions.steps import Answer, Steps
from lidr_plugin.config.schema import Config
from lidr_plugin.evaluation.benchmarks.base import Question
from lidr_plugin.methods.base import POLICY, Ask, Reason, Text
from lidr_plugin.methods.responses import turns_of
from lidr_plugin.methods.translation import Translator, sampling_of
from lidr_plugin.text.numbers import expected_number
from lidr_plugin.text.thinking import without_thoughts

_ENDS = {True: "the final answer as a number", False: "the final answer"}


class Reached(NamedTuple):
    """What a question came to in the end, and the language that it is to be read in."""

    text: Text
    language: str


@dataclass(frozen=True, slots=True)
class Setting:
    """How a run is evaluated: its languages, the dominant one first, and how an answer is drawn."""

    languages: Sequence[str]
    names: Mapping[str, str]
    sampling: Sampling
    system: str | None
    translator: Translator

    @classmethod
    def of(cls, config: Config) -> "Setting":
        """As a configuration wants it; the model translates for itself."""
        drawn = config.generation
        return cls(
            languages=config.codes,
            names={code: config.name_of(code) for code in config.codes},
            sampling=sampling_of(drawn, drawn.temperature, config.eval.max_tokens),
            system=drawn.system,
            translator=Translator.of(config),
        )

    @property
    def dominant(self) -> str:
        """The language in which the model is best."""
        return self.languages[0]

    def answered(self, turns: Sequence[Message], ask: Ask, row: str) -> Steps[Text]:
        """The model's answer to a conversation."""
        answer: Answer = yield ask.chat(POLICY, turns, self.sampling, row=row)
        if isinstance(answer, Failure):
            return Text("", failed=Reason.REQUEST_FAILED)
        return Text(without_thoughts(answer.text, thinking=self.sampling.thinking), cut=answer.cut)

    def turns(self, text: str) -> tuple[Message, ...]:
        """A conversation that begins."""
        return turns_of(text, self.system)

    def worded(self, wording: str, question: Question) -> str:
        """A wording with the question, its language and the dominant one in their places."""
        names = self.names
        worded = wording.replace("{language}", names[question.language]).replace("{dominant}", names[self.dominant])
        return worded.replace("{question}", question.bare or question.text)

    def reasoned(self, text: str, question: Question, language: str) -> str:
        """The user turn that asks for an answer in a language with its reasons before it."""
        end = _ENDS[bool(expected_number(question.expected))]
        return f"{text}\n\nReason step by step in {self.names[language]}, and end with a line that gives {end}."


def row_of(question: Question, baseline: str) -> str:
    """Names a request in messages."""
    return f"{question.id} [{question.language}, {baseline}]"


class Baseline(Protocol):
    """Another way to ask.

    Attributes:
        needs_answer: whether it suits only questions with a right answer.
    """

    @property
    def needs_answer(self) -> bool: ...

    def steps(self, question: Question, ask: Ask) -> Steps[Reached]:
        """A question's way to its answer."""
