"""One prompt on its way: from the answers so far to what is asked next, or to what it came to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lidr_plugin import languages
from lidr_plugin.completions.requests import Chat, Completion, Failure, Sampling
from lidr_plugin.methods import translation
from lidr_plugin.methods.base import Outcome, Preference, Reason, Text
from lidr_plugin.methods.filters import Filter
from lidr_plugin.methods.turns import Weighed, settle, turns, weigh
from lidr_plugin.prompts.prompt import Prompt, PromptText
from lidr_plugin.text.thinking import without_thoughts


@dataclass(frozen=True, slots=True)
class Method:
    """All of a run's settings that decide what is asked and what is made of the answers."""

    dominant: str
    languages: Sequence[str]
    weights: str
    translator: str
    response: Sampling
    translation: Sampling
    system: str | None
    retries: int
    template: str
    prompt_template: str | None
    dominant_pairs: str
    translation_prompts: str
    is_translation_prompt: Callable[[Prompt], bool]
    skip_cut: bool
    filters: Sequence[Filter]


class Label(NamedTuple):
    """One request of a prompt: what for, from and to which language, which try, which part."""

    kind: str
    source: str
    target: str
    attempt: int = 0
    part: int = 0


class Work:
    """One prompt on its way. `settle` is a pure replay: from the answers so far to what is asked next, or to the end."""

    def __init__(self, prompt: Prompt, method: Method) -> None:
        self.prompt = prompt
        self.position = prompt.position
        self._method = method
        self._answers: dict[Label, Completion | Failure] = {}
        self._wanted: dict[Label, Chat] = {}
        self._open: set[Label] = set()
        self._responses: dict[str, Text] = {}
        self._translations: dict[tuple[str, str, str], Text] = {}
        self._weighed: dict[tuple[str, str], Weighed] = {}
        asks = method.translation_prompts != "ignore" and method.is_translation_prompt(prompt)
        self._dropped = asks and method.translation_prompts == "drop"
        self._untranslated = asks and method.translation_prompts == "untranslated"

    def answer(self, label: Label, answer: Completion | Failure) -> None:
        """Takes the answer to one of the requests that `wanted` gave out."""
        self._open.discard(label)
        self._answers[label] = answer

    def wanted(self) -> dict[Label, Chat]:
        """The requests that came up since the last call."""
        wanted, self._wanted = self._wanted, {}
        self._open.update(wanted)
        return wanted

    def settle(self) -> Outcome | None:
        """What the prompt came to; None while answers are missing, and then `wanted` has what is asked for next."""
        method = self._method
        if not self._answers and not self._dropped:  # nothing can be weighed yet
            for language in (method.dominant, *method.languages):
                self._response(language)
            return None
        return settle(
            self.position,
            map(self._non_dominant, method.languages),
            map(self._dominant, turns(self.position, method.languages, method.dominant_pairs)),
            first_only=method.dominant_pairs == "one",
        )

    def _ask(self, label: Label, make: Callable[[], Chat]) -> Completion | Failure | None:
        answer = self._answers.get(label)
        if answer is None and label not in self._open and label not in self._wanted:
            self._wanted[label] = make()
        return answer

    def prompt_in(self, language: str) -> PromptText | Text | None:
        """The prompt as it is sent in a language; a failed passage if its translation failed; None: not there yet."""
        method = self._method
        text = self.prompt.texts.get(language)
        if text is None:
            original = Text(self.prompt.texts[method.dominant].joined)
            translated = self._translated("prompt", original, method.dominant, language)
            if translated is None or translated.failed:
                return translated
            if not translated.text or translated.cut:
                return Text(translated.text, failed=Reason.TRANSLATION_FAILED)
            text = PromptText(translated.text)
        if method.prompt_template is None:
            return text
        sent = method.prompt_template.replace("{language}", languages.name_of(language))
        return PromptText(sent.replace("{prompt}", text.joined))

    def _response(self, language: str) -> Text | None:
        if known := self._responses.get(language):
            return known
        method, prompt = self._method, self.prompt_in(language)
        if prompt is None or isinstance(prompt, Text):
            return prompt
        answer = self._ask(
            Label("response", language, ""),
            lambda: translation.response_request(
                prompt.joined,
                weights=method.weights,
                sampling=method.response,
                system=method.system,
                row=f"{self.prompt.id} [{language}]",
            ),
        )
        if answer is None:
            return None
        passage = self._responses[language] = _passage(answer, thinking=method.response.thinking)
        return passage

    def _translated(self, kind: str, source: Text, origin: str, target: str) -> Text | None:
        """A passage's translation: whole at first, then in smaller and smaller parts, as often as `retries` allows."""
        if known := self._translations.get((kind, origin, target)):
            return known
        best = Text("", failed=Reason.TRANSLATION_FAILED)
        for attempt in range(self._method.retries + 1):
            passage = self._attempt(Label(kind, origin, target, attempt), source.text)
            if passage is None:
                return None
            if not passage.failed and not passage.cut:
                best = passage
                break
            if best.failed is not Reason.REQUEST_FAILED and not best.text:
                best = passage
        self._translations[(kind, origin, target)] = best
        return best

    def _attempt(self, label: Label, text: str) -> Text | None:
        """One try, in one part or several that are asked for together."""
        parts = translation.in_parts(text, label.attempt) if label.attempt else [text]
        answers = [
            self._ask_part(label._replace(part=number) if number else label, part) for number, part in enumerate(parts)
        ]
        texts, cut = [], False
        for part, answer in zip(parts, answers, strict=True):
            if answer is None:
                return None
            if isinstance(answer, Failure):
                return Text("", failed=Reason.REQUEST_FAILED)
            found = translation.parse_translation(answer, part, thinking=self._method.translation.thinking)
            texts.append(found.text)
            cut = cut or found.cut
        if "" in texts:
            return Text("", cut, Reason.TRUNCATED if cut and self._method.skip_cut else Reason.TRANSLATION_FAILED)
        return Text("\n\n".join(texts), cut)

    def _ask_part(self, label: Label, text: str) -> Completion | Failure | None:
        method = self._method
        return self._ask(
            label,
            lambda: translation.translation_request(
                text,
                label.target,
                weights=method.translator,
                sampling=method.translation,
                template=method.template,
                attempt=label.attempt,
                row=f"{self.prompt.id} [{label.source}->{label.target}]",
            ),
        )

    def _carried(self, source: Text, origin: str, target: str) -> Text | None:
        """The translation of a response; nothing is asked where there is nothing to translate."""
        if source.failed:
            return source
        if not source.text:
            return Text("", failed=Reason.EMPTY)
        return self._translated("translation", source, origin, target)

    def _non_dominant(self, language: str) -> Weighed | None:
        """Prompt x^l, chosen t^{d→l}, rejected y^l."""
        dominant = self._method.dominant
        if self._dropped:
            return self._weigh(language, language, *(Text(""),) * 3)
        chosen = source = self._response(dominant)
        rejected = self._response(language)
        if source is not None and not self._untranslated:
            chosen = Text("", cut=True) if self._cut(source) else self._carried(source, dominant, language)
        if source is None or chosen is None or rejected is None:
            return None
        return self._weigh(language, language, source, chosen, rejected)

    def _dominant(self, language: str) -> Weighed | None:
        """Prompt x^d, chosen y^d, rejected t^{l→d}."""
        dominant = self._method.dominant
        if self._dropped:
            return self._weigh(dominant, language, *(Text(""),) * 3)
        chosen, response = self._response(dominant), self._response(language)
        if chosen is None or response is None:
            return None
        hopeless = self._cut(chosen) or not chosen.text
        rejected = Text("") if hopeless else self._carried(response, language, dominant)
        return None if rejected is None else self._weigh(dominant, language, chosen, chosen, rejected)

    def _cut(self, passage: Text) -> bool:
        """Whether the passage is cut and no pair can come of it: its translation is not asked for."""
        return passage.cut and self._method.skip_cut

    def _weigh(self, language: str, other: str, source: Text, chosen: Text, rejected: Text) -> Weighed:
        if (language, other) not in self._weighed:
            method, dominant = self._method, self._method.dominant
            prompt = self.prompt_in(language) if not self._dropped else None
            if language == dominant:
                sources = f"response:{dominant}", f"translation:{other}->{dominant}"
            else:
                kind = f"response:{dominant}" if self._untranslated else f"translation:{dominant}->{language}"
                sources = kind, f"response:{language}"
            candidate = Preference(
                id=self.prompt.id,
                language=language,
                prompt=prompt if isinstance(prompt, PromptText) else PromptText(""),
                chosen=chosen,
                rejected=rejected,
                chosen_source=sources[0],
                rejected_source=sources[1],
                source=source,
                answers_translation=self._untranslated,
                final_answer=self.prompt.final_answer,
            )
            self._weighed[(language, other)] = weigh(candidate, method.filters, drop=self._dropped)
        return self._weighed[(language, other)]


def _passage(answer: Completion | Failure, *, thinking: bool) -> Text:
    if isinstance(answer, Failure):
        return Text("", failed=Reason.REQUEST_FAILED)
    return Text(without_thoughts(answer.text, thinking=thinking), cut=answer.finish_reason == "length")
