"""How a prompt is sent and answered in one language."""

from dataclasses import dataclass
from typing import NamedTuple

from lidr_plugin.completions.requests import Failure, Message, Sampling
from lidr_plugin.completions.steps import Answer, Steps
from lidr_plugin.config.schema import Config
from lidr_plugin.methods.base import POLICY, Ask, Reason, Text
from lidr_plugin.methods.translation import Translator, sampling_of
from lidr_plugin.prompts.prompt import Prompt, PromptText
from lidr_plugin.text.thinking import without_thoughts

MATH_TEMPLATE = (
    "{prompt}\n\nReason step by step in {language}, and end with a line that gives the final answer as a number."
)
"""Our wording of a math prompt that asks for the answer in the prompt's language."""


def turns_of(prompt: str, system: str | None) -> tuple[Message, ...]:
    """The turns that ask for a response to a prompt."""
    user = Message("user", prompt)
    return (Message("system", system), user) if system else (user,)


class Response(NamedTuple):
    """A prompt as it was sent in a language, and what came back.

    Attributes:
        prompt: empty where the prompt's translation failed; then `text.failed` says why.
    """

    prompt: PromptText
    text: Text


@dataclass(frozen=True, slots=True)
class Responder:
    """Asks the policy to answer.

    Attributes:
        dominant: the language that a prompt without a text of its own is translated from.
        template: the user turn, with `{prompt}` and perhaps `{language}`; None: the prompt as it is.
    """

    dominant: str
    sampling: Sampling
    system: str | None
    template: str | None
    translator: Translator

    @classmethod
    def of(cls, config: Config) -> "Responder":
        """As a configuration wants it."""
        return cls(
            dominant=config.dominant_language,
            sampling=sampling_of(config.generation, config.generation.temperature, config.generation.max_tokens),
            system=config.generation.system,
            template=config.prompt_template or (MATH_TEMPLATE if config.task == "math" else None),
            translator=Translator.of(config),
        )

    def text(self, prompt: Prompt, language: str, ask: Ask) -> Steps[PromptText | Text]:
        """The prompt in a language, translated if its files have none; a failed text if that failed."""
        text = prompt.texts.get(language)
        if text is None:
            original = Text(prompt.texts[self.dominant].joined)
            found = yield from self.translator.translated(original, self.dominant, language, ask, prompt.id)
            if found.failed:
                return found
            if not found.text or found.cut:
                return Text(found.text, failed=Reason.TRANSLATION_FAILED)
            text = PromptText(found.text)
        return text

    def worded(self, text: PromptText, language: str, *, as_is: bool = False) -> PromptText:
        """The prompt as it is sent for an answer in a language."""
        if self.template is None or as_is:
            return text
        wording = self.template.replace("{language}", self.translator.name_of(language))
        return PromptText(wording.replace("{prompt}", text.joined))

    def sent(self, prompt: Prompt, language: str, ask: Ask) -> Steps[PromptText | Text]:
        """The prompt as it is sent in a language; a failed text if its translation failed."""
        text = yield from self.text(prompt, language, ask)
        return text if isinstance(text, Text) else self.worded(text, language, as_is=prompt.as_is)

    def respond(self, prompt: Prompt, language: str, ask: Ask) -> Steps[Response]:
        """y^l: the policy's answer to the prompt in a language."""
        sent = yield from self.sent(prompt, language, ask)
        if isinstance(sent, Text):
            return Response(PromptText(""), sent)
        return Response(sent, (yield from self.answered(sent, self.sampling, 0, ask, f"{prompt.id} [{language}]")))

    def answered(self, sent: PromptText, sampling: Sampling, sample: int, ask: Ask, row: str) -> Steps[Text]:
        """One of the policy's answers to a prompt as it was sent."""
        turns = turns_of(sent.joined, self.system)
        answer: Answer = yield ask.chat(POLICY, turns, sampling, sample=sample, row=row)
        if isinstance(answer, Failure):
            return Text("", failed=Reason.REQUEST_FAILED)
        return Text(without_thoughts(answer.text, thinking=sampling.thinking), cut=answer.cut)
