"""Answers against answers: a judge compares pairs of texts in both orders, through the store and under its budget."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lidr_plugin import files
from lidr_plugin.completions.answers import ask
from lidr_plugin.completions.budget import Budget
from lidr_plugin.completions.client import Model
from lidr_plugin.completions.engines.base import build_engine
from lidr_plugin.completions.engines.weights import weights_of
from lidr_plugin.completions.requests import Chat, Completion
from lidr_plugin.completions.store import Store
from lidr_plugin.config.evaluation import Judge
from lidr_plugin.config.schema import Config
from lidr_plugin.evaluation import judge
from lidr_plugin.evaluation.intervals import shares
from lidr_plugin.evaluation.judge import LETTERS_SEEN
from lidr_plugin.run_directory import RunDirectory


class Asked(NamedTuple):
    """One question in one language, as it is sent."""

    id: str
    language: str
    instruction: str
    sent: str
    expected: str


class Said(NamedTuple):
    """A model's answer to a question of a benchmark; `cut` where it stopped at max_tokens."""

    bench: str
    asked: Asked
    text: str
    cut: bool


class Pair(NamedTuple):
    """Two answers to a prompt; the verdict is the challenger's."""

    id: str
    language: str
    prompt: str
    challenger: str
    other: str


class Graded(NamedTuple):
    """An answer to be graded."""

    id: str
    prompt: str
    answer: str


class Bench:
    """A judge at work: its engine, its weights' identity and what it has cost."""

    def __init__(self, config: Config, judge: Judge, run: RunDirectory, store: Store) -> None:
        self._store = store
        self._judge = judge
        self._weights = weights_of(judge, judge.name, "main", key="eval.judge")
        engine = build_engine(
            judge,
            model=judge.name,
            trust_remote_code=config.trust_remote_code,
            log=run.path / "judge.log",
            max_tokens=judge.max_tokens,
            top_logprobs=LETTERS_SEEN,
        )
        self._lane = Model(engine, judge.concurrency, 0)
        self.budget = Budget(judge.prompt_price, judge.completion_price, judge.max_cost)

    async def work(
        self, pairs: Sequence[Pair], texts: Sequence[Graded] = ()
    ) -> tuple[list[judge.Judged | None], list[int | None]]:
        """The verdicts on each pair and the grades, 0 to 10, of each text; None where the budget did not reach.

        All in one go, so that a judge that lidr starts is started once. A grade that cannot be read is None too.
        """
        differing = [pair for pair in pairs if pair.challenger != pair.other]
        requests = [request for pair in differing for request in self._both_orders(pair)]
        requests += [
            judge.grade_request(
                x.prompt, x.answer, weights=self._weights, max_tokens=self._judge.max_tokens, row=f"{x.id} [grade]"
            )
            for x in texts
        ]
        answers = iter(await ask(self._store, self._lane, requests, "judge", budget=self.budget))
        found: list[judge.Judged | None] = []
        for pair in pairs:
            if pair.challenger == pair.other:
                found.append(judge.Judged(pair.id, same=True))
                continue
            first, second = next(answers), next(answers)
            whole = first is not None and second is not None
            found.append(judge.Judged(pair.id, _letter(first), _letter(second)) if whole else None)
        return found, [None if answer is None else judge.grade(answer) for answer in answers]

    def _both_orders(self, pair: Pair) -> list[Chat]:
        orders = (pair.challenger, pair.other), (pair.other, pair.challenger)
        row = f"{pair.id} [{pair.language}, judge]"
        return [
            judge.verdict_request(pair.prompt, a, b, weights=self._weights, max_tokens=self._judge.max_tokens, row=row)
            for a, b in orders
        ]


def _letter(answer: Completion | None) -> str | None:
    return None if answer is None else judge.letter(answer)


def head_to_head(config: Config, run: RunDirectory, store: Store, said: Mapping[str, Sequence[Said]]) -> dict[str, Any]:
    """Each model's answers to `eval.prompts` against the first model's, by language; writes the verdicts beside them."""
    assert config.eval.judge is not None
    bench = Bench(config, config.eval.judge, run, store)
    answered = {label: [x for x in items if x.bench == "prompts"] for label, items in said.items()}
    (baseline, known), *others = answered.items()
    pairs = {
        label: [
            Pair(new.asked.id, new.asked.language, new.asked.instruction, new.text, old.text)
            for new, old in zip(items, known, strict=True)
        ]
        for label, items in others
    }
    found = asyncio.run(bench.work([pair for items in pairs.values() for pair in items]))[0]
    verdicts = iter(found)
    results: dict[str, Any] = {}
    for label, items in pairs.items():
        by_language: dict[str, list[judge.Judged]] = {}
        for pair, verdict in zip(items, verdicts):  # noqa: B905 (the verdicts go on with the next model's)
            if verdict is not None:
                by_language.setdefault(pair.language, []).append(verdict)
        results[label] = {}
        for code, judged in by_language.items():
            with files.replacing(run.eval_results.parent / f"{label}-{baseline}.judged.{code}.jsonl") as file:
                file.writelines(files.dump_line({**x._asdict(), "outcome": x.outcome}) for x in judged)
            results[label][code] = shares(judge.outcome(judged))
    return {
        "judge": config.eval.judge.name,
        "against": baseline,
        "cost": round(bench.budget.spent, 6),
        "complete": not bench.budget.exhausted,
        "warning": judge.warning([verdict for verdict in found if verdict]),
        "pairs": sum(map(len, pairs.values())),
        "results": results,
    }
