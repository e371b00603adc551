"""What a run would send, asking nothing."""

from collections.abc import Hashable, Iterator
from typing import NamedTuple

from lidr_plugin.completions.client import Model
from lidr_plugin.completions.requests import Chat, Completion, Request, Score, Scored
from lidr_plugin.completions.steps import Course
from lidr_plugin.completions.store import Store
from lidr_plugin.dataset.prepare import Prepared
from lidr_plugin.errors import EngineError
from lidr_plugin.machine import interrupts
from lidr_plugin.run_directory import RunDirectory


class DryRun(NamedTuple):
    """What a run would send.

    Attributes:
        requests, scores: at most, second tries aside.
        stored: what is in the store already, in words.
        examples: of the first prompt, one request of each kind, with a made-up answer wherever one needs another's answer.
        server_problem: a server that is not there; the rest is worth seeing all the same.
    """

    run: RunDirectory
    prompts: int
    requests: int
    scores: int
    stored: str
    examples: list[Request]
    server_problem: EngineError | None


def dry_run(ready: Prepared) -> DryRun:
    """Asks nothing and writes nothing."""
    stored = "0 completions"
    if ready.run.store.exists() and ready.run.store.stat().st_size:  # a killed run may leave an empty file
        with Store(ready.run.store, read_only=True) as store:
            stored = store.contents
    problem = None
    try:
        interrupts.run(_check_servers(ready.models))
    except EngineError as error:
        problem = error
    kinds = {_kind_of(request): request for request in reversed(list(_asked(ready)))}
    return DryRun(
        run=ready.run,
        prompts=len(ready.prompts),
        requests=ready.requests_at_most(),
        scores=ready.scores_at_most(),
        stored=stored,
        examples=list(reversed(kinds.values())),
        server_problem=problem,
    )


async def _check_servers(models: dict[str, Model]) -> None:
    """Asks servers that run already what they serve; starts none."""
    from lidr_plugin.completions.engines.openai import OpenAI
    from lidr_plugin.completions.engines.pooling import Pooling

    for model in models.values():
        if isinstance(model.engine, OpenAI | Pooling):
            await model.engine.check()


def _kind_of(request: Request) -> Hashable:
    """What makes two requests alike for somebody who looks at examples."""
    if isinstance(request, Score):
        return request.weights, request.kind, request.layer
    return request.weights, bool(request.prefill), request.sampling


def _placeholder(request: Request) -> Completion | Scored:
    if isinstance(request, Chat):
        # Several answers to one prompt differ, or nobody would put them in order.
        number = f" {request.sample + 1}" if request.sample else ""
        return Completion(f"(the model's answer{number})", "stop", 0, 0, prefilled=bool(request.prefill))
    return Scored((-1.0, 1.0) if request.kind == "logprob" else (1.0,))


def _asked(ready: Prepared) -> Iterator[Request]:
    """All requests of the first prompt, each answered with a placeholder."""
    course = Course(ready.method.steps(next(iter(ready.prompts)), ready.ask))
    while course.wanted:
        wanted, course.wanted = course.wanted, []
        for branch, request in wanted:
            yield request
            course.answer(branch, _placeholder(request))
