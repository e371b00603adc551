"""Requests to OpenAI-compatible servers: what is sent, what is tried again, and what is final."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web

from lidr_plugin.completions.engines.capabilities import TRIAL
from lidr_plugin.completions.engines.openai import OpenAI
from lidr_plugin.completions.requests import Chat, Completion, Message, Sampling
from lidr_plugin.errors import EngineError, RequestError
from tests.support.replies import Reply, answer, refusal, replying, trial

SAMPLING = Sampling(0.0, 1.0, 100, 1.1, 42, False)
PLAIN = Chat("w", (Message("user", "hello"),), SAMPLING, row="1 [en]")
PREFILLED = PLAIN._replace(prefill="<translated>\n", row="1 [en->de]")


class Replies:
    """Answers requests as a test wants it, and trial requests well.

    Attributes:
        asked: the requests that were no trials.
    """

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self.asked: list[Mapping[str, Any]] = []

    async def __call__(self, request: web.Request, body: Mapping[str, Any]) -> web.StreamResponse:
        if body["messages"][0]["content"] == TRIAL:
            return trial(body)
        self.asked.append(body)
        return await self._reply(request, body)


async def friendly(request: web.Request, body: Mapping[str, Any]) -> web.StreamResponse:
    return answer("fine")


def ask(
    servers: Sequence[Reply], requests: Sequence[Chat], *, timeout: float = 5, retries: int = 1, top_logprobs: int = 0
) -> list[Completion | RequestError | EngineError]:
    """One after another; what fails is in its place."""

    async def one(engine: OpenAI, request: Chat) -> Completion | RequestError | EngineError:
        try:
            return await engine.complete(request)
        except (RequestError, EngineError) as error:
            return error

    async def all_of_them() -> list[Completion | RequestError | EngineError]:
        async with AsyncExitStack() as stack:
            urls = [await stack.enter_async_context(replying(server)) for server in servers]
            engine = OpenAI(
                urls,
                model="fake",
                api_key_env="LIDR_NO_KEY",
                timeout=timeout,
                max_retries=retries,
                max_tokens=100,
                top_logprobs=top_logprobs,
            )
            async with engine:
                return [await one(engine, request) for request in requests]

    return asyncio.run(all_of_them())


def test_a_refused_request_changes_nothing_for_those_after_it() -> None:
    async def refuse_the_first(request: web.Request, body: Mapping[str, Any]) -> web.StreamResponse:
        return refusal(400, "maximum context length is 512") if len(server.asked) == 1 else answer("Hallo</translated>")

    server = Replies(refuse_the_first)
    first, second = ask([server], [PREFILLED, PREFILLED])
    assert isinstance(first, RequestError)
    assert "1 [en->de]: the server refused it (400): maximum context length is 512" in first.message
    assert "longer context" in first.hint
    assert second == Completion("Hallo</translated>", "stop", 3, 1, prefilled=True)
    assert [body["messages"][-1]["role"] for body in server.asked] == ["assistant", "assistant"]
    assert all(body["continue_final_message"] for body in server.asked)


def test_what_a_server_lacks_is_left_out_of_every_request() -> None:
    async def plain(request: web.Request, body: Mapping[str, Any]) -> web.StreamResponse:
        refused = "chat_template_kwargs" in body or "continue_final_message" in body
        asked.append(body)
        return refusal(400, "unknown field") if refused else answer("Hallo")

    asked: list[Mapping[str, Any]] = []
    (found,) = ask([plain], [PREFILLED])
    assert found == Completion("Hallo", "stop", 3, 1, prefilled=False)
    assert asked[-1]["messages"] == [{"role": "user", "content": "hello"}]


async def disconnect(request: web.Request, body: Mapping[str, Any]) -> web.StreamResponse:
    assert request.transport
    request.transport.abort()
    return web.Response()


async def half(request: web.Request, body: Mapping[str, Any]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"choices": ')
    assert request.transport
    request.transport.close()
    return response


async def drip(request: web.Request, body: Mapping[str, Any]) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(100):
        await response.write(b" ")
        await asyncio.sleep(0.05)
    return response


async def long_header(request: web.Request, body: Mapping[str, Any]) -> web.StreamResponse:
    return web.Response(text="{}", headers={"X-Long": "x" * 20_000})


async def no_gzip(request: web.Request, body: Mapping[str, Any]) -> web.StreamResponse:
    return web.Response(body=b"not compressed", headers={"Content-Encoding": "gzip"})


def replies_with(body: bytes, status: int = 200) -> Reply:
    async def reply(request: web.Request, _: Mapping[str, Any]) -> web.StreamResponse:
        return web.Response(body=body, status=status, headers={"Retry-After": "0"})

    return reply


PASSING: dict[str, tuple[Reply, str]] = {
    "the connection is cut": (disconnect, "the connection failed"),
    "half an answer": (half, "the connection failed"),
    "an answer that never ends": (drip, "no answer in 0.5 s"),
    "a header without end": (long_header, "the connection failed"),
    "not what the header says": (no_gzip, "the connection failed"),
    "no JSON": (replies_with(b"<html>"), "not JSON"),
    "no UTF-8": (replies_with(b'{"choices": [{"message": {"content": "\xff"}}]}'), "not JSON"),
    "half a character": (replies_with(rb'{"choices": [{"message": {"content": "\ud83d"}}]}'), "not JSON"),
    "no choices": (replies_with(b'{"choices": []}'), "not a chat completion"),
    "a number for a text": (replies_with(b'{"choices": [{"message": {"content": 7}}]}'), "not a chat completion"),
    "a list": (replies_with(b"[1]"), "not a chat completion"),
    "429": (replies_with(b"slow down", 429), "the server answered 429"),
    "408": (replies_with(b"", 408), "the server answered 408"),
    "503": (replies_with(b"loading", 503), "the server answered 503"),
}


@pytest.mark.parametrize("what", PASSING)
def test_what_may_pass_is_tried_again_and_then_told(what: str) -> None:
    reply, words = PASSING[what]
    server = Replies(reply)
    (found,) = ask([server], [PLAIN], timeout=0.5)
    assert isinstance(found, RequestError)
    assert "1 [en]: http://127.0.0.1:" in found.message
    assert words in found.message
    assert "(2 tries)" in found.message
    assert len(server.asked) == 2


@pytest.mark.parametrize("what", PASSING)
def test_after_what_has_passed_the_answer_is_there(what: str) -> None:
    async def once(request: web.Request, body: Mapping[str, Any]) -> web.StreamResponse:
        return await PASSING[what][0](request, body) if len(server.asked) == 1 else answer("fine")

    server = Replies(once)
    assert ask([server], [PLAIN], timeout=0.5) == [Completion("fine", "stop", 3, 1)]


def test_a_redirect_is_not_followed() -> None:
    async def elsewhere(request: web.Request, body: Mapping[str, Any]) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect("http://127.0.0.1:9/v1/chat/completions")

    server = Replies(elsewhere)
    (found,) = ask([server], [PLAIN], retries=5)
    assert isinstance(found, RequestError)
    assert "refused it (307)" in found.message
    assert len(server.asked) == 1


def test_a_server_that_fails_leaves_the_work_to_the_other() -> None:
    sick, well = Replies(replies_with(b"", 500)), Replies(friendly)
    found = ask([sick, well], [PLAIN] * 4)
    assert found == [Completion("fine", "stop", 3, 1)] * 4
    assert len(sick.asked) <= 4
    assert len(well.asked) == 4


def test_log_probabilities_are_sent_for_only_by_an_engine_made_for_them() -> None:
    async def letters(request: web.Request, body: Mapping[str, Any]) -> web.StreamResponse:
        tops = [{"token": "A", "logprob": -0.5}, {"token": "B", "logprob": -1.0}][: body["top_logprobs"]]
        return answer("A", logprobs={"content": [{"token": "A", "top_logprobs": tops}]})

    server = Replies(letters)
    wanted = PLAIN._replace(top_logprobs=2)
    assert ask([server], [wanted], top_logprobs=2) == [
        Completion("A", "stop", 3, 1, first_token=(("A", -0.5), ("B", -1.0)))
    ]
    (refused,) = ask([Replies(friendly)], [wanted], top_logprobs=1)
    assert isinstance(refused, EngineError)
    assert "asks for 2 log-probabilities" in refused.message


def test_a_check_asks_for_the_models_alone() -> None:
    asked: list[str] = []

    async def note(request: web.Request, body: Mapping[str, Any]) -> web.StreamResponse:
        asked.append(request.path)
        return answer()

    async def check() -> None:
        async with replying(note) as url:
            engine = OpenAI([url], model="fake", api_key_env="LIDR_NO_KEY", timeout=5, max_retries=0, max_tokens=100)
            await engine.check()

    asyncio.run(check())
    assert not asked
