"""A prompt, in every language that it has."""

from dataclasses import dataclass
from typing import NamedTuple


class PromptText(NamedTuple):
    """A prompt in one language, with LLaMA-Factory's two fields."""

    instruction: str
    input: str = ""

    @property
    def joined(self) -> str:
        """The user turn, joined as LLaMA-Factory's alpaca converter joins it."""
        return (
            f"{self.instruction}\n{self.input}" if self.instruction and self.input else self.instruction or self.input
        )


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt in every language in which the files have it; `position` counts from 0 in the dominant file.

    Attributes:
        response: a right answer in the dominant language, where the data has one.
        as_is: whether it is asked without the run's wording of prompts, as those that are mixed in.
    """

    position: int
    id: str
    texts: dict[str, PromptText]
    final_answer: str | None = None
    response: str | None = None
    as_is: bool = False
