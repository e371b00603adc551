"""The methods that lidr has: one line each. `methods/<name>.py` is what it says."""

from typing import Literal, NamedTuple


class MethodEntry(NamedTuple):
    """A method's line: LLaMA-Factory's stage for its rows, and what it does."""

    stage: Literal["dpo", "sft"]
    about: str


METHODS = {
    "imbalance": MethodEntry("dpo", "pairs: the text that began in the dominant language is preferred"),
    "alignment": MethodEntry(
        "sft", "rows to imitate: prompts with the model's own translations of its dominant answers"
    ),
}
