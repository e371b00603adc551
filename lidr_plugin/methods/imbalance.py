"""Language Imbalance Driven Rewarding (arXiv 2410.08964, section 3): the text that began in the dominant language is preferred.

y^l = M(x^l)    t^{a->b} = M(translate y^a into b)
in l: prompt x^l, chosen t^{d->l}, rejected y^l        in d: prompt x^d, chosen y^d, rejected t^{l->d}
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from lidr_plugin.completions.client import Model
from lidr_plugin.completions.steps import Steps, both, together
from lidr_plugin.config.schema import Config
from lidr_plugin.methods.base import Ask, Drop, Outcome, Preference, Reason, Text
from lidr_plugin.methods.filters import REASONS, Filter, lacking_answers, weigh
from lidr_plugin.methods.language_pairs import LanguagePairs
from lidr_plugin.methods.responses import Responder, Response
from lidr_plugin.methods.translation_prompts import TranslationPrompts
from lidr_plugin.prompts.prompt import Prompt, PromptText
from lidr_plugin.prompts.prompt_set import PromptSet

Fate: TypeAlias = Preference | Drop


@dataclass(frozen=True, slots=True)
class Imbalance:
    """The method's settings; see the configuration's keys of the same names."""

    dominant: str
    languages: Sequence[str]
    responder: Responder
    dominant_pairs: str
    language_pairs: LanguagePairs
    translation_prompts: TranslationPrompts
    filters: Sequence[Filter]
    answer_filter: str
    roles: Mapping[str, Model]
    rows: type[Preference] = Preference

    @property
    def reasons(self) -> Mapping[str, str]:
        """Those of the filters."""
        return REASONS

    def problems(self, prompts: PromptSet) -> Sequence[str]:
        """A prompt without a final answer, where the filter needs one."""
        return lacking_answers(prompts, self.answer_filter)

    def requests_at_most(self, prompts: int) -> int:
        """Responses and first tries of translations."""
        others = len(self.languages)
        translations = others + {"none": 0, "all": others}.get(self.dominant_pairs, 1)
        return prompts * (1 + others + translations * self.responder.translator.requests_each)

    def steps(self, prompt: Prompt, ask: Ask) -> Steps[Outcome]:
        """All pairs of a prompt: those of the other languages in their order, then those of the dominant one."""
        fates = yield from _Pairs(self, prompt, ask).steps()
        return Outcome.of(prompt.position, fates)


def turns(position: int, languages: Sequence[str], policy: str) -> Sequence[str]:
    """The non-dominant languages whose dominant-language candidate is considered, in order.

    Under `one` the languages take turns by the prompt's position, and those after the first are considered only where
    the candidate before was dropped.
    """
    if policy == "none":
        return ()
    if policy == "last":
        return languages[-1:]
    if policy == "all":
        return languages
    first = position % len(languages)
    return [*languages[first:], *languages[:first]]


class _Outward(NamedTuple):
    """The dominant answer, and what became of it in every other language, in their order."""

    top: Response
    carried: list[Text]


class _Pairs:
    """One prompt's pairs."""

    def __init__(self, method: Imbalance, prompt: Prompt, ask: Ask) -> None:
        self._method = method
        self._prompt = prompt
        self._ask = ask
        self._asks_translation = method.translation_prompts.treatment_of(prompt)

    def steps(self) -> Steps[list[Fate]]:
        method = self._method
        if self._asks_translation == "drop":
            return self._dropped()
        own = together(*[method.responder.respond(self._prompt, code, self._ask) for code in method.languages])
        outward, responses = yield from both(self._outward(), own)
        fates = [
            self._weighed(code, code, response.prompt, chosen, response.text, outward.top.text)
            for code, chosen, response in zip(method.languages, outward.carried, responses, strict=True)
        ]
        texts = {code: response.text for code, response in zip(method.languages, responses, strict=True)}
        inward = yield from self._inward(outward.top, texts)
        return [*fates, *inward, *self._of_language(fates, outward.top)]

    def _of_language(self, fates: Sequence[Fate], top: Response) -> list[Fate]:
        """Pairs of the same content in two languages; a translation prompt's answer has no language of its own."""
        if self._asks_translation != "ignore" or not self._method.language_pairs.share:
            return []
        ordinary = [fate.row if isinstance(fate, Drop) else fate for fate in fates]
        made = [self._method.language_pairs.made_of(x, top.prompt) for x in ordinary if isinstance(x, Preference)]
        return [fate for pairs in made for fate in pairs]

    def _dropped(self) -> list[Fate]:
        method, nothing = self._method, Text("")
        sides = [(code, code) for code in method.languages]
        sides += [
            (method.dominant, code) for code in turns(self._prompt.position, method.languages, method.dominant_pairs)
        ]
        return [
            Drop(self._candidate(*side, PromptText(""), nothing, nothing, nothing), Reason.TRANSLATION_PROMPT)
            for side in sides
        ]

    def _outward(self) -> Steps[_Outward]:
        """t^{d->l} for every l, asked for as soon as y^d is there."""
        method = self._method
        top = yield from method.responder.respond(self._prompt, method.dominant, self._ask)
        if self._asks_translation == "untranslated":
            return _Outward(top, [top.text for _ in method.languages])
        if self._cut(top.text):
            return _Outward(top, [Text("", cut=True) for _ in method.languages])
        carried = yield from together(*(self._carried(top.text, method.dominant, code) for code in method.languages))
        return _Outward(top, carried)

    def _inward(self, top: Response, texts: Mapping[str, Text]) -> Steps[list[Fate]]:
        """The candidates in the dominant language; under `one` a language's turn comes when the one before was dropped."""
        method = self._method
        considered = turns(self._prompt.position, method.languages, method.dominant_pairs)
        if method.dominant_pairs != "one":
            return (yield from together(*(self._back(top, texts[code], code) for code in considered)))
        fates: list[Fate] = []
        for code in considered:
            fates.append((yield from self._back(top, texts[code], code)))
            if not isinstance(fates[-1], Drop):
                break
        return fates

    def _back(self, top: Response, text: Text, code: str) -> Steps[Fate]:
        """Prompt x^d, chosen y^d, rejected t^{l->d}; nothing is asked where y^d cannot be chosen."""
        dominant = self._method.dominant
        back = Text("")
        if top.text.text and not self._cut(top.text):
            back = yield from self._carried(text, code, dominant)
        return self._weighed(dominant, code, top.prompt, top.text, back, top.text)

    def _carried(self, source: Text, origin: str, target: str) -> Steps[Text]:
        return self._method.responder.translator.carried(source, origin, target, self._ask, self._prompt.id)

    def _cut(self, text: Text) -> bool:
        return text.cut and self._method.responder.translator.skip_cut

    def _weighed(self, code: str, other: str, prompt: PromptText, chosen: Text, rejected: Text, source: Text) -> Fate:
        candidate = self._candidate(code, other, prompt, chosen, rejected, source)
        reason = weigh(candidate, self._method.filters)
        return Drop(candidate, reason) if reason else candidate

    def _candidate(
        self, code: str, other: str, prompt: PromptText, chosen: Text, rejected: Text, source: Text
    ) -> Preference:
        dominant, untranslated = self._method.dominant, self._asks_translation == "untranslated"
        if code == dominant:
            sources = f"response:{dominant}", rejected.translated(other, dominant)
        else:
            sources = (
                (f"response:{dominant}" if untranslated else chosen.translated(dominant, code)),
                f"response:{code}",
            )
        return Preference(
            id=self._prompt.id,
            language=code,
            prompt=prompt,
            chosen=chosen,
            rejected=rejected,
            chosen_source=sources[0],
            rejected_source=sources[1],
            source=source,
            answers_translation=untranslated,
            final_answer=self._prompt.final_answer,
        )


def build(config: Config, filters: Sequence[Filter], roles: Mapping[str, Model]) -> Imbalance:
    """The method as a configuration wants it."""
    return Imbalance(
        dominant=config.dominant_language,
        languages=config.languages,
        responder=Responder.of(config),
        dominant_pairs=config.dominant_pairs,
        language_pairs=LanguagePairs.of(config, filters),
        translation_prompts=TranslationPrompts.of(config),
        filters=filters,
        answer_filter=config.answer_filter,
        roles=roles,
    )
