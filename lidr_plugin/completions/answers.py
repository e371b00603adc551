"""Many requests at once through the store, with a bar, and if wanted under a budget: what evaluation asks."""

import asyncio
from collections.abc import Sequence
from typing import TypeVar

from lidr_plugin.completions.budget import Budget
from lidr_plugin.completions.client import Client, Missing, Model
from lidr_plugin.completions.progress import Display, Meter, kept_up
from lidr_plugin.completions.requests import Chat, Completion, Scored
from lidr_plugin.completions.runner import run
from lidr_plugin.completions.steps import Steps
from lidr_plugin.completions.store import Store
from lidr_plugin.errors import LidrError

T = TypeVar("T")


async def ask(
    store: Store, model: Model, requests: Sequence[Chat], what: str, *, budget: Budget | None = None
) -> list[Completion | None]:
    """The answers of one model, whose engine is opened if anything is missing and closed at the end; see `answers`."""
    meter = Meter()
    client = Client(store, {request.weights: model for request in requests[:1]}, meter)
    try:
        return await answers(client, meter, requests, what, budget=budget)
    finally:
        await client.close()


async def all_of(store: Store, model: Model, steps: Sequence[Steps[T]], what: str) -> list[T]:
    """What many generators that ask one model come to, in their order; its engine is opened if anything is missing.

    Raises:
        RunError: a request failed for good; what was answered is kept.
    """
    meter, found = Meter(), list[T]()
    client = Client(store, {model.identity: model}, meter)
    try:
        with Display(what, meter, len(steps), len(steps)) as display:
            async with kept_up(lambda: display.update(len(found))):
                await run(steps, client, found.append, model.concurrency)
    finally:
        await client.close()
    return found


async def answers(
    client: Client, meter: Meter, requests: Sequence[Chat], what: str, *, budget: Budget | None = None
) -> list[Completion | None]:
    """The answers in the order of the requests; what is in the store is not asked. None: the budget had no room for it.

    Args:
        what: a word for the bar.

    Raises:
        RunError: a request failed for good; what was answered is kept.
    """
    done = 0

    async def send(item: Missing) -> Completion:
        answer = await client.complete(item)
        assert isinstance(answer, Completion), "a model without allowed failures raises"
        return answer

    async def one(request: Chat, item: Completion | Scored | Missing) -> Completion | None:
        nonlocal done
        if isinstance(item, Completion):
            answer: Completion | None = item
        else:
            assert isinstance(item, Missing)
            answer = await (budget.pay(request, lambda: send(item)) if budget else send(item))
        done += 1
        return answer

    with Display(what, meter, max(1, len(requests)), max(1, len(requests))) as display:
        found = client.stored(requests)
        for request, item in zip(requests, found, strict=True):
            if budget and isinstance(item, Completion):
                budget.count(request, item)
        try:
            async with kept_up(lambda: display.update(done)), asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(*pair)) for pair in zip(requests, found, strict=True)]
        except* LidrError as errors:
            raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
