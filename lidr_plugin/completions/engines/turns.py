"""Which tokens of a chat are those of a given answer."""

from collections.abc import Sequence
from typing import NamedTuple

from lidr_plugin.completions.engines.chat_completions import BEGUN, TRIAL

TRIAL_TURNS = ({"role": "user", "content": TRIAL}, {"role": "assistant", "content": BEGUN})
"""A chat by which it is found out how a template ends a turn."""


class Turn(NamedTuple):
    """A text as the last turn of a chat, in tokens.

    Attributes:
        prompt: what stands before it, with the beginning of the turn.
        text: the tokens of the text.
        end: the token that ends the turn, or none.
        apart: whether the text was made tokens by itself, because the template rewrites the chat.
    """

    prompt: list[int]
    text: list[int]
    end: list[int]
    apart: bool = False

    @property
    def measured(self) -> list[int]:
        """The tokens that the model would have had to say."""
        return self.text + self.end


def end_of_turn(begun: Sequence[int], whole: Sequence[int]) -> int | None:
    """The token that a template ends a turn with; None if it puts none there.

    Args:
        begun: a chat whose last turn is left open.
        whole: the same with its end.
    """
    goes_on = len(whole) > len(begun) and list(whole[: len(begun)]) == list(begun)
    return whole[len(begun)] if goes_on else None


def turn_of(prompt: list[int], whole: list[int], end: int, *, cut: bool) -> Turn | None:
    """The last turn of a chat; None where the chat does not begin as its prompt, or its turn does not end.

    What the template puts after the end does not count.

    Args:
        prompt: the chat before the turn, with the generation prompt.
        whole: the chat with the turn.
        end: the token that ends a turn.
        cut: whether the text is one that was cut: it has no end.
    """
    said = whole[len(prompt) :]
    if whole[: len(prompt)] != prompt or end not in said:
        return None
    return Turn(prompt, said[: said.index(end)], [] if cut else [end])


def turn_apart(prompt: list[int], text: list[int], end: int, *, cut: bool) -> Turn:
    """The same where the template rewrites the chat, of a text that was made tokens by itself."""
    return Turn(prompt, text, [] if cut else [end], apart=True)
