"""An engine whose samples a test writes down, and a run of `method: rank` with it."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import lidr_plugin as lidr
from lidr_plugin.completions.client import Model
from lidr_plugin.completions.requests import Failure, Need, Score, Scored
from lidr_plugin.completions.steps import Course
from lidr_plugin.dataset.prepare import Prepared
from lidr_plugin.methods.rank import Rank, build
from lidr_plugin.methods.rankers.base import SCORER
from tests.conftest import write_prompts

CUT = "<cut>"
"""At the end of an answer: it stopped at `max_tokens`."""


class Samples:
    """Answers a prompt in a language with its n-th sample; translates by looking it up.

    Attributes:
        answers: by language the samples of the prompts, which end with their number; the greedy answer is under `greedy`.
        translations: by a text and the English name of a language.
        values: what a text scores; None: the request fails.
        judge: what it replies to who asks for a verdict or a grade; None: the request fails.
        asked: all requests, in order.
    """

    identity = "samples-1"
    scores: frozenset[Need] = frozenset({"logprob", "reward", "embed", "layer"})

    def __init__(
        self,
        answers: Mapping[str, Sequence[str]],
        *,
        greedy: Mapping[str, str] | None = None,
        translations: Mapping[tuple[str, str], str] | None = None,
        values: Callable[[Score], Sequence[float] | None] = lambda request: None,
        judge: Callable[[str], str | None] = lambda asked: None,
    ) -> None:
        self.values = values
        self.judge = judge
        self.scored: list[Score] = []
        self.answers = answers
        self.greedy = greedy or {}
        self.translations = translations or {}
        self.asked: list[lidr.Chat] = []

    async def __aenter__(self) -> "Samples":
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def complete(self, request: lidr.Chat) -> lidr.Completion:
        self.asked.append(request)
        return self.answer(request)

    async def score(self, request: Score) -> Scored:
        self.scored.append(request)
        if (found := self.values(request)) is None:
            raise lidr.RequestError(f"{request.row}: refused")
        return Scored(tuple(found))

    def answer(self, request: lidr.Chat) -> lidr.Completion:
        """The answer to a request, without noting it."""
        user = request.messages[-1].content
        if user.startswith("Below are a request"):
            if (reply := self.judge(user)) is None:
                raise lidr.RequestError(f"{request.row}: refused")
            return lidr.Completion(reply, "stop", 1, 1)
        if request.prefill:
            found = re.search(r"into (\w+)\..*<sentence>\n(.*)\n</sentence>", user, re.DOTALL)
            assert found
            text = self.translations[found[2], found[1]] + "\n</translated>"
            return lidr.Completion(text, "stop", 1, 1, True)
        code = user[1:3]
        text = self.greedy[code] if not request.sampling.temperature else self.answers[code][request.sample]
        return lidr.Completion(text.removesuffix(CUT), "length" if text.endswith(CUT) else "stop", 1, 1)


OFF = {"off_target": False, "mixed_script": False, "repetition": False, "length_ratio": False, "fidelity": False}
"""Filters, for answers that are a number and nothing else."""


def config_of(folder: Path, languages: Sequence[str], rank: Mapping[str, Any], **changes: Any) -> lidr.Config:
    """One prompt in English and these languages, and the configuration for it."""
    extra = changes.pop("extra", {})
    rows = changes.pop("rows", [{code: f"[{code}] How many apples?" for code in ("en", *languages)}])
    write_prompts(folder, rows, **extra)
    values = {
        "model_name_or_path": "mine",
        "template": "qwen",
        "languages": list(languages),
        "prompts": str(folder / "prompts/{language}.jsonl"),
        "output_dir": str(folder / "run"),
        "method": "rank",
        "rank": rank,
        "filters": OFF,
        **changes,
    }
    return lidr.configure(**values)


def method_of(config: lidr.Config, scorer: Samples | None) -> Rank:
    """The method with another engine as its scorer."""
    made = build(config, lidr.filters_of(config), {})
    if scorer is None:
        return made
    roles = {SCORER: Model(scorer, 4, 100, "scorer-1")}
    ranker: Any = replace(made.ranker, roles=roles)  # type: ignore[type-var]
    return replace(made, ranker=ranker, roles=roles)


def outcomes(
    config: lidr.Config, engine: Samples, order: Any = None, scorer: Samples | None = None
) -> list[lidr.Outcome]:
    """What the method makes of each prompt, driven without a runner; `order` shuffles the requests that are open."""
    with Prepared(config, method=method_of(config, scorer), engine=engine) as ready:
        method: Any = ready.method
        if survey := method.survey():
            for prompt in ready.prompts:
                survey.add(_driven(survey.steps(prompt, ready.ask), engine, scorer or engine, order))
            method = survey.method()
        return [_driven(method.steps(prompt, ready.ask), engine, scorer or engine, order) for prompt in ready.prompts]


def _answered(request: lidr.Chat, engine: Samples) -> lidr.Completion | Failure:
    try:
        return engine.answer(request)
    except lidr.RequestError as refused:
        return Failure(str(refused))


def _driven(steps: Any, engine: Samples, scorer: Samples, order: Any) -> Any:
    course: Course[Any] = Course(steps)
    open_requests = list(course.wanted)
    course.wanted = []
    while open_requests:
        if order:
            order.shuffle(open_requests)
        branch, request = open_requests.pop()
        if isinstance(request, Score):
            found = (scorer if request.weights == "scorer-1" else engine).values(request)
            course.answer(branch, Failure("refused") if found is None else Scored(tuple(found)))
        else:
            course.answer(branch, _answered(request, scorer if request.weights == "scorer-1" else engine))
        open_requests += course.wanted
        course.wanted = []
    return course.result
