"""SFT rows by templates over texts that are there anyway (see `mix_templates`): a share of the prompts gets each.

Multilingual alignment (arXiv 2410.08964, 4.1) is `answer` alone: prompt x^l, output t^{d->l}. Self-Translate-Train (2407.00454),
QAlign (2401.07817), x-LLaMA (2308.04948), CrossIn (2404.11932), PLUG (2311.08711) are other mixes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from lidr_plugin.completions.client import Model
from lidr_plugin.completions.steps import Steps, T, both, together
from lidr_plugin.config.schema import Config
from lidr_plugin.methods.base import POLICY, TRANSLATOR, Ask, Drop, Outcome, Reason, Sft, Text
from lidr_plugin.methods.draw import drawn
from lidr_plugin.methods.filters import REASONS, Filter, lacking_answers, weigh
from lidr_plugin.methods.mix_templates import BESIDE, NEED_PROMPT, NEED_TRANSLATION, QUESTIONS, TEMPLATES, Draft, Texts
from lidr_plugin.methods.responses import Responder
from lidr_plugin.methods.translation import translation_request
from lidr_plugin.methods.translation_prompts import TranslationPrompts
from lidr_plugin.prompts.prompt import Prompt, PromptText
from lidr_plugin.prompts.prompt_set import PromptSet
from lidr_plugin.text import numbers

_FIT = {"ignore": TEMPLATES.keys(), "untranslated": {"answer_d", "answer"}, "drop": {"answer_d"}}
"""Templates for prompts that ask for a translation themselves, by what is to become of them."""


@dataclass(frozen=True, slots=True)
class Mix:
    """The method's settings; see the configuration's keys of the same names.

    Attributes:
        shares: by template, in the templates' order.
        length_ratio: bounds of the length of a translated gold answer over its source; None: any.
    """

    dominant: str
    languages: Sequence[str]
    shares: Mapping[str, float]
    responder: Responder
    translation_prompts: TranslationPrompts
    filters: Sequence[Filter]
    answer_filter: str
    math: bool
    length_ratio: tuple[float, float] | None
    roles: Mapping[str, Model]
    rows: type[Sft] = Sft

    @property
    def reasons(self) -> Mapping[str, str]:
        """Those of the filters."""
        return REASONS

    def problems(self, prompts: PromptSet) -> Sequence[str]:
        """A prompt without a final answer, where the filter needs one; questions that the model itself translated."""
        problems = lacking_answers(prompts, self.answer_filter) if self.shares.keys() - QUESTIONS else []
        own = [code for code in self.languages if code not in prompts.languages]
        if own and self.roles[TRANSLATOR].identity == self.roles[POLICY].identity:
            problems += [
                f"mix.{name}: the prompts in {', '.join(own)} would be the model's own translations, from which it learns "
                "nothing; give these languages a prompt file, or another translator in translation.engine"
                for name in self.shares
                if name in QUESTIONS
            ]
        return problems

    def requests_at_most(self, prompts: int) -> int:
        """The dominant answers and their translations."""
        answered = bool(self.shares.keys() - QUESTIONS)
        translations = len(self.languages) * bool(self.shares.keys() & NEED_TRANSLATION)
        return prompts * (answered + translations * self.responder.translator.requests_each)

    def steps(self, prompt: Prompt, ask: Ask) -> Steps[Outcome]:
        """The rows of a prompt: y^d -> x^d first, then those of every other language, by template."""
        picked = {code: self._picked(prompt, code) for code in (self.dominant, *self.languages)}
        treatment = self.translation_prompts.treatment_of(prompt)
        of_answers = {name for names in picked.values() for name in names} & _FIT[treatment] - QUESTIONS
        y_d = (yield from self._answered(prompt, ask)) if of_answers else Text("")
        made = yield from together(
            *(self._rows(prompt, code, names, y_d, ask, treatment) for code, names in picked.items())
        )
        return Outcome.of(prompt.position, [fate for fates in made for fate in fates])

    def _picked(self, prompt: Prompt, code: str) -> list[str]:
        """The templates that the prompt is drawn for in a language; `answer_d` is the dominant language's alone."""
        seed = self.responder.sampling.seed
        names = [name for name in self.shares if (name == "answer_d") == (code == self.dominant)]
        return [name for name in names if drawn(seed, prompt.id, code, name) < self.shares[name]]

    def _answered(self, prompt: Prompt, ask: Ask) -> Steps[Text]:
        if prompt.response:
            return Text(prompt.response)
        return (yield from self.responder.respond(prompt, self.dominant, ask)).text

    def _rows(
        self, prompt: Prompt, code: str, names: Sequence[str], y_d: Text, ask: Ask, treatment: str
    ) -> Steps[list[Sft | Drop]]:
        kept, untranslated = {*names} & _FIT[treatment], treatment == "untranslated"
        x_l, t = yield from both(
            self.responder.text(prompt, code, ask) if NEED_PROMPT & kept else _given(PromptText("")),
            self._translated(prompt, code, y_d, ask, untranslated) if NEED_TRANSLATION & kept else _given(Text("")),
        )
        texts = self._texts(prompt, code, y_d, t, untranslated)
        if isinstance(x_l, PromptText):
            texts = texts._replace(x_l=x_l)
        fates: list[Sft | Drop] = []
        for name in names:
            draft = TEMPLATES[name](texts)
            if isinstance(x_l, Text) and name in NEED_PROMPT:
                draft = draft._replace(learned=x_l, prompt=PromptText(""))
            row = self._row(prompt, name, draft, untranslated and name == "answer")
            reason = Reason.TRANSLATION_PROMPT if name not in kept else self._reason(prompt, name, draft, row, texts)
            finished = row._replace(output=row.output._replace(text=draft.output))
            fates.append(Drop(row, reason) if reason else finished)
        return fates

    def _translated(self, prompt: Prompt, code: str, y_d: Text, ask: Ask, untranslated: bool) -> Steps[Text]:
        translator = self.responder.translator
        if untranslated:
            return y_d
        if y_d.cut and translator.skip_cut:
            return Text("", cut=True)
        return (yield from translator.carried(y_d, self.dominant, code, ask, prompt.id))

    def _texts(self, prompt: Prompt, code: str, y_d: Text, t: Text, untranslated: bool) -> Texts:
        translator = self.responder.translator
        y_origin = f"{'gold' if prompt.response else 'response'}:{self.dominant}"
        return Texts(
            dominant=self.dominant,
            code=code,
            dominant_name=translator.name_of(self.dominant),
            name=translator.name_of(code),
            x_d=prompt.texts[self.dominant],
            x_l=PromptText(""),
            sent=partial(self.responder.worded, as_is=prompt.as_is),
            request=lambda text, name: translation_request(text, name, 0, template=translator.template).content,
            y_d=y_d,
            t=t,
            y_origin=y_origin,
            t_origin=y_origin if untranslated else t.translated(self.dominant, code),
        )

    def _row(self, prompt: Prompt, name: str, draft: Draft, untranslated: bool) -> Sft:
        """The row with the bare text, as the filters weigh it."""
        return Sft(
            prompt.id,
            draft.language,
            draft.prompt,
            draft.learned,
            draft.origin,
            draft.source,
            untranslated,
            None if name in QUESTIONS else prompt.final_answer,
            "" if list(self.shares) == ["answer"] else name,
        )

    def _reason(self, prompt: Prompt, name: str, draft: Draft, row: Sft, texts: Texts) -> str | None:
        """Why a draft becomes no row. Whatever else the row shows must be sound as well as the text to learn."""
        if prompt.response and name in NEED_TRANSLATION and (lost := self._lost(draft)):
            return lost
        if reason := weigh(row, self.filters):
            return reason
        if draft.copied:
            return Reason.IDENTICAL
        beside = BESIDE.get(name)
        return weigh(self._row(prompt, name, beside(texts), False), self.filters) if beside else None

    def _lost(self, draft: Draft) -> str | None:
        """What is wrong with the translation of an answer that is known to be right: another number, or another length."""
        gold, made = draft.source.text, draft.learned
        if made.failed or not made.text.strip():
            return None
        wanted = numbers.final_numbers(gold, self.dominant) if self.math else set()
        if wanted and wanted.isdisjoint(numbers.final_numbers(made.text, draft.language)):
            return Reason.ANSWER
        low, high = self.length_ratio or (0.0, float("inf"))
        return None if low <= len(made.text) / len(gold) <= high else Reason.LENGTH_RATIO


def _given(value: T) -> Steps[T]:
    yield from ()
    return value


def build(config: Config, filters: Sequence[Filter], roles: Mapping[str, Model]) -> Mix:
    """The method as a configuration wants it."""
    return Mix(
        dominant=config.dominant_language,
        languages=config.languages,
        shares=config.shares,
        responder=Responder.of(config),
        translation_prompts=TranslationPrompts.of(config),
        filters=filters,
        answer_filter=config.answer_filter,
        math=config.task == "math",
        length_ratio=config.filters.length_ratio or None,
        roles=roles,
    )
