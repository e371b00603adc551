"""A judge at work: it compares answers in both orders and grades them, through the store and under its budget."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lidr_plugin import files
from lidr_plugin.completions.budget import Budget, ask
from lidr_plugin.completions.models import other_model
from lidr_plugin.completions.requests import Chat
from lidr_plugin.completions.store import Store
from lidr_plugin.config.schema import Config
from lidr_plugin.evaluation import judge
from lidr_plugin.evaluation.benchmarks.base import MarkedAnswer
from lidr_plugin.evaluation.intervals import grouped
from lidr_plugin.evaluation.judge import Verdict, Verdicts
from lidr_plugin.evaluation.results import HeadToHead


class Contest(NamedTuple):
    """Two answers to a prompt; the verdict is the challenger's."""

    id: str
    language: str
    prompt: str
    challenger: str
    opponent: str

    @property
    def differs(self) -> bool:
        """Whether there is anything to judge."""
        return self.challenger != self.opponent


class Submission(NamedTuple):
    """An answer that is to be graded."""

    id: str
    prompt: str
    answer: str


class Judgements(NamedTuple):
    """Of each contest and each submission; None where the budget did not reach or no grade could be read."""

    verdicts: list[Verdict | None]
    grades: list[int | None]


class JudgeModel:
    """The model that judges, and its budget; nothing is started before it is asked. Raises `InputError` if it is not there."""

    def __init__(self, config: Config) -> None:
        assert config.eval.judge is not None
        wanted = config.eval.judge
        # A verdict that failed must not count as one that could not be read: no request may fail.
        self._model = other_model(config, wanted, "eval.judge", wanted.max_tokens, "judge.log")._replace(max_failures=0)
        self._max_tokens = wanted.max_tokens
        self.name = wanted.name
        self.budget = Budget(wanted.prompt_price, wanted.completion_price, wanted.max_cost)

    @classmethod
    def of(cls, config: Config) -> "JudgeModel | None":
        """As a configuration wants it; None if it does not."""
        return cls(config) if config.eval.judge else None

    def judge(self, store: Store, contests: Sequence[Contest], submissions: Sequence[Submission] = ()) -> Judgements:
        """All in one go, so that a judge that lidr starts is started once. Raises `RunError` if a request failed for good."""
        requests = [request for contest in contests if contest.differs for request in self._both_orders(contest)]
        weights, longest = self._model.identity, self._max_tokens
        requests += [
            judge.grade_request(x.prompt, x.answer, weights=weights, max_tokens=longest, row=f"{x.id} [grade]")
            for x in submissions
        ]
        answers = iter(asyncio.run(ask(store, self._model, requests, "judge", budget=self.budget)))
        verdicts: list[Verdict | None] = []
        for contest in contests:
            if not contest.differs:
                verdicts.append(Verdict(contest.id, same=True))
                continue
            first, second = next(answers), next(answers)
            whole = None if first is None or second is None else (judge.letter(first), judge.letter(second))
            verdicts.append(whole and Verdict(contest.id, *whole))
        return Judgements(verdicts, [None if answer is None else judge.grade(answer) for answer in answers])

    def _both_orders(self, contest: Contest) -> list[Chat]:
        orders = (contest.challenger, contest.opponent), (contest.opponent, contest.challenger)
        weights, longest, row = self._model.identity, self._max_tokens, f"{contest.id} [{contest.language}, judge]"
        return [
            judge.verdict_request(contest.prompt, a, b, weights=weights, max_tokens=longest, row=row) for a, b in orders
        ]


def head_to_head(
    model: JudgeModel, store: Store, answers: Mapping[str, Sequence[MarkedAnswer]], folder: Path
) -> HeadToHead:
    """Each model's answers to the same questions against the first model's, by language; writes the verdicts to `folder`."""
    (baseline, known), *others = answers.items()
    contests = [
        (label, Contest(new.question.id, new.question.language, new.question.text, new.text.text, old.text.text))
        for label, items in others
        for new, old in zip(items, known, strict=True)
    ]
    verdicts = model.judge(store, [contest for _, contest in contests]).verdicts
    places = [(label, contest.language) for label, contest in contests]
    results: dict[str, dict[str, Verdicts]] = {label: {} for label, _ in others}
    for (label, code), items in grouped(zip(places, verdicts, strict=True)).items():
        results[label][code] = Verdicts.of(items)
        with files.replacing(folder / f"{label}-{baseline}.judged.{code}.jsonl") as file:
            file.writelines(files.dump_line({**x._asdict(), "outcome": x.outcome}) for x in items)
    return HeadToHead(
        judge=model.name,
        against=baseline,
        cost=round(model.budget.spent, 6),  # a sum of floats has more digits than meaning
        complete=not model.budget.exhausted,
        warning=judge.warning([verdict for verdict in verdicts if verdict]),
        pairs=len(contests),
        results=results,
    )
