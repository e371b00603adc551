"""The pipeline in process, with the fake engine: any prompts, any order of answers, any concurrency."""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lidr_plugin.completions import progress
from lidr_plugin.completions.answers import answers
from lidr_plugin.completions.client import Client, Missing, Model
from lidr_plugin.completions.progress import Meter
from lidr_plugin.completions.requests import Chat, Completion, Failure, Message, Sampling, request_json
from lidr_plugin.completions.runner import run
from lidr_plugin.completions.steps import Answer, Steps, together
from lidr_plugin.completions.store import Store
from lidr_plugin.errors import RunError, StoreError
from lidr_plugin.methods.base import Ask, Outcome, Preference
from lidr_plugin.methods.filters import identical, length_ratio, repetition, request_failed, truncated, usable
from lidr_plugin.methods.imbalance import Imbalance
from lidr_plugin.methods.language_pairs import LanguagePairs
from lidr_plugin.methods.responses import Responder
from lidr_plugin.methods.translation import TEMPLATE, Translator
from lidr_plugin.methods.translation_prompts import TranslationPrompts
from lidr_plugin.prompts.prompt import Prompt, PromptText
from tests.support import model, oracle
from tests.support.fake import Fake

LANGUAGES = ("de", "es")
SAMPLING = Sampling(0.0, 1.0, 100, 1.1, 42, False)


def method(policy: str = "one") -> Imbalance:
    translator = Translator(sampling=SAMPLING, template=TEMPLATE, retries=1, skip_cut=True)
    responder = Responder(dominant="en", sampling=SAMPLING, system=None, template=None, translator=translator)
    return Imbalance(
        dominant="en",
        languages=LANGUAGES,
        responder=responder,
        dominant_pairs=policy,
        language_pairs=LanguagePairs(0.0, 0, "en", lambda _, __: True, []),
        translation_prompts=TranslationPrompts("drop", lambda _: False),
        filters=[request_failed, truncated, usable, identical, repetition, length_ratio(0.2, 5.0)],
        answer_filter="none",
        roles={},
    )


ASK = Ask({"policy": "w", "translator": "w"})


def answer(request: Chat) -> Completion:
    messages = [{"role": message.role, "content": message.content} for message in request.messages]
    text, finish = model.answer(messages)
    return Completion(text, finish, 1, 1, bool(request.prefill))


def settle_all(
    prompts: Sequence[dict[str, str]],
    engine: Fake,
    store: Store,
    *,
    policy: str = "one",
    concurrency: int = 8,
    max_failures: int = 0,
) -> tuple[list[Outcome], Meter]:
    texts = ({code: PromptText(text) for code, text in row.items()} for row in prompts)
    works = (method(policy).steps(Prompt(i, str(i), text), ASK) for i, text in enumerate(texts))
    meter, settled = Meter(), list[Outcome]()
    generator = Client(store, {"w": Model(engine, concurrency, max_failures)}, meter)
    asyncio.run(run(works, generator, settled.append, concurrency))
    return settled, meter


TEXTS = st.text(min_size=1, max_size=30).filter(str.strip)
ROWS = st.lists(st.fixed_dictionaries(dict.fromkeys(("en", *LANGUAGES), TEXTS)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, policy=st.sampled_from(["one", "all", "last", "none"]), concurrency=st.integers(1, 9))
def test_any_prompts_give_what_the_definitions_give(rows: list[dict[str, str]], policy: str, concurrency: int) -> None:
    marked = [{code: f"[{code}] {text}" for code, text in row.items()} for row in rows]
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "s.sqlite") as store:
        engine = Fake(answer, delay=lambda request: model.digest(request.messages[0].content) % 3 / 1000)
        settled, meter = settle_all(marked, engine, store, policy=policy, concurrency=concurrency)
        again, second = settle_all(marked, Fake(lambda _: None), store, policy=policy)
    pairs, rejected = oracle.expected(marked, LANGUAGES, policy=policy, judge=oracle.judge)
    found = [pair for item in settled for pair in item.rows if isinstance(pair, Preference)]
    assert [(p.id, p.language, p.chosen.text, p.rejected.text) for p in found] == [
        (p["id"], p["language"], p["chosen"], p["rejected"]) for p in pairs
    ]
    lost = [item for each in settled for item in each.drops]
    assert [(drop.row.id, drop.row.language, drop.reason) for drop in lost] == [
        (r["id"], r["language"], r["reason"]) for r in rejected
    ]
    assert again == settled
    assert second.generated == 0
    assert meter.generated == len(set(map(request_json, engine.seen)))


def rows(count: int) -> list[dict[str, str]]:
    return [{code: f"[{code}] boat {i}" for code in ("en", *LANGUAGES)} for i in range(count)]


def test_equal_requests_in_flight_are_asked_once(tmp_path: Path) -> None:
    engine = Fake(answer, delay=lambda _: 0.01)
    with Store(tmp_path / "s.sqlite") as store:
        settle_all([rows(1)[0]] * 20, engine, store)
    assert len(engine.seen) == len(set(map(request_json, engine.seen)))


class Slow(Fake):
    """Takes its time to start, and to answer."""

    def __init__(self) -> None:
        super().__init__(answer, delay=lambda _: 0.3)

    async def __aenter__(self) -> Self:
        await asyncio.sleep(0.5)
        return self


