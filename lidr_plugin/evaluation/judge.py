"""The judge of an evaluation, and what many verdicts say; the share of the first position is part of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lidr_plugin.completions.answers import ask
from lidr_plugin.completions.budget import Budget
from lidr_plugin.completions.models import Purpose, other_model
from lidr_plugin.completions.requests import TOP_LOGPROBS, Chat
from lidr_plugin.completions.store import Store
from lidr_plugin.config.schema import Config
from lidr_plugin.evaluation.intervals import Share, percent
from lidr_plugin.machine import interrupts
from lidr_plugin.methods.judge_styles import STYLES
from lidr_plugin.methods.judging import Verdict, grading, sampling
from lidr_plugin.text.grades import grade


class Contest(NamedTuple):
    """Two answers to a prompt; the verdict is the challenger's."""

    id: str
    language: str
    prompt: str
    challenger: str
    opponent: str


class Submission(NamedTuple):
    """An answer that is to be graded, beside a `reference` if there is one."""

    id: str
    prompt: str
    answer: str
    reference: str = ""


class Judgements(NamedTuple):
    """Of each contest and each submission; None where the budget did not reach or no grade could be read."""

    verdicts: list[Verdict | None]
    grades: list[float | None]


class JudgeModel:
    """The model that judges, and its budget; nothing is started before it is asked. Raises `InputError` if it is not there."""

    def __init__(self, config: Config) -> None:
        assert config.eval.judge is not None
        wanted = config.eval.judge
        purpose = Purpose("eval.judge", wanted.max_tokens, "judge.log", TOP_LOGPROBS)
        # A verdict that failed must not count as one that could not be read: no request may fail.
        self._model = other_model(config, wanted, purpose)._replace(max_failures=0, budget=None)
        self._max_tokens = wanted.max_tokens
        self._style = STYLES[wanted.preset]
        self.name = wanted.name
        self.has_reference = wanted.reference is not None
        self.budget = Budget(wanted.prompt_price, wanted.completion_price, wanted.max_cost)

    def judge(self, store: Store, contests: Sequence[Contest], submissions: Sequence[Submission] = ()) -> Judgements:
        """All in one go, so that a judge that lidr starts is started once. Raises `RunError` if a request failed for good."""
        requests = [request for contest in contests for request in self.both_orders(contest)]
        requests += [self._graded(x) for x in submissions]
        answers = iter(interrupts.run(ask(store, self._model, requests, "judge", budget=self.budget)))
        verdicts: list[Verdict | None] = []
        for contest in contests:
            if contest.challenger == contest.opponent:
                verdicts.append(Verdict(contest.id, same=True))
                continue
            first, second = next(answers), next(answers)
            read = None if first is None or second is None else (self._style.read(first), self._style.read(second))
            verdicts.append(read and Verdict(contest.id, *read))
        return Judgements(verdicts, [None if answer is None else grade(answer.text) for answer in answers])

    def both_orders(self, contest: Contest) -> list[Chat]:
        """The requests for a verdict; none where the answers are one text."""
        if contest.challenger == contest.opponent:
            return []
        orders = (contest.challenger, contest.opponent), (contest.opponent, contest.challenger)
        row = f"{contest.id} [{contest.language}, judge]"
        style, drawn = self._style, self._style.sampling(self._max_tokens)
        return [
            Chat(
                self._model.identity,
                style.turns(contest.prompt, a, b),
                drawn,
                row=row,
                top_logprobs=style.top_logprobs,
            )
            for a, b in orders
        ]

    def _graded(self, submission: Submission) -> Chat:
        turn = grading(*submission[1:])
        return Chat(self._model.identity, (turn,), sampling(self._max_tokens), row=f"{submission.id} [grade]")


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
