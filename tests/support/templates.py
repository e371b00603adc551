"""Chat templates over a tokenizer of letters, in which `<end>` and the like are one token each."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

SPECIAL = {"<bos>": 1_000_001, "<end>": 1_000_002, "<user>": 1_000_003, "<assistant>": 1_000_004, "<think>": 1_000_005}


def encode(text: str) -> list[int]:
    """A token a letter; a space and the letter after it are one."""
    parts = re.findall("|".join(SPECIAL) + r"| .|.", text, re.DOTALL)
    return [SPECIAL.get(part) or sum(ord(letter) << 16 * place for place, letter in enumerate(part)) for part in parts]


class Template:
    """A chat template.

    Args:
        after: what it puts after the end of a turn.
        bos: whether a chat begins with one.
        trims: whether it takes the white space off a text.
        rewrites: whether the generation prompt has a thought that an answer of the chat has not.
        ends: whether a turn has an end.
    """

    def __init__(
        self, *, after: str = "", bos: bool = False, trims: bool = False, rewrites: bool = False, ends: bool = True
    ) -> None:
        self._after = after
        self._bos = bos
        self._trims = trims
        self._rewrites = rewrites
        self._end = "<end>" if ends else ""

    def rendered(self, messages: Sequence[Mapping[str, str]], *, prompt: bool = False, goes_on: bool = False) -> str:
        """The chat as a text."""
        text = "<bos>" if self._bos else ""
        for place, message in enumerate(messages):
            content = message["content"].strip() if self._trims else message["content"]
            end = "" if goes_on and place == len(messages) - 1 else self._end + self._after
            text += f"<{message['role']}>{content}{end}"
        return text + ("<assistant>" if prompt else "") + ("<think>" if prompt and self._rewrites else "")

    def tokenize(self, body: Mapping[str, Any]) -> list[int]:
        """As a server's `/tokenize` does."""
        if "prompt" in body:
            return encode(("<bos>" if body.get("add_special_tokens", True) else "") + body["prompt"])
        prompt, goes_on = body["add_generation_prompt"], body.get("continue_final_message", False)
        return encode(self.rendered(body["messages"], prompt=prompt, goes_on=goes_on))