def test_each_stage_counts_from_its_own_start_and_says_what_it_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_LINE_EVERY", 0.0)

    async def ask_thrice(store: Store) -> None:
        meter = Meter()
        generator = Client(store, {"w": Model(Slow(), 2, 0)}, meter)
        for name, count in (("a", 5), ("b", 3), ("b", 4)):
            asked = [Chat("w", (Message("user", f"{name}{i}"),), SAMPLING, row=f"{name}{i}") for i in range(count)]
            await answers(generator, meter, asked, name)

    with Store(tmp_path / "s.sqlite") as store:
        asyncio.run(ask_thrice(store))
    lines = capsys.readouterr().err.splitlines()
    stages = {name: [line for line in lines if f"{name}," in f"{line.split(',')[0]},"] for name in ("/5", "/3", "/4")}
    for stage in stages.values():
        done = [int(line.split("/")[0].split()[1]) for line in stage]
        assert done == sorted(done)
    assert [stage[-1].split(",")[0] for stage in stages.values()] == ["a: 5/5", "b: 3/3", "b: 4/4"]
    assert [any("starting the engine" in line for line in stage) for stage in stages.values()] == [True, False, False]
    assert not [line for line in lines if "about -" in line]
    assert not [line for line in stages["/4"][:-1] if "left" in line], (
        "three of four were in the store: no time is known"
    )


def test_a_translation_is_asked_for_before_all_responses_are_there(tmp_path: Path) -> None:
    slow = "[es] boat 0"
    engine = Fake(answer, delay=lambda request: 0.3 if request.messages[0].content == slow else 0.0)
    with Store(tmp_path / "s.sqlite") as store:
        settle_all(rows(5), engine, store)
    order = [request.messages[0].content for request in engine.seen]
    assert order[-1] == slow or "<sentence>" in order[-1]
    assert any("<sentence>" in content for content in order[: order.index(slow)])


class Late(Fake):
    """Answers one request only after four hundred others."""

    async def complete(self, request: Chat) -> Completion:
        async with asyncio.timeout(300):
            while request.messages[0].content == "[en] boat 0" and len(self.seen) <= 400:
                await asyncio.sleep(0.001)
        return await super().complete(request)


def test_what_is_under_way_is_bounded_and_one_slow_answer_does_not_stop_the_rest(tmp_path: Path) -> None:
    engine = Late(answer)
    with Store(tmp_path / "s.sqlite") as store:
        settled, _ = settle_all(rows(400), engine, store, concurrency=2)
    assert [item.position for item in settled] == list(range(400))
    late = [request.messages[0].content for request in engine.seen].index("[en] boat 0")
    assert late > 400, "the others went on meanwhile"


def test_the_requests_that_wait_are_bounded_however_many_a_prompt_has(tmp_path: Path) -> None:
    class Many:
        """Forty samples of every prompt."""

        def steps(self, number: int) -> Steps[int]:
            def one(sample: int) -> Steps[Answer]:
                return (yield Chat("w", (Message("user", f"boat {number}"),), SAMPLING, sample=sample))

            return len((yield from together(*(one(sample) for sample in range(40)))))

    waiting, most = 0, 0

    class Counting(Client):
        """Counts the requests that wait for an answer."""

        async def complete(self, missing: Missing) -> Completion | Failure:
            nonlocal waiting, most
            waiting += 1
            most = max(most, waiting)
            try:
                return await super().complete(missing)
            finally:
                waiting -= 1

    found = list[int]()
    with Store(tmp_path / "s.sqlite") as store:
        client = Counting(store, {"w": Model(Fake(lambda _: Completion("yes", "stop", 1, 1)), 4, 0)}, Meter())
        asyncio.run(run((Many().steps(number) for number in range(50)), client, found.append, 4))
    assert found == [40] * 50
    assert most <= 2 * 4 + 64 + 40, "a prompt may be begun as long as there is room, and then has all its requests"


@pytest.mark.parametrize("allowed", [0, 3])
def test_more_failures_than_may_be_end_the_run(allowed: int, tmp_path: Path) -> None:
    def failing(request: Chat) -> Completion | None:
        return None if request.messages[0].content.startswith("[de]") else answer(request)

    with Store(tmp_path / "s.sqlite") as store, pytest.raises(RunError, match=r"\[de\]"):
        settle_all(rows(10), Fake(failing), store, max_failures=allowed)


def test_a_store_that_cannot_be_written_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise StoreError("the disk is full")

    with Store(tmp_path / "s.sqlite") as store:
        monkeypatch.setattr(store, "put_many", full)
        with pytest.raises(StoreError, match="disk is full"):
            settle_all(rows(10), Fake(answer), store)


def _parts_only(limit: int) -> Callable[[Chat], Completion]:
    """A model that translates short texts only: what is longer than `limit` is cut."""

    def reply(request: Chat) -> Completion:
        content = request.messages[0].content
        if "<sentence>" not in content:
            return Completion("\n\n".join(f"Paragraph number {i} of the answer." for i in range(6)), "stop", 1, 1)
        text = content.split("<sentence>\n")[1].split("\n</sentence>")[0]
        if len(text) > limit:
            return Completion(text[:limit], "length", 1, 1, True)
        return Completion(text.upper() + "\n</translated>", "stop", 1, 1, True)

    return reply


def test_a_long_text_that_is_cut_is_translated_in_parts(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        settled, _ = settle_all(rows(1), Fake(_parts_only(130)), store, policy="none")
    (pair, _) = settled[0].rows
    assert pair.chosen.text == "\n\n".join(f"PARAGRAPH NUMBER {i} OF THE ANSWER." for i in range(6))
    with Store(tmp_path / "t.sqlite") as store:
        settled, _ = settle_all(rows(1), Fake(_parts_only(50)), store, policy="none")
    assert {drop.reason for drop in settled[0].drops} == {"truncated"}
