"""Scores from servers: which tokens are measured, what is sent, and what is no score."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from lidr_plugin.completions.engines.base import build_engine, scores_of
from lidr_plugin.completions.engines.capabilities import TRIAL
from lidr_plugin.completions.engines.loading import alone
from lidr_plugin.completions.engines.logprobs import VllmClient
from lidr_plugin.completions.engines.pooling import Pooling
from lidr_plugin.completions.engines.purpose import Purpose
from lidr_plugin.completions.requests import Chat, Message, Need, Sampling, Score, Scored
from lidr_plugin.config.engine import EngineSettings
from lidr_plugin.errors import EngineError, RequestError
from tests.support import scores
from tests.support.replies import refusal, replying, trial
from tests.support.templates import SPECIAL, Template, encode

TURNS = (Message("user", "Hallo"),)
SCORE = Score("w", "logprob", TURNS, "Guten Tag", row="1 [de]")
TEMPLATES = {
    "plain": Template(),
    "a newline after the end": Template(after="\n"),
    "a beginning of its own": Template(bos=True, after="\n"),
    "one that trims": Template(trims=True),
}


def path_of(request: web.Request) -> str:
    return request.path.removeprefix("/v1") if "chat" in request.path else request.path


def measured(
    asked: Sequence[Score], template: Template, change: Any = None, *, retries: int = 0
) -> tuple[list[Scored | RequestError], list[Mapping[str, Any]]]:
    """What a server of vLLM's gives, whose answers `change` may change; and what it was asked."""
    bodies: list[Mapping[str, Any]] = []

    async def reply(request: web.Request, body: Mapping[str, Any]) -> web.StreamResponse:
        if "messages" in body:
            return trial(body)
        bodies.append(body)
        answer = scores.answer(request.path, body)
        return web.json_response(change(answer) if change else answer)

    async def one(engine: VllmClient, request: Score) -> Scored | RequestError:
        try:
            return await engine.score(request)
        except RequestError as error:
            return error

    async def all_of_them() -> list[Scored | RequestError]:
        async with replying(reply, tokenize=template.tokenize) as url:
            known: dict[str, Any] = {"model": "fake", "api_key_env": "LIDR_NO_KEY", "timeout": 5}
            async with VllmClient([url], max_retries=retries, max_tokens=1, **known) as engine:
                return [await one(engine, request) for request in asked]

    return asyncio.run(all_of_them()), bodies


def expected(prompt: list[int], ids: list[int]) -> Scored:
    places = range(len(prompt), len(prompt) + len(ids))
    return Scored((sum(scores.logprob(n, t) for n, t in zip(places, ids, strict=True)), float(len(ids))))


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("cut", [False, True])
def test_the_text_is_measured_from_its_first_token_to_the_end_of_its_turn(name: str, cut: bool) -> None:
    template = TEMPLATES[name]
    (found,), ((body),) = measured([SCORE._replace(cut=cut)], template)
    prompt = encode(template.rendered([TURNS[0]._asdict()], prompt=True))
    ids = encode("Guten Tag") + ([] if cut else [SPECIAL["<end>"]])
    assert found == expected(prompt, ids)
    assert body["prompt"] == prompt + ids, "what stands after the end does not count"
    assert body["prompt"].count(SPECIAL["<bos>"]) == (name == "a beginning of its own")
    assert (body["max_tokens"], body["prompt_logprobs"]) == (1, 0)


def test_a_text_whose_template_rewrites_the_chat_is_measured_apart_and_that_is_counted() -> None:
    template = Template(rewrites=True)
    (found, cut), (body, _) = measured([SCORE, SCORE._replace(cut=True)], template)
    prompt = encode("<user>Hallo<end><assistant><think>")
    assert isinstance(found, Scored)
    assert found == expected(prompt, [*encode("Guten Tag"), SPECIAL["<end>"]])._replace(apart=True)
    assert body["prompt"] == [*prompt, *encode("Guten Tag"), SPECIAL["<end>"]]
    assert isinstance(cut, Scored)
    assert cut.values[1] == found.values[1] - 1


