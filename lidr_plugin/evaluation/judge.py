"""A judge's verdict on two answers: how it is asked for, how it is read, and what many verdicts say.

Judges prefer a position (Zheng et al. 2023, arXiv 2306.05685, section 3.3): two answers are compared in both orders, and only
what holds in both counts as won or lost. The position's share is part of the result.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lidr_plugin.completions.answers import ask
from lidr_plugin.completions.budget import Budget
from lidr_plugin.completions.models import Purpose, other_model
from lidr_plugin.completions.requests import Chat, Completion, Message, Sampling
from lidr_plugin.completions.store import Store
from lidr_plugin.config.schema import Config
from lidr_plugin.evaluation.grades import grade as read_grade
from lidr_plugin.evaluation.intervals import Share, percent
from lidr_plugin.evaluation.verdicts import verdict
from lidr_plugin.machine import interrupts

_VERDICT = Path(__file__).with_name("judge_verdict.txt").read_text(encoding="utf-8").strip()
_GRADE = Path(__file__).with_name("judge_grade.txt").read_text(encoding="utf-8").strip()
_TOP_LOGPROBS = 20
"""Likeliest first tokens that are asked for: the most that OpenAI gives, so that A and B are seldom missing among them."""


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


def grade(completion: Completion) -> float | None:
    """The grade, 0 to 10; None where the answer has none."""
    return read_grade(completion.text)


class Contest(NamedTuple):
    """Two answers to a prompt; the verdict is the challenger's."""

    id: str
    language: str
    prompt: str
    challenger: str
    opponent: str


class Submission(NamedTuple):
    """An answer that is to be graded."""

    id: str
    prompt: str
    answer: str


class Verdict(NamedTuple):
    """What the judge said (`A`, `B`, `tie`) where the challenger stood first and second.

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


class Judgements(NamedTuple):
    """Of each contest and each submission; None where the budget did not reach or no grade could be read."""

    verdicts: list[Verdict | None]
    grades: list[float | None]


class JudgeModel:
    """The model that judges, and its budget; nothing is started before it is asked. Raises `InputError` if it is not there."""

    def __init__(self, config: Config) -> None:
        assert config.eval.judge is not None
        wanted = config.eval.judge
        purpose = Purpose("eval.judge", wanted.max_tokens, "judge.log", _TOP_LOGPROBS)
        # A verdict that failed must not count as one that could not be read: no request may fail.
        self._model = other_model(config, wanted, purpose)._replace(max_failures=0, budget=None)
        # Greedy and without a penalty: the likeliest letter is wanted; the seed only has to be the same each time.
        greedy = {"temperature": 0.0, "top_p": 1.0, "repetition_penalty": 1.0}
        self._sampling = Sampling(max_tokens=wanted.max_tokens, seed=42, thinking=False, **greedy)
        self.name = wanted.name
        self.budget = Budget(wanted.prompt_price, wanted.completion_price, wanted.max_cost)

    def judge(self, store: Store, contests: Sequence[Contest], submissions: Sequence[Submission] = ()) -> Judgements:
        """All in one go, so that a judge that lidr starts is started once. Raises `RunError` if a request failed for good."""
        requests = [request for contest in contests for request in self.both_orders(contest)]
        requests += [self._request(_GRADE, f"{x.id} [grade]", prompt=x.prompt, answer=x.answer) for x in submissions]
        answers = iter(interrupts.run(ask(store, self._model, requests, "judge", budget=self.budget)))
        verdicts: list[Verdict | None] = []
        for contest in contests:
            if contest.challenger == contest.opponent:
                verdicts.append(Verdict(contest.id, same=True))
                continue
            first, second = next(answers), next(answers)
            read = None if first is None or second is None else (letter(first), letter(second))
            verdicts.append(read and Verdict(contest.id, *read))
        return Judgements(verdicts, [None if answer is None else grade(answer) for answer in answers])

    def both_orders(self, contest: Contest) -> list[Chat]:
        """The requests for a verdict; none where the answers are one text."""
        if contest.challenger == contest.opponent:
            return []
        orders = (contest.challenger, contest.opponent), (contest.opponent, contest.challenger)
        row = f"{contest.id} [{contest.language}, judge]"
        asked = [self._request(_VERDICT, row, prompt=contest.prompt, a=a, b=b) for a, b in orders]
        return [request._replace(top_logprobs=_TOP_LOGPROBS) for request in asked]

    def _request(self, wording: str, row: str, **texts: str) -> Chat:
        # In one pass, so that braces in the texts stay as they are.
        content = re.sub(r"\{(\w+)\}", lambda match: texts[match[1]], wording)
        return Chat(self._model.identity, (Message("user", content),), self._sampling, row=row)


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
        preferred = [x for x in letters if x in ("A", "B")]
        both = [item for item in items if {item.first, item.second} <= {"A", "B"}]
        return cls(
            win=Share(counts["win"], n),
            tie=Share(counts["tie"], n),
            lose=Share(counts["lose"], n),
            win_rate=(counts["win"] + counts["tie"] / 2) / n if n else 0.0,
            consistent=Share(sum(item.first != item.second for item in both), len(both)),
            first_position=Share(letters.count("A"), len(preferred)),
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
