"""Prompts that themselves ask for a translation: how they are recognised, and what becomes of them."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from lidr_plugin.config.schema import Config
from lidr_plugin.errors import InputError
from lidr_plugin.machine.inputs import read_text
from lidr_plugin.prompts.prompt import Prompt

_ASKS_TRANSLATION = re.compile(
    r"\b(?:s?translat(?:e[sd]?|ing|ions?)|übersetz\w*|tradu(?:i[rstz]\w*|c\w+|z\w+)|перев(?:ед|од)\w*|vertaa?l\w*|"
    r"översätt\w*|oversett\w*|oversæt\w*|przetłumacz\w*|přelož\w*|fordíts\w*|çevir\w*|terjemah\w*)"
    r"|翻[译譯訳]|번역|ترجم",
    re.IGNORECASE,
)


def asks_for_translation(prompt: str) -> bool:
    """Whether a prompt looks like a request to translate something: its first 200 characters name the task."""
    return _ASKS_TRANSLATION.search(prompt, 0, 200) is not None


@dataclass(frozen=True, slots=True)
class TranslationPrompts:
    """What becomes of such prompts: `drop`, `untranslated` or `ignore` (contract, section 1)."""

    treatment: str
    recognised: Callable[[Prompt], bool]

    def treatment_of(self, prompt: Prompt) -> str:
        """`ignore` for every other prompt."""
        return self.treatment if self.treatment != "ignore" and self.recognised(prompt) else "ignore"

    @classmethod
    def of(cls, config: Config) -> "TranslationPrompts":
        """As a configuration wants it: recognised by the dominant language's wording, or by a file of ids.

        Raises:
            InputError: the file cannot be read.
        """
        if config.translation_prompt_ids is None:
            dominant = config.dominant_language
            return cls(config.translation_prompts, lambda prompt: asks_for_translation(prompt.texts[dominant].joined))
        path = config.folder / config.translation_prompt_ids
        try:
            ids = frozenset(map(str.strip, read_text(path).split("\n")))
        except InputError as error:
            raise InputError(f"translation_prompt_ids: {error.message}", error.hint) from None
        return cls(config.translation_prompts, lambda prompt: prompt.id in ids)