def test_a_text_that_merges_with_its_prompt_is_measured_apart() -> None:
    class Merging(Template):
        def rendered(self, *args: Any, **options: Any) -> str:
            return super().rendered(*args, **options).replace("<assistant>", "<assistant> ")

    (found,), _ = measured([SCORE], Merging())
    assert isinstance(found, Scored)
    assert found.apart
    assert found.values[1] == len(encode("Guten Tag")) + 1


def test_an_empty_text_has_the_end_of_its_turn_alone_and_a_cut_one_nothing() -> None:
    found, _ = measured([SCORE._replace(text=""), SCORE._replace(text="", cut=True)], Template())
    assert isinstance(found[0], Scored)
    assert found[0].values[1] == 1
    assert "1 [de]: a text without a token" in str(found[1])


def test_a_template_without_an_end_is_told() -> None:
    (found,), _ = measured([SCORE], Template(ends=False))
    assert "puts nothing after an answer" in str(found)


def logprobs_of(answer: dict[str, Any]) -> list[Any]:
    found: list[Any] = answer["choices"][0]["prompt_logprobs"]
    return found


def with_logprobs(answer: dict[str, Any], found: Any) -> dict[str, Any]:
    return {**answer, "choices": [{**answer["choices"][0], "prompt_logprobs": found}]}


def changed(answer: dict[str, Any], **entry: Any) -> dict[str, Any]:
    """With another entry for the last token."""
    logprobs_of(answer)[-1] = {name: {"logprob": value} for name, value in entry.items()} or None
    return answer


def with_last(value: Any) -> Any:
    return lambda answer: changed(answer, **{next(iter(logprobs_of(answer)[-1])): value})


NO_LOGPROBS = {
    "none": lambda answer: with_logprobs(answer, None),
    "no choices": lambda answer: {**answer, "choices": []},
    "one too few": lambda answer: with_logprobs(answer, logprobs_of(answer)[:-1]),
    "one too many": lambda answer: with_logprobs(answer, [*logprobs_of(answer), {"7": {"logprob": -1.0}}]),
    "of another token": lambda answer: changed(answer, **{"7": -1.0}),
    "a hole": changed,
    "a text": with_last("-1.0"),
    "null": with_last(None),
    "impossible": with_last(-9999.0),
    "no object": lambda _: [1, 2],
}


@pytest.mark.parametrize("name", NO_LOGPROBS)
def test_an_answer_that_has_no_log_probabilities_for_these_tokens_is_asked_again_and_then_none(name: str) -> None:
    (found,), bodies = measured([SCORE], Template(), NO_LOGPROBS[name], retries=1)
    assert isinstance(found, RequestError)
    assert str(found).startswith("1 [de]: ")
    assert len(bodies) == 2


def pooled(
    asked: Sequence[Score], change: Any = None, wanted: Need = "reward", trials: bool = True
) -> tuple[list[Scored | RequestError], list[Mapping[str, Any]]]:
    """What a pooling server gives, whose answers, to trials too if wanted, `change` may change; and what it was asked."""
    bodies: list[Mapping[str, Any]] = []

    async def reply(request: web.Request, body: Mapping[str, Any]) -> web.StreamResponse:
        tried = TRIAL in str(body) or body.get("input") in scores.TRIALS
        bodies.extend([] if tried else [{"path": request.path, **body}])
        answer = scores.answer(request.path, body)
        found = change(answer) if change and not (tried and not trials) else answer
        return found if isinstance(found, web.Response) else web.json_response(found)

    async def one(engine: Pooling, request: Score) -> Scored | RequestError:
        try:
            return await engine.score(request)
        except RequestError as error:
            return error

    async def all_of_them() -> list[Scored | RequestError]:
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(replying(reply))
            known: dict[str, Any] = {"model": "fake", "api_key_env": "LIDR_NO_KEY", "timeout": 5, "max_retries": 0}
            engine = await stack.enter_async_context(Pooling([url], wanted=frozenset({wanted}), **known))
            return [await one(engine, request) for request in asked]

    return asyncio.run(all_of_them()), bodies


REWARD = SCORE._replace(kind="reward")
EMBED = Score("w", "embed", (), "Guten Tag", row="1 [de]")


