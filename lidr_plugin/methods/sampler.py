"""Asks for several answers to one prompt, and says of each whether it may be chosen."""

from collections.abc import Sequence
from dataclasses import dataclass

from lidr_plugin.completions.requests import Sampling
from lidr_plugin.completions.steps import Steps, together
from lidr_plugin.config.schema import Config
from lidr_plugin.methods.base import Ask, Sft, Text
from lidr_plugin.methods.candidates import GREEDY, Candidate, Pool
from lidr_plugin.methods.filters import Filter, weigh
from lidr_plugin.methods.responses import Responder
from lidr_plugin.prompts.prompt import Prompt, PromptText


@dataclass(frozen=True, slots=True)
class Sampler:
    """Draws answers from the policy.

    Attributes:
        greedy: whether the answer without chance, which `method: imbalance` asks for, belongs to them.
        filters: those of one text.
    """

    responder: Responder
    sampling: Sampling
    samples: int
    greedy: bool
    filters: Sequence[Filter]

    @classmethod
    def of(cls, config: Config, filters: Sequence[Filter]) -> "Sampler":
        """As a configuration wants it."""
        drawn, rank = config.generation, config.rank
        sampling = Sampling(
            temperature=rank.temperature,
            top_p=rank.top_p,
            max_tokens=rank.max_tokens or drawn.max_tokens,
            repetition_penalty=rank.repetition_penalty,
            seed=drawn.seed,
            thinking=drawn.thinking,
        )
        return cls(Responder.of(config), sampling, rank.samples, rank.include_greedy, filters)

    @property
    def asked(self) -> int:
        """Answers to a prompt in a language."""
        return self.samples + self.greedy

    def pool(self, prompt: Prompt, language: str, ask: Ask, *, asks_translation: bool) -> Steps[Pool]:
        """All answers in a language, asked for at once.

        Args:
            asks_translation: whether the prompt asks for a translation, so that its answers need not be in its language.
        """
        sent = yield from self.responder.sent(prompt, language, ask)
        if isinstance(sent, Text):
            failed = (
                self._candidate(prompt, language, PromptText(""), number, sent, False) for number in self._numbers
            )
            return Pool(language, PromptText(""), tuple(failed))
        texts = yield from together(*(self._answered(prompt, sent, language, number, ask) for number in self._numbers))
        members = (
            self._candidate(prompt, language, sent, number, text, asks_translation)
            for number, text in zip(self._numbers, texts, strict=True)
        )
        return Pool(language, sent, tuple(members))

    @property
    def _numbers(self) -> range:
        return range(GREEDY if self.greedy else 0, self.samples)

    def _answered(self, prompt: Prompt, sent: PromptText, language: str, number: int, ask: Ask) -> Steps[Text]:
        row = f"{prompt.id} [{language}]" if number == GREEDY else f"{prompt.id} [{language}#{number}]"
        sampling = self.responder.sampling if number == GREEDY else self.sampling
        return self.responder.answered(sent, sampling, max(0, number), ask, row)

    def _candidate(
        self, prompt: Prompt, language: str, sent: PromptText, number: int, text: Text, asks_translation: bool
    ) -> Candidate:
        candidate = Candidate(language, number, text)
        row = Sft(prompt.id, language, sent, text, candidate.source, text, asks_translation, prompt.final_answer)
        return candidate._replace(reason=weigh(row, self.filters))
