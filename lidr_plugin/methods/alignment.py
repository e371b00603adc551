"""Multilingual alignment, the paper's baseline (arXiv 2410.08964, section 4.1): the policy learns its own translations.

SFT row in l: prompt x^l, output t^{d->l}
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lidr_plugin.completions.client import Model
from lidr_plugin.completions.steps import Steps, both, together
from lidr_plugin.config.schema import Config
from lidr_plugin.methods.base import Ask, Drop, Outcome, Reason, Sft, Text
from lidr_plugin.methods.filters import REASONS, Filter, lacking_answers, weigh
from lidr_plugin.methods.responses import Responder
from lidr_plugin.methods.translation_prompts import TranslationPrompts
from lidr_plugin.prompts.prompt import Prompt, PromptText
from lidr_plugin.prompts.prompt_set import PromptSet


@dataclass(frozen=True, slots=True)
class Alignment:
    """The method's settings; see the configuration's keys of the same names."""

    dominant: str
    languages: Sequence[str]
    responder: Responder
    translation_prompts: TranslationPrompts
    filters: Sequence[Filter]
    answer_filter: str
    roles: Mapping[str, Model]
    rows: type[Sft] = Sft

    @property
    def reasons(self) -> Mapping[str, str]:
        """Those of the filters."""
        return REASONS

    def problems(self, prompts: PromptSet) -> Sequence[str]:
        """A prompt without a final answer, where the filter needs one."""
        return lacking_answers(prompts, self.answer_filter)

    def requests_at_most(self, prompts: int) -> int:
        """The dominant answers and their translations."""
        return prompts * (1 + len(self.languages))

    def steps(self, prompt: Prompt, ask: Ask) -> Steps[Outcome]:
        """One row for every other language."""
        treatment = self.translation_prompts.treatment_of(prompt)
        if treatment == "drop":
            drops = [Drop(self._row(prompt, code), Reason.TRANSLATION_PROMPT) for code in self.languages]
            return Outcome.of(prompt.position, drops)
        top = yield from self.responder.respond(prompt, self.dominant, ask)
        untranslated = treatment == "untranslated"
        rows = yield from together(*(self._made(prompt, code, top.text, ask, untranslated) for code in self.languages))
        fates = [Drop(row, reason) if (reason := weigh(row, self.filters)) else row for row in rows]
        return Outcome.of(prompt.position, fates)

    def _made(self, prompt: Prompt, code: str, top: Text, ask: Ask, untranslated: bool) -> Steps[Sft]:
        sent, output = yield from both(
            self.responder.sent(prompt, code, ask), self._output(prompt, code, top, ask, untranslated)
        )
        if isinstance(sent, Text):
            return self._row(prompt, code, PromptText(""), sent, top, untranslated)
        return self._row(prompt, code, sent, output, top, untranslated)

    def _output(self, prompt: Prompt, code: str, top: Text, ask: Ask, untranslated: bool) -> Steps[Text]:
        translator = self.responder.translator
        if untranslated:
            return top
        if top.cut and translator.skip_cut:
            return Text("", cut=True)
        return (yield from translator.carried(top, self.dominant, code, ask, prompt.id))

    def _row(
        self,
        prompt: Prompt,
        code: str,
        sent: PromptText = PromptText(""),  # noqa: B008 (a tuple)
        output: Text = Text(""),  # noqa: B008
        source: Text = Text(""),  # noqa: B008
        untranslated: bool = False,
    ) -> Sft:
        origin = f"response:{self.dominant}" if untranslated else f"translation:{self.dominant}->{code}"
        return Sft(prompt.id, code, sent, output, origin, source, untranslated, prompt.final_answer)


def build(config: Config, filters: Sequence[Filter], roles: Mapping[str, Model]) -> Alignment:
    """The method as a configuration wants it."""
    return Alignment(
        dominant=config.dominant_language,
        languages=config.languages,
        responder=Responder.of(config),
        translation_prompts=TranslationPrompts.of(config),
        filters=filters,
        answer_filter=config.answer_filter,
        roles=roles,
    )
