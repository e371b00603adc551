"""The methods that lidr has, each with LLaMA-Factory's stage for its rows; `methods/<name>.py` is what it says."""

from typing import Literal, TypeAlias

Stage: TypeAlias = Literal["dpo", "sft"]
"""What LLaMA-Factory does with the rows: pairs are preferred, SFT rows imitated."""

METHODS: dict[str, Stage] = {
    "imbalance": "dpo",
    "alignment": "sft",
}

OF_TRANSLATIONS = frozenset({"imbalance", "alignment"})
"""Those whose texts to learn are translations: `lidr iterate` leaves languages out in which these lose too much."""
