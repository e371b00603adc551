"""A judge's verdict on two answers: how it is asked for, how it is read, and what many verdicts say.

Judges prefer a position (Zheng et al. 2023, arXiv 2306.05685, section 3.3): two answers are compared in both orders, and only
what holds in both counts as won or lost. The position's share is part of the result.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lidr_plugin.completions.requests import Chat, Completion, Message, Sampling
from lidr_plugin.evaluation.intervals import Share, percent
from lidr_plugin.text.thinking import without_thoughts

_WORDING = """\
Below are a request and two answers to it. Decide which answer serves the person who asked better: it does what was asked, \
is right, clear and complete, reads naturally, and is in the language of the request unless another was asked for. Neither \
length nor order is a merit.

[Chat]
{prompt}
[End of request]

[Answer A]
{a}
[End of answer A]

[Answer B]
{b}
[End of answer B]

Which answer is better? Reply with one letter, A or B."""

_SCALE = """\
Below are a request and an answer to it. Grade the answer from 0 (useless) to 10 (as good as can be): does it do what was \
asked, is it right, clear and complete, does it read naturally, is it in the language of the request unless another was asked \
for?

[Chat]
{prompt}
[End of request]

[Answer]
{answer}
[End of answer]

Reply with the grade alone, a whole number from 0 to 10."""

_TOP_LOGPROBS = 20
"""Likeliest first tokens that are asked for: the most that OpenAI gives, so that A and B are seldom missing among them."""


def verdict_request(prompt: str, a: str, b: str, *, weights: str, max_tokens: int, row: str) -> Chat:
    """Asks which of two answers is better, with the likeliest first tokens where the server gives them."""
    found = _request(_WORDING, {"prompt": prompt, "a": a, "b": b}, weights, max_tokens, row)
    return found._replace(top_logprobs=_TOP_LOGPROBS)


def grade_request(prompt: str, answer: str, *, weights: str, max_tokens: int, row: str) -> Chat:
    """Asks for an answer's grade from 0 to 10."""
    return _request(_SCALE, {"prompt": prompt, "answer": answer}, weights, max_tokens, row)


def _request(wording: str, texts: Mapping[str, str], weights: str, max_tokens: int, row: str) -> Chat:
    # In one pass, so that braces in the texts stay as they are.
    content = re.sub(r"\{(\w+)\}", lambda match: texts[match[1]], wording)
    # Greedy and without a penalty: the likeliest answer is wanted; the seed only has to be the same each time.
    sampling = Sampling(
        temperature=0.0, top_p=1.0, max_tokens=max_tokens, repetition_penalty=1.0, seed=42, thinking=False
    )
    return Chat(weights, (Message("user", content),), sampling, row=row)


def letter(completion: Completion) -> str | None:
    """The verdict: `A` or `B`, or None where there is none.

    By the log-probabilities of the two letters as the first token, where the server gave them and one of them is there; else
    by the text: the letter at its beginning, else the last one that stands alone.
    """
    found: dict[str, float] = {}
    for token, logprob in completion.first_token or ():
        name = token.strip()
        if name in ("A", "B"):
            found[name] = max(logprob, found.get(name, logprob))
    if found and (len(found) == 1 or found["A"] != found["B"]):
        return max(found, key=found.__getitem__)
    text = without_thoughts(completion.text, thinking=False).lstrip("*([\"' ")
    alone = re.findall(r"(?<![\w'])([AB])(?![\w'])", text)
    if not alone:
        return None
    # "B, because A is …" has its verdict at the beginning, "A better answer is B" at the end.
    begins = re.match(r"[AB]([.,)*\n:]|\Z)", text)
    return str(alone[0] if begins else alone[-1])


def grade(completion: Completion) -> int | None:
    """The grade, 0 to 10; None where the answer has none."""
    text = without_thoughts(completion.text, thinking=False)
    numbers = [int(number) for number in re.findall(r"(?<![\d.,/])\d+(?![\d])", text)]
    return numbers[0] if numbers and numbers[0] <= 10 else None


class Verdict(NamedTuple):
    """The judge's letters where the challenger stood first and second; `same`: both answers are one text, nobody was asked."""

    id: str
    first: str | None = None
    second: str | None = None
    same: bool = False

    @property
    def outcome(self) -> str:
        """`win` or `lose` of the challenger if both orders say so, else `tie`."""
        return {("A", "B"): "win", ("B", "A"): "lose"}.get((self.first or "", self.second or ""), "tie")


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What the verdicts in one language come to.

    Attributes:
        win_rate: wins and half of the ties, of all.
        consistent: of the contests with two letters those in which both orders prefer the same answer.
        first_position: of all letters those for the answer that stood first; one half without a bias.
        unread: of all letters asked for those that could not be read.
    """

    win: Share
    tie: Share
    lose: Share
    win_rate: float
    consistent: Share
    first_position: Share
    unread: Share

    @classmethod
    def of(cls, items: Sequence[Verdict]) -> "Verdicts":
        """Counts them."""
        n = len(items)
        counts = {name: sum(item.outcome == name for item in items) for name in ("win", "tie", "lose")}
        letters = [x for item in items if not item.same for x in (item.first, item.second)]
        both = [item for item in items if item.first and item.second]
        return cls(
            win=Share(counts["win"], n),
            tie=Share(counts["tie"], n),
            lose=Share(counts["lose"], n),
            win_rate=(counts["win"] + counts["tie"] / 2) / n if n else 0.0,
            consistent=Share(sum(item.first != item.second for item in both), len(both)),
            first_position=Share(letters.count("A"), len(letters) - letters.count(None)),
            unread=Share(letters.count(None), len(letters)),
        )


def warning(items: Sequence[Verdict]) -> str | None:
    """Why these verdicts say nothing, if they do."""
    agree = Verdicts.of(items).consistent
    # A coin would make the two orders agree in half of the contests; whoever is surely below that goes by the place.
    if agree.interval[1] >= 0.5:
        return None
    return (
        f"the orders agree on {percent(agree)} % of the pairs, where a coin would agree on half: this judge goes by the "
        "place of the answers, and its ties say nothing about them"
    )
