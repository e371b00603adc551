"""Where engine and store meet: what is asked, what is kept, and what ends a run."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

import pytest

from lidr_plugin.completions.client import Client, Missing, Model
from lidr_plugin.completions.progress import Meter
from lidr_plugin.completions.requests import Chat, Completion, Failure, Message, Sampling, SharedChat
from lidr_plugin.completions.rows import Entry
from lidr_plugin.completions.store import Store
from lidr_plugin.errors import EngineError, RunError
from tests.support.fake import Fake

SAMPLING = Sampling(0.0, 1.0, 100, 1.1, 42, False)


def chat(text: str, weights: str = "w") -> Chat:
    return Chat(weights, (Message("user", text),), SAMPLING, row=text)


def echo(request: Chat) -> Completion | None:
    """The request's own text; none for what begins with `bad`."""
    text = request.messages[0].content
    return None if text.startswith("bad") else Completion(text, "stop", 1, 1)


def complete(
    store: Store, models: Mapping[str, Model], requests: Sequence[Chat]
) -> list[Completion | Failure | BaseException]:
    """All at once, as a run does it."""

    async def all_of_them() -> list[Completion | Failure | BaseException]:
        client = Client(store, models, Meter())
        try:
            missing = [item for item in client.stored(requests) if isinstance(item, Missing)]
            return await asyncio.gather(*map(client.complete, missing), return_exceptions=True)
        finally:
            await client.close()

    return asyncio.run(all_of_them())


class Counting(Fake):
    """Counts how often it was entered, left and asked."""

    def __init__(self) -> None:
        super().__init__(echo)
        self.entered = self.left = self.asked = 0

    async def __aenter__(self) -> Self:
        self.entered += 1
        return await super().__aenter__()

    async def complete(self, request: Chat) -> Completion:
        self.asked += 1
        return await super().complete(request)

    async def __aexit__(self, *_: object) -> None:
        self.left += 1


class Broken(Counting):
    """Cannot be opened."""

    async def __aenter__(self) -> Self:
        self.entered += 1
        await asyncio.sleep(0)
        raise EngineError("no model there")


def test_the_failures_of_one_engine_do_not_count_against_another(tmp_path: Path) -> None:
    models = {weights: Model(Fake(echo), 1, 1) for weights in ("v", "w")}
    with Store(tmp_path / "s.sqlite") as store:
        found = complete(store, models, [chat("bad", "v"), chat("bad", "w"), chat("good", "v"), chat("good", "w")])
    assert [type(item) for item in found] == [Failure, Failure, Completion, Completion]


def test_after_the_failure_that_ends_a_run_nothing_is_sent(tmp_path: Path) -> None:
    engine = Counting()
    with Store(tmp_path / "s.sqlite") as store:
        found = complete(store, {"w": Model(engine, 2, 0)}, [chat(f"bad {i}") for i in range(20)])
    assert all(isinstance(item, RunError) for item in found)
    assert engine.asked == 2, "as many as were under way"


def test_an_engine_is_opened_once_for_all_and_closed_at_the_end(tmp_path: Path) -> None:
    used, unused = Counting(), Counting()
    with Store(tmp_path / "s.sqlite") as store:
        complete(store, {"w": Model(used, 4, 0), "v": Model(unused, 4, 0)}, [chat(str(i)) for i in range(10)])
    assert (used.entered, used.left, used.asked) == (1, 1, 10)
    assert (unused.entered, unused.left) == (0, 0)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_an_engine_that_cannot_be_opened_is_tried_once(concurrency: int, tmp_path: Path) -> None:
    engine = Broken()
    with Store(tmp_path / "s.sqlite") as store:
        found = complete(store, {"w": Model(engine, concurrency, 0)}, [chat(str(i)) for i in range(10)])
    assert {str(item) for item in found} == {"no model there"}
    assert (engine.entered, engine.left, engine.asked) == (1, 0, 0)


class Transactions(Store):
    """Counts its transactions."""

    count = 0

    def put_many(self, entries: Iterator[Entry] | Sequence[Entry]) -> int:
        self.count += 1
        return super().put_many(entries)


def test_answers_that_come_together_share_a_transaction_and_are_stored_before_they_are_handed_on(
    tmp_path: Path,
) -> None:
    async def ask(store: Store) -> list[bool]:
        client = Client(store, {"w": Model(Fake(echo), 100, 0)}, Meter())

        async def stored_when_answered(item: Completion | Missing) -> bool:
            assert isinstance(item, Missing)
            answer = await client.complete(item)
            return store.get_many([item.key]) == {item.key: answer}

        return await asyncio.gather(*map(stored_when_answered, client.stored([chat(str(i)) for i in range(100)])))

    with Transactions(tmp_path / "s.sqlite") as store:
        assert all(asyncio.run(ask(store)))
        assert len(store) == 100
        assert store.count < 10


def test_a_shared_request_is_asked_once_and_counted_once(tmp_path: Path) -> None:
    request, engine, meter = SharedChat(*chat("the request")), Counting(), Meter()

    async def twice(store: Store) -> list[Completion | Missing]:
        client = Client(store, {"w": Model(engine, 4, 0)}, meter)
        try:
            missing = [item for item in client.stored([request] * 3) if isinstance(item, Missing)]
            await asyncio.gather(*map(client.complete, missing))
            return client.stored([request, request, chat("the request")])
        finally:
            await client.close()

    with Store(tmp_path / "s.sqlite") as store:
        assert asyncio.run(twice(store)) == [Completion("the request", "stop", 1, 1)] * 3
        assert (engine.asked, meter.generated, meter.reused) == (1, 1, 1), "reused is the one that is not shared"
        assert asyncio.run(twice(store))
        assert (engine.asked, meter.generated, meter.reused) == (1, 1, 3)