def test_a_reward_is_asked_for_raw_in_the_reward_models_own_template() -> None:
    (found,), (body,) = pooled([REWARD])
    assert isinstance(found, Scored)
    assert body == {
        "path": "/pooling",
        "model": "fake",
        "messages": [{"role": "user", "content": "Hallo"}, {"role": "assistant", "content": "Guten Tag"}],
        "add_generation_prompt": False,
        "use_activation": False,
    }


def test_an_embedding_is_that_of_the_text_alone() -> None:
    (found,), (body,) = pooled([EMBED], wanted="embed")
    assert isinstance(found, Scored)
    assert len(found.values) == 5
    assert body == {"path": "/v1/embeddings", "model": "fake", "input": "Guten Tag", "encoding_format": "float"}


NO_REWARD = {
    "two numbers": {"data": [{"data": [1.0, 2.0]}]},
    "no number": {"data": [{"data": []}]},
    "a token's each": {"data": [{"data": [[1.0], [2.0]]}]},
    "a text": {"data": [{"data": ["1.0"]}]},
    "base64": {"data": [{"data": "AACAPw=="}]},
    "two answers": {"data": [{"data": [1.0]}, {"data": [1.0]}]},
    "no answer": {"data": []},
    "no data": {"object": "list"},
    "a list": [1.0],
}


@pytest.mark.parametrize("name", NO_REWARD)
def test_an_answer_that_is_no_reward_is_none(name: str) -> None:
    (found,), _ = pooled([REWARD], lambda _: NO_REWARD[name], trials=False)
    assert isinstance(found, RequestError)
    with pytest.raises(EngineError, match="gives no reward scores"):
        pooled([REWARD], lambda _: NO_REWARD[name])


def test_a_server_that_makes_every_reward_one_is_found_out_before_anything_is_asked() -> None:
    with pytest.raises(EngineError, match="scores every text alike") as caught:
        pooled([REWARD], lambda _: {"data": [{"data": [1.0]}]})
    assert "softmax" in caught.value.hint


def test_a_vector_of_another_length_is_none() -> None:
    (found,), _ = pooled([EMBED], lambda _: {"data": [{"embedding": [1.0, 2.0]}]}, "embed", trials=False)
    assert "2 numbers instead of 5" in str(found)


def test_a_text_longer_than_the_context_fails_and_is_not_cut() -> None:
    words = "This model's maximum context length is 512 tokens"
    (found,), _ = pooled([REWARD], lambda _: refusal(400, words), trials=False)
    assert isinstance(found, RequestError)
    assert "has no score" in found.hint


def test_a_model_that_is_there_for_scores_answers_nothing() -> None:
    engine = Pooling([], model="m", api_key_env="LIDR_NO_KEY", timeout=1, max_retries=0, wanted=frozenset({"reward"}))
    with pytest.raises(EngineError, match="answers nothing"):
        asyncio.run(engine.complete(Chat("w", TURNS, Sampling(0.0, 1.0, 1, 1.0, 0, False))))


@pytest.mark.parametrize(
    ("backend", "wanted", "given"),
    [
        ("openai", [], []),
        ("openai", ["reward"], ["embed", "reward"]),
        ("openai", ["logprob"], []),
        ("vllm", [], ["logprob"]),
        ("vllm", ["logprob"], ["logprob"]),
        ("vllm", ["reward"], ["embed", "reward"]),
    ],
)
def test_what_an_engine_gives_is_known_before_it_is_opened(
    backend: Any, wanted: list[Any], given: list[str], tmp_path: Path
) -> None:
    url = {"base_url": "http://127.0.0.1:9/v1"} if backend == "openai" else {}
    settings = EngineSettings.model_validate({"backend": backend, **url})
    engine = build_engine(
        settings, model="m", purpose=Purpose("k", 1, scores=frozenset(wanted)), log=tmp_path / "vllm.log"
    )
    assert sorted(scores_of(engine)) == given


def test_two_models_of_this_process_are_loaded_one_after_the_other() -> None:
    loading: list[str] = []

    def load(name: str) -> int:
        loading.append(name)
        time.sleep(0.02)
        together = len(loading)
        loading.remove(name)
        return together

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(lambda name: alone(lambda: load(name)), "abcd")) == {1}
