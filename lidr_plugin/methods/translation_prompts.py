"""Prompts that themselves ask for a translation: how they are recognised, and what becomes of them."""

from collections.abc import Callable
from dataclasses import dataclass

from lidr_plugin.config.schema import Config
from lidr_plugin.errors import InputError
from lidr_plugin.machine.inputs import read_text
from lidr_plugin.methods.translation_words import CODES, every, trigger
from lidr_plugin.prompts.prompt import Prompt

_HEAD, _TAIL = 300, 160
"""Characters at the beginning and at the end of a prompt, where the task is named."""


def asks_for_translation(prompt: str) -> bool:
    """Whether a prompt asks for something to be said in another language, whatever words it asks in."""
    ends = prompt if len(prompt) <= _HEAD + _TAIL else f"{prompt[:_HEAD]}\n\n{prompt[-_TAIL:]}"
    plain = ends.casefold()
    # A word with other letters is in no text of ASCII alone, and most of the words have some.
    ascii_only = plain.isascii()
    asked = trigger(ascii_only=ascii_only).search(plain) and any(
        words.asking.search(ends)
        for words in every()
        if any(map(plain.__contains__, words.ascii_triggers if ascii_only else words.triggers))
    )
    return bool(asked) or CODES.search(ends) is not None


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
