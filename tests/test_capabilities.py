"""What a server can do is found out by a few trial requests, and by nothing that happens later."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import pytest
from aiohttp import web

from lidr_plugin.completions.engines.capabilities import TRIAL, capabilities_of
from lidr_plugin.completions.engines.chat_completions import Capabilities
from lidr_plugin.completions.engines.http import Server
from lidr_plugin.errors import EngineError
from tests.support.replies import Reply, answer, refusal, replying, trial

FIELDS = {
    "template_kwargs": ("chat_template_kwargs",),
    "logprobs": ("logprobs", "top_logprobs"),
    "prefill": ("add_generation_prompt", "continue_final_message"),
}
LACKING = [names for count in range(4) for names in combinations(FIELDS, count)]


def learn(reply: Reply, *, top_logprobs: int = 5, retries: int = 2) -> Capabilities:
    async def found() -> Capabilities:
        async with replying(reply) as url, Server(url, key_env="LIDR_NO_KEY", timeout=5) as server:
            return await capabilities_of(server, "fake", top_logprobs=top_logprobs, retries=retries)

    return asyncio.run(found())


class Picky:
    """Refuses the fields of some capabilities: all that it finds by name, only the first, or in words that say nothing."""

    def __init__(self, lacking: Sequence[str], words: str) -> None:
        self.refused = [field for name in lacking for field in FIELDS[name]]
        self.words = words
        self.asked: list[Mapping[str, Any]] = []

    async def __call__(self, request: web.Request, body: Mapping[str, Any]) -> web.Response:
        self.asked.append(body)
        found = [field for field in self.refused if field in body]
        if not found:
            return trial(body)
        named = {"all": ", ".join(found), "first": found[0], "none": "something", "echo": str(body)}[self.words]
        return refusal(400, f"not supported: {named}")


@pytest.mark.parametrize("words", ["all", "first", "none", "echo"])
@pytest.mark.parametrize("lacking", LACKING, ids=lambda names: "+".join(names) or "nothing")
def test_whatever_a_server_lacks_is_found_out(lacking: tuple[str, ...], words: str) -> None:
    server = Picky(lacking, words)
    assert learn(server) == Capabilities(**{name: name not in lacking for name in FIELDS})
    named = words == "first" or (words == "all" and len(lacking) == 1)
    assert len(server.asked) <= (1 + len(lacking) if named or not lacking else 5)
    for body in server.asked:
        assert body["messages"][0] == {"role": "user", "content": TRIAL}
        assert body["max_tokens"] == 1
        assert (body["messages"][-1]["role"] == "assistant") == ("continue_final_message" in body)


@pytest.mark.parametrize(
    ("said", "goes_on"),
    [
        ("U", True),
        (" U", True),
        ("u", True),
        (", U, V", True),
        ("P, Q, R, S, T, U", True),  # some repeat the begun answer
        ("A, B, C, D, E, F", False),
        ("P", False),
        ("Sure! U is next.", False),
        ("Understood", False),
        ("T, U", False),
        ("", False),
    ],
)
def test_a_server_that_takes_a_begun_answer_and_does_not_go_on_from_it_is_found_out(said: str, goes_on: bool) -> None:
    asked = []

    async def say(request: web.Request, body: Mapping[str, Any]) -> web.Response:
        asked.append(body)
        return answer(said)

    assert learn(say).prefill is goes_on
    assert len(asked) == (1 if goes_on else 3)


def test_a_slip_of_the_model_does_not_cost_the_prefill() -> None:
    said = iter(["A", "U"])

    async def say(request: web.Request, body: Mapping[str, Any]) -> web.Response:
        return answer(next(said))

    assert learn(say) == Capabilities()


def test_log_probabilities_are_tried_only_where_a_request_may_ask_for_them() -> None:
    server = Picky([], "none")
    assert learn(server, top_logprobs=0) == Capabilities(logprobs=False)
    assert not any("logprobs" in body for body in server.asked)
    learn(server, top_logprobs=20)
    assert server.asked[-1]["top_logprobs"] == 20


def test_a_failure_that_passes_says_nothing_about_what_a_server_can_do() -> None:
    asked = 0

    async def busy_at_first(request: web.Request, body: Mapping[str, Any]) -> web.Response:
        nonlocal asked
        asked += 1
        return refusal((429, 500)[asked - 1], "busy", {"Retry-After": "0"}) if asked <= 2 else trial(body)

    assert learn(busy_at_first) == Capabilities()
    assert asked == 3


def test_a_key_that_is_not_taken_is_not_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(request: web.Request, body: Mapping[str, Any]) -> web.Response:
        return refusal(401, "wrong key", {})

    monkeypatch.setenv("LIDR_NO_KEY", "sk-of-another-server")
    with pytest.raises(EngineError) as raised:
        learn(refuse)
    assert "the key in LIDR_NO_KEY is not taken here" in raised.value.hint


@pytest.mark.parametrize(
    ("status", "words", "hint"),
    [
        (401, "no key", "export the key as LIDR_NO_KEY"),
        (403, "wrong key", "export the key as LIDR_NO_KEY"),
        (404, "no such path", "/v1"),
        (400, "there is no chat template", "instruct model"),
        (503, "loading", "start again"),
    ],
)
def test_a_server_that_refuses_everything_is_told_at_the_start(status: int, words: str, hint: str) -> None:
    async def refuse(request: web.Request, body: Mapping[str, Any]) -> web.Response:
        return refusal(status, words, {"Retry-After": "0"})

    with pytest.raises(EngineError) as raised:
        learn(refuse)
    assert str(status) in raised.value.message
    assert hint in raised.value.hint
    if status < 500:
        assert words in raised.value.message
