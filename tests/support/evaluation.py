"""What evaluations ask: questions of MGSM, and a judge that knows what it likes."""

import json
import re
from pathlib import Path
from typing import Any

TIGRINYA = "(3) እቲ ሩባ ነታ ንእሽቶ ጃልባ ሰባት እንጀራን ሻሂን ሒዞም ናብ ዝጽበዩሉ ናብቲ ዓቢ ወደብ ቀስ ኢሉ ይወስዳ"
"""A text in a language that cannot be identified."""


def write_mgsm(folder: Path) -> None:
    """Six questions in each language of the fake model."""
    (folder / "mgsm").mkdir()
    for code in ("en", "de", "es", "fr"):
        rows = [{"query": f"[{code}] How many boats are {i} and {i}?", "response": str(2 * i)} for i in range(6)]
        (folder / f"mgsm/{code}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


class Scripted:
    """Two models and a judge that knows what it likes: of five prompts the new model's answer three times, the old one's
    once, and once whatever stands first."""

    def __init__(self, *, logprobs: bool) -> None:
        self.logprobs = logprobs

    def __call__(self, body: dict[str, Any]) -> dict[str, Any] | None:
        user = body["messages"][-1]["content"]
        number = int(re.findall(r"boat number (\d+)", user)[0])
        if body["model"] != "judge":
            return {"message": {"content": f"{body['model']} on boat number {number}"}}
        new_first = user.index("new on boat") < user.index("old on boat")
        likes_a = {0: new_first, 1: new_first, 2: new_first, 3: not new_first, 4: True}[number % 5]
        letter, other = ("A", "B") if likes_a else ("B", "A")
        if not self.logprobs:
            return {"message": {"content": f"Answer {letter}"}}
        tops = [{"token": letter, "logprob": -0.3}, {"token": other, "logprob": -1.5}]
        # The text says the opposite, so that only who reads the log-probabilities gets it right.
        return {"message": {"content": other}, "logprobs": {"content": [{"token": other, "top_logprobs": tops}]}}
