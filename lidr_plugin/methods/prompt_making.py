"""How a model is asked for prompts of its own, and for their translations."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from lidr_plugin.completions.requests import Chat, Completion, Failure, Message, Sampling
from lidr_plugin.completions.steps import Answer, Steps, together
from lidr_plugin.config.schema import Config
from lidr_plugin.methods.base import POLICY, Ask, Drop, Reason, Sft, Text
from lidr_plugin.methods.draw import drawn
from lidr_plugin.methods.filters import REASONS as OF_FILTERS
from lidr_plugin.methods.filters import Filter, weigh
from lidr_plugin.methods.translation import Translator, sampling_of
from lidr_plugin.prompts.prompt import PromptText
from lidr_plugin.text.thinking import without_thoughts

PREFILL = "<prompt>\n"
_OPEN, _CLOSE = "<prompt>", "</prompt>"
_FORM = """\
Write it in {language}, as they would type it, with all that is needed to answer it. Put it inside prompt tags, as \
<prompt>…</prompt>, and write nothing else; do not answer it."""
TEMPLATES = {
    "personas": f"""\
Imagine this person:
{{seed}}

Think of one thing that this person might ask an AI assistant: {{kind}}. {_FORM}""",
    "topics": f"""\
Here is a topic:
{{seed}}

Think of one thing that somebody might ask an AI assistant about it: {{kind}}. {_FORM}""",
    "prompts": f"""\
Here is what people asked an AI assistant:

{{seed}}

Think of one more of the same kind, as long and as hard, but about something else: {{kind}}. {_FORM}""",
}
"""Our wording, by the kind of the seeds."""
NO_PROMPT, ALIKE = "no_prompt", "alike"
REASONS = {**OF_FILTERS, NO_PROMPT: "the answer has no prompt in tags", ALIKE: "it is like an earlier one, or a seed"}
"""Why a prompt is dropped, in words."""
_KINDS = {"instruction": "a question or a task", "math": "a word problem whose answer is one number"}


class Made(NamedTuple):
    """A prompt in the dominant language, and the seeds that it was made from."""

    text: str
    seeds: tuple[str, ...]


class Carried(NamedTuple):
    """A prompt in all languages, or what one was dropped for."""

    made: Made
    texts: dict[str, str]
    drop: Drop | None


@dataclass(frozen=True, slots=True)
class PromptMaker:
    """Asks the policy for prompts, each with seeds of its own.

    Attributes:
        shots: seeds in a request.
        languages: those that a prompt is translated into.
        checks: what a prompt must pass in every language, as a text to be learnt.
    """

    seeds: Sequence[str]
    kind: str
    shots: int
    template: str
    sampling: Sampling
    dominant: str
    languages: Sequence[str]
    translator: Translator
    checks: Sequence[Filter]

    @classmethod
    def of(cls, config: Config, seeds: Sequence[str], checks: Sequence[Filter]) -> "PromptMaker":
        """As a configuration wants it."""
        wanted = config.make_prompts
        template = wanted.template or TEMPLATES[wanted.seeds].replace("{kind}", _KINDS[config.task])
        sampling = sampling_of(config.generation, wanted.temperature, wanted.max_tokens)
        return cls(
            seeds=seeds,
            kind=wanted.seeds,
            shots=min(wanted.shots, len(seeds)) if wanted.seeds == "prompts" else 1,
            template=template,
            sampling=replace(sampling, top_p=wanted.top_p),
            dominant=config.dominant_language,
            languages=config.languages,
            translator=Translator.of(config),
            checks=checks,
        )

    def make(self, number: int, ask: Ask) -> Steps[Made | Drop]:
        """The prompt of the request with this number."""
        seeds = self.seeds_for(number)
        answer: Answer = yield self.request(number, seeds, ask)
        text = self._read(answer)
        row = Sft(f"request {number + 1}", self.dominant, PromptText(""), text, self.origin, text)
        reason = weigh(row, self.checks)
        return Drop(row, reason) if reason else Made(text.text, seeds)

    def carry(self, made: Made, id: str, ask: Ask) -> Steps[Carried]:
        """The prompt with its translations; none of them if one cannot be used, for a prompt is in every language."""
        source = Text(made.text)
        found = yield from together(
            *(self.translator.translated(source, self.dominant, code, ask, id) for code in self.languages)
        )
        texts = {self.dominant: made.text}
        for code, text in zip(self.languages, found, strict=True):
            row = Sft(id, code, PromptText(made.text), text, text.translated(self.dominant, code), source)
            if reason := weigh(row, self.checks):
                return Carried(made, {}, Drop(row, reason))
            texts[code] = text.text
        return Carried(made, texts, None)

    @property
    def origin(self) -> str:
        return f"made:{self.dominant}"

    def request(self, number: int, seeds: Sequence[str], ask: Ask) -> Chat:
        """The request for a prompt. Where a seed's turn comes again another sample is drawn."""
        seed = seeds[0] if self.shots == 1 else "\n\n".join(f"<prompt>\n{text}\n</prompt>" for text in seeds)
        name = self.translator.name_of(self.dominant)
        turn = Message("user", self.template.replace("{language}", name).replace("{seed}", seed))
        sample = number // len(self.seeds) if self.shots == 1 else number
        row = f"prompt {number + 1}"
        return ask.chat(POLICY, [turn], self.sampling, prefill=PREFILL, sample=sample, row=row)

    def seeds_for(self, number: int) -> tuple[str, ...]:
        """Those of a request: the next in turn, or as many as there are shots, drawn."""
        if self.shots == 1:
            return (self.seeds[number % len(self.seeds)],)
        left, found = list(range(len(self.seeds))), []
        for shot in range(self.shots):
            place = int(drawn(self.sampling.seed, str(number), self.dominant, f"shot {shot}") * len(left))
            found.append(self.seeds[left.pop(place)])
        return tuple(found)

    def _read(self, answer: Answer) -> Text:
        if isinstance(answer, Failure):
            return Text("", failed=Reason.REQUEST_FAILED)
        return prompt_in(answer, thinking=self.sampling.thinking)


def prompt_in(answer: Completion, *, thinking: bool) -> Text:
    """The prompt in an answer: what stands between the tags, one of which may be missing; one without a letter is none."""
    text = without_thoughts(answer.text, thinking=thinking)
    _, opened, after = text.partition(_OPEN)
    inside, closed, _ = (after if opened else text).partition(_CLOSE)
    found = Text(inside.strip(), cut=answer.cut and not closed)
    tagged = opened or closed or answer.prefilled
    return found if tagged and any(map(str.isalpha, found.text)) else found._replace(failed=NO_PROMPT)
