"""Scores beside texts: asked by the same generators, stored under the same kind of key, looked after like completions."""

import asyncio
import math
import random
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lidr_plugin as lidr
from lidr_plugin.completions.client import Client, Model
from lidr_plugin.completions.engines.base import Engine
from lidr_plugin.completions.exchange import export, load
from lidr_plugin.completions.progress import Meter
from lidr_plugin.completions.requests import (
    Chat,
    Completion,
    Failure,
    Message,
    Sampling,
    Score,
    Scored,
    key_of,
    request_json,
    score_json,
)
from lidr_plugin.completions.rows import Entry
from lidr_plugin.completions.runner import run
from lidr_plugin.completions.score_rows import ScoreEntry
from lidr_plugin.completions.scores import scored
from lidr_plugin.completions.steps import Answer, ScoreAnswer, Steps, together
from lidr_plugin.completions.store import Store
from lidr_plugin.completions.store_file import _MIGRATIONS
from lidr_plugin.errors import EngineError, RunError
from lidr_plugin.methods.base import Ask
from lidr_plugin.run_directory import RunDirectory
from tests.conftest import prompts, write_config, write_prompts
from tests.support.fake import Fake, values
from tests.support.scoring import Better
from tests.support.server import FakeServer, running

SAMPLING = Sampling(0.7, 1.0, 10, 1.0, 42, False)
TURNS = (Message("user", "hello"),)
SCORE = Score("w", "logprob", TURNS, "hi ✓")
CHANGES = {
    "weights": SCORE._replace(weights="w2"),
    "kind": SCORE._replace(kind="reward"),
    "messages": SCORE._replace(messages=(Message("user", "hello "),)),
    "text": SCORE._replace(text="hi"),
    "layer": SCORE._replace(layer=3),
    "cut": SCORE._replace(cut=True),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_field_of_a_score_is_part_of_its_key(name: str) -> None:
    assert key_of(score_json(CHANGES[name])) != key_of(score_json(SCORE))


def test_no_field_was_forgotten_above_and_the_row_is_left_out() -> None:
    assert set(CHANGES) == set(Score._fields) - {"row"}
    assert score_json(SCORE._replace(row="x")) == score_json(SCORE)


def test_the_key_is_the_same_in_every_version_and_no_completions_key() -> None:
    assert key_of(score_json(SCORE)).hex() == "0fd348274c76c09a7d596fbc93591c63201e7caa2745e052f84ae06c8b8f737c"
    assert "kind" in orjson.loads(score_json(SCORE))
    assert "kind" not in orjson.loads(request_json(Chat("w", TURNS, SAMPLING)))


def test_scores_are_rounded_nowhere_but_in_vectors_which_get_the_length_of_one() -> None:
    assert scored("logprob", (-12.123456789012345, 7)).values == (-12.123456789012345, 7.0)
    vector = scored("embed", (3.0, 4.0)).values
    assert vector == pytest.approx((0.6, 0.8), abs=1e-3)
    assert scored("embed", vector).values == pytest.approx(vector)


WRONG = {
    "no number": ("reward", (math.nan,)),
    "infinite": ("reward", (-math.inf,)),
    "two rewards": ("reward", (1.0, 2.0)),
    "no reward": ("reward", ()),
    "an infinite sum": ("logprob", (-math.inf, 3.0)),
    "no tokens": ("logprob", (-1.0, 0.0)),
    "half a token": ("logprob", (-1.0, 2.5)),
    "more likely than certain": ("logprob", (0.5, 3.0)),
    "a sum alone": ("logprob", (-1.0,)),
    "an empty vector": ("embed", ()),
    "a vector without length": ("embed", (0.0, 0.0)),
    "a vector with a hole": ("embed", (1.0, math.nan)),
    "a vector that is too long to measure": ("embed", (1e308,) * 5),
    "text": ("reward", ("high",)),
    "nothing": ("reward", (None,)),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_score_is_refused_and_never_stored(name: str, tmp_path: Path) -> None:
    kind, found = WRONG[name]
    request = Score("w", kind, TURNS, "hi", row="7 [de]")  # type: ignore[arg-type]
    with Store(tmp_path / "s.sqlite") as store:
        with pytest.raises(RunError, match=rf"7 \[de\]: no {kind} score"):
            asked(store, [one(request)], Fake(lambda _: None, values=lambda _: found))  # type: ignore[arg-type, return-value]
        assert store.scores == 0


def one(request: Score) -> Steps[ScoreAnswer]:
    return (yield request)


def asked(
    store: Store, work: Iterable[Steps[object]], engine: Engine, *, concurrency: int = 4, failures: int = 0
) -> tuple[list[object], Meter]:
    found, meter = list[object](), Meter()

    async def all_of_it() -> None:
        client = Client(store, {"w": Model(engine, concurrency, failures)}, meter)
        await run(work, client, found.append, concurrency)

    asyncio.run(all_of_it())
    return found, meter


ASK = Ask({"policy": "w"})


def best_of(number: int, samples: int = 3) -> Steps[tuple[str, list[ScoreAnswer]]]:
    """Samples of a prompt, each scored as soon as it is there, and two more scores beside the samples."""

    def sample(place: int) -> Steps[ScoreAnswer]:
        turns = [Message("user", f"boat {number}")]
        answer: Answer = yield ask_chat(turns, place)
        assert isinstance(answer, Completion)
        return (yield ASK.score("policy", "logprob", turns, answer.text, row=f"{number}", cut=answer.cut))

    def beside(text: str) -> Steps[ScoreAnswer]:
        return (yield ASK.score("policy", "embed", [], text, row=f"{number}"))

    everything = yield from together(*(sample(n) for n in range(samples)), beside("a boat"), beside(f"boat {number}"))
    return f"boat {number}", everything


def ask_chat(turns: list[Message], place: int) -> Chat:
    return ASK.chat("policy", turns, SAMPLING, sample=place)


def reply(request: Chat) -> Completion:
    return Completion(f"{request.messages[-1].content} #{request.sample}", "stop", 1, 1)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), concurrency=st.integers(1, 9))
