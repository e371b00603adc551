"""What a judge is asked of two answers, or of one, and how its reply is read.

Judges prefer a position (Zheng et al. 2023, arXiv 2306.05685, section 3.3): two answers are compared in both orders, and only
what holds in both counts as won or lost.
"""

import math
import re
from pathlib import Path
from typing import NamedTuple

from lidr_plugin.completions.requests import Completion, Message, Sampling
from lidr_plugin.text.verdicts import verdict

_VERDICT = Path(__file__).with_name("judge_verdict.txt").read_text(encoding="utf-8").strip()
_GRADE = Path(__file__).with_name("judge_grade.txt").read_text(encoding="utf-8").strip()
_REFERENCE = Path(__file__).with_name("judge_reference.txt").read_text(encoding="utf-8").strip()


class Verdict(NamedTuple):
    """What the judge said (`A`, `B`, `tie`) where the first of two answers, the challenger, stood first and second.

    Attributes:
        same: both answers are one text, and nobody was asked.
    """

    id: str
    first: str | None = None
    second: str | None = None
    same: bool = False

    @property
    def outcome(self) -> str:
        """`win` or `lose` of the challenger if both orders say so, else `tie`."""
        return {("A", "B"): "win", ("B", "A"): "lose"}.get((self.first or "", self.second or ""), "tie")

    @property
    def is_read(self) -> bool:
        """Whether both replies could be read."""
        return self.first is not None and self.second is not None


def sampling(max_tokens: int, temperature: float = 0.0) -> Sampling:
    """How a judge is asked: without a penalty, for the likeliest letter is wanted; the seed only has to be the same each time."""
    return Sampling(
        temperature=temperature, top_p=1.0, max_tokens=max_tokens, repetition_penalty=1.0, seed=42, thinking=False
    )


def comparison(prompt: str, a: str, b: str) -> Message:
    """The turn that asks which of two answers is better."""
    return filled(_VERDICT, prompt=prompt, a=a, b=b)


def grading(prompt: str, answer: str, reference: str = "") -> Message:
    """The turn that asks for a grade from 0 to 10, beside another answer if there is one."""
    return filled(_REFERENCE if reference else _GRADE, prompt=prompt, answer=answer, reference=reference)


def filled(wording: str, **texts: str) -> Message:
    """A turn with texts in the places that the wording names."""
    # In one pass, so that braces in the texts stay as they are.
    return Message("user", re.sub(r"\{(\w+)\}", lambda match: texts[match[1]], wording))


def letter(completion: Completion) -> str | None:
    """The verdict: `A`, `B` or `tie`; None where there is none.

    By the log-probabilities of the two letters as the first token, where the server gave them and one of them is there; else
    by the text.
    """
    found: dict[str, float] = {}
    for token, logprob in completion.first_token or ():
        name = token.strip()
        if name in ("A", "B") and math.isfinite(logprob):
            found[name] = max(logprob, found.get(name, logprob))
    if found and (len(found) == 1 or found["A"] != found["B"]):
        return max(found, key=found.__getitem__)
    return verdict(completion.text)
