"""What a run would send, asking nothing."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from lidr_plugin.completions.client import Model
from lidr_plugin.completions.requests import Chat, Completion, Request, Score, Scored
from lidr_plugin.completions.steps import Course
from lidr_plugin.completions.store import Store
from lidr_plugin.dataset.estimate import Estimate, Speed, estimate
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
        estimate: what the whole run takes.
    """

    run: RunDirectory
    prompts: int
    requests: int
    scores: int
    stored: str
    examples: list[Request]
    server_problem: EngineError | None
    estimate: Estimate | None = None


def dry_run(ready: Prepared, speed: Speed | None = None) -> DryRun:
    """Asks nothing and writes nothing.

    Args:
        speed: of the engine, as far as it is known.
    """
    kinds = {_kind_of(request): request for request in reversed(list(_asked(ready)))}
    return DryRun(
        run=ready.run,
        prompts=len(ready.prompts),
        requests=ready.requests_at_most(),
        scores=ready.scores_at_most(),
        stored=stored_in(ready.run),
        examples=list(reversed(kinds.values())),
        estimate=estimated(ready, speed),
        server_problem=problem_of(ready.models),
    )


def stored_in(run: RunDirectory) -> str:
    """What a run's store holds, in words."""
    with _store_of(run) as store:
        return store.contents if store else "0 completions"


@contextmanager
def _store_of(run: RunDirectory) -> Iterator[Store | None]:
    if run.store.exists() and run.store.stat().st_size:  # a killed run may leave an empty file
        with Store(run.store, read_only=True) as store:
            yield store
    else:
        yield None


def problem_of(models: dict[str, Model]) -> EngineError | None:
    """What is wrong with a server that should run."""
    try:
        interrupts.run(_check_servers(models))
    except EngineError as error:
        return error
    return None


async def _check_servers(models: dict[str, Model]) -> None:
    """Asks servers that run already what they serve; starts none."""
    from lidr_plugin.completions.engines.openai import OpenAI
    from lidr_plugin.completions.engines.pooling import Pooling

    for model in models.values():
        if isinstance(model.engine, OpenAI | Pooling):
            await model.engine.check()


def estimated(ready: Prepared, speed: Speed | None) -> Estimate:
    """What the whole run takes, by what its store has."""
    with _store_of(ready.run) as store:
        return estimate(ready, store, speed)


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