def test_the_order_of_answers_does_not_matter(
    seed: int, concurrency: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chance = random.Random(seed)
    folder = tmp_path_factory.mktemp("order")
    with Store(folder / "a.sqlite") as store, Store(folder / "b.sqlite") as other:
        slow = Fake(reply, delay=lambda _: chance.random() / 500)
        mixed, meter = asked(store, (best_of(n) for n in range(6)), slow, concurrency=concurrency)
        plain, _ = asked(other, (best_of(n) for n in range(6)), Fake(reply))
        again, second = asked(store, (best_of(n) for n in range(6)), Fake(lambda _: None, values=lambda _: None))
        assert mixed == plain == again
        assert sorted(store.score_entries()) == sorted(other.score_entries())
    assert (second.generated, second.scores.generated) == (0, 0)
    assert second.scores.reused == 6 * 5
    assert len(set(map(score_json, slow.scored))) == len(slow.scored) == meter.scores.generated == 6 * 4 + 1


def test_a_run_that_goes_on_gives_the_numbers_that_the_first_one_gave(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        first, _ = asked(store, [best_of(0)], Fake(reply))
    with Store(tmp_path / "s.sqlite") as store:
        again, _ = asked(store, [best_of(0)], Fake(lambda _: None, values=lambda _: None))
    assert first == again


def test_a_score_that_fails_is_counted_as_one_and_does_not_end_a_run_that_may_lack_it(tmp_path: Path) -> None:
    def some(request: Score) -> tuple[float, ...] | None:
        return None if request.text == "bad" else values(request)

    with Store(tmp_path / "s.sqlite") as store:
        works = [one(SCORE._replace(text=text, row=text)) for text in ("good", "bad")]
        found, meter = asked(store, works, Fake(lambda _: None, values=some), failures=1)
    assert isinstance(found[0], Scored)
    assert found[1] == Failure("bad: refused")
    assert (meter.scores.generated, meter.scores.failed, meter.failed) == (1, 1, 0)


@pytest.mark.parametrize("layer", [None, 2])
def test_an_engine_that_cannot_give_a_score_is_not_asked(layer: int | None, tmp_path: Path) -> None:
    engine = Fake(reply, scores=frozenset({"logprob"} | ({"embed"} if layer else set())))  # type: ignore[arg-type]
    with Store(tmp_path / "s.sqlite") as store, pytest.raises(EngineError, match="its engine gives no"):
        asked(store, [one(Score("w", "embed", (), "hi", layer))], engine)
    assert not engine.scored


REQUESTS = [
    Score("w", kind, TURNS * (1 + number % 30), f"Antwort {number} ✓ " * (1 + 300 * (number % 5 == 0)), row="x")
    for number in range(40)
    for kind in ("logprob", "reward", "embed")
]
SCORES = [ScoreEntry(score_json(request), request.kind, scored(request.kind, values(request))) for request in REQUESTS]
CHATS = [
    Entry(request_json(Chat("w", TURNS * 20, SAMPLING, sample=n)), Completion(f"Text {n} ", "stop", 3, 2))
    for n in range(60)
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with completions and scores."""
    with Store(tmp_path / "completions.sqlite") as store:
        for place in range(60):
            store.put_many([CHATS[place], *SCORES[2 * place : 2 * place + 2]])
    return tmp_path / "completions.sqlite"


def test_what_is_exported_is_imported(path: Path, tmp_path: Path) -> None:
    done = export(path, tmp_path / "out.jsonl")
    assert (done.written, done.scores, done.lost, done.damage) == (60, 120, [], [])
    target = RunDirectory(tmp_path / "other")
    assert load(target, tmp_path / "out.jsonl")[:3] == (60, 120, 0)
    assert export(target.store, tmp_path / "again.jsonl").scores == 120
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "out.jsonl").read_bytes()
    assert load(target, tmp_path / "out.jsonl")[:3] == (0, 0, 0)
    with Store(target.store) as store:
        assert sorted(store.score_entries()) == sorted(SCORES)
        assert store.get_scores([key_of(score_json(REQUESTS[0]))]) == {
            key_of(score_json(REQUESTS[0])): SCORES[0].scored
        }


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_an_older_store_is_read_as_it_is_and_then_brought_up_to_date(version: int, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "s.sqlite")) as db:
        for script in _MIGRATIONS[:version]:
            db.execute(script)
        db.execute(f"PRAGMA user_version = {version}")
        db.commit()
    with Store(tmp_path / "s.sqlite", read_only=True) as store:
        assert store.get_scores([b"x" * 32]) == {}
        assert (store.scores, list(store.score_entries()), store.verify()) == (0, [], [])
    for _ in range(2):
        with Store(tmp_path / "s.sqlite") as store:
            store.put_many([SCORES[0]])
            assert (store.scores, store.sealed) == (1, True)


def config_with_scores(folder: Path, url: str, **changes: str) -> lidr.Config:
    write_prompts(folder, prompts(4))
    return lidr.load(write_config(folder, engine__base_url=url, **changes))


def test_a_dry_run_counts_the_scores_and_shows_one_and_asks_for_none(tmp_path: Path) -> None:
    server = FakeServer()
    with running(server) as url:
        config = config_with_scores(tmp_path, url)
        dry = lidr.dry_run(config, method=Better(config))
    assert (dry.prompts, dry.requests, dry.scores, dry.server_problem) == (4, 16, 16, None)
    assert [request.kind for request in dry.examples if isinstance(request, Score)] == ["reward"]
    assert [*server.asked, *server.scored, *server.trials] == []
    assert lidr.dry_run(config, method=Better(config)).server_problem, "who gives the scores is looked for as well"


def test_a_report_counts_scores_and_its_page_and_a_merge_add_them_up(tmp_path: Path) -> None:
    with running(FakeServer()) as url:
        config = config_with_scores(tmp_path, url)
        for number in range(2):
            lidr.build_pairs(config, shard=f"{number}/2", method=Better(config))
        merged = lidr.merge(config).report["scores"]
        whole = lidr.load(tmp_path / "lidr.yaml", f"output_dir={tmp_path / 'whole'}")
        report = lidr.build_pairs(whole, method=Better(whole)).report
        again = lidr.build_pairs(whole, method=Better(whole)).report
    assert merged == report["scores"] == {"generated": 16, "reused": 0, "failed": 0, "apart": 0}
    assert again["scores"] == {"generated": 0, "reused": 16, "failed": 0, "apart": 0}
    assert "<b>16</b>scores (16 reused, 0 failed)" in (tmp_path / "whole/report.html").read_text()
