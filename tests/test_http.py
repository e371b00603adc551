"""One server over HTTP: its address, its key, its models, and how long to wait for it."""

import asyncio
import email.utils
import time
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web

from lidr_plugin.completions.engines.http import Passing, Server, retried, retry_after
from lidr_plugin.errors import EngineError, InputError
from tests.support.replies import answer, replying

KEY = "LIDR_TEST_KEY"


class Noting:
    """Notes the headers of chat requests."""

    def __init__(self) -> None:
        self.headers: list[Mapping[str, str]] = []

    async def __call__(self, request: web.Request, body: Mapping[str, Any]) -> web.StreamResponse:
        self.headers.append(request.headers)
        return answer()


def headers_of_a_request() -> Mapping[str, str]:
    """What a request sends."""

    async def send() -> None:
        async with replying(noting) as url, Server(url, key_env=KEY, timeout=5) as server:
            await server.models()
            await server.chat({"messages": []})

    noting = Noting()
    asyncio.run(send())
    return noting.headers[0]


def models(url: str) -> Mapping[str, int | None]:
    async def ask() -> Mapping[str, int | None]:
        async with Server(url, key_env=KEY, timeout=5) as server:
            return await server.models()

    return asyncio.run(ask())


def test_the_key_is_sent_and_without_one_nothing_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Authorization" not in headers_of_a_request()
    monkeypatch.setenv(KEY, "secret\n")
    assert headers_of_a_request()["Authorization"] == "Bearer secret"


def test_a_key_that_no_header_can_have_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "sec\nret")
    with pytest.raises(InputError, match=f"{KEY} is no key: it has a line break in it") as raised:
        models("http://127.0.0.1:9/v1")
    assert "sec" not in raised.value.message.replace(KEY, "")


def test_a_proxy_is_used_for_other_machines_only(monkeypatch: pytest.MonkeyPatch) -> None:
    async def models_through_a_proxy(url: str | None) -> Mapping[str, int | None]:
        async with replying(Noting()) as proxy:
            monkeypatch.setenv("http_proxy", proxy.removesuffix("/v1"))
            async with Server(url or proxy, key_env=KEY, timeout=5) as server:
                return await server.models()

    monkeypatch.setenv("no_proxy", "inside.invalid")
    assert asyncio.run(models_through_a_proxy("http://model.invalid/v1")) == {"fake": None}
    with pytest.raises(EngineError, match="no server answers"):
        asyncio.run(models_through_a_proxy("http://inside.invalid/v1"))

    async def own_models_beside_a_dead_proxy() -> Mapping[str, int | None]:
        async with replying(Noting()) as url:
            monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
            async with Server(url, key_env=KEY, timeout=5) as server:
                return await server.models()

    assert asyncio.run(own_models_beside_a_dead_proxy()) == {"fake": None}
    with pytest.raises(EngineError, match="no server answers"):
        models("http://model.invalid/v1")


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8000/v1", "localhost:8000", "ftp://x/v1", "http:///v1", "http://[::1/v1", "https://"]
)
def test_what_is_no_address_is_told(url: str) -> None:
    with pytest.raises(EngineError, match="is no address of a server") as raised:
        models(url)
    assert "http://127.0.0.1:8000/v1" in raised.value.hint


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(EngineError, match="do not belong") as raised:
        models("http://name:word@127.0.0.1:9/v1")
    assert "word@" not in raised.value.message


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "http://a..b/v1", "http://x.invalid/v1", "http://x:99999/v1"])
def test_where_no_server_answers_is_told(url: str) -> None:
    with pytest.raises(EngineError) as raised:
        models(url)
    assert raised.value.message.startswith(f"no server answers at {url}")


@pytest.mark.parametrize(
    ("reply", "words", "hint"),
    [
        (lambda: web.Response(status=401), "answered 401", KEY),
        (lambda: web.Response(status=404), "answered 404", "/v1"),
        (lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:9/"}), "answered 302", "/v1"),
        (lambda: web.Response(text="<html>"), "no list of models", "/v1"),
        (lambda: web.json_response([1]), "no list of models", "/v1"),
        (lambda: web.json_response({"data": [{}]}), "no list of models", "/v1"),
    ],
)
def test_what_is_no_list_of_models_is_told(reply: Any, words: str, hint: str) -> None:
    async def ask() -> None:
        async with replying(Noting(), reply()) as url, Server(url, key_env=KEY, timeout=5) as server:
            await server.models()

    with pytest.raises(EngineError, match=words) as raised:
        asyncio.run(ask())
    assert hint in raised.value.hint


def test_retry_after_is_a_number_or_a_date() -> None:
    assert retry_after("2") == 2
    assert retry_after("-1") == retry_after("nan") == 0
    assert retry_after("1e9") == 600
    assert retry_after(email.utils.formatdate(time.time() + 30, usegmt=True)) == pytest.approx(30, abs=2)
    assert retry_after(None) is retry_after("") is retry_after("soon") is None


def test_what_fails_in_passing_is_sent_again_until_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    waits = iter([None, 7.0, *[None] * 10])

    async def send() -> str:
        for wait in waits:
            raise Passing("busy", wait)
        return "there"

    assert asyncio.run(retried(send, 12)) == "there"
    assert pauses[1] == 7, "as long as the server said"
    assert 0.125 <= pauses[0] <= 0.25
    assert 30 <= pauses[-1] <= 60
    waits = iter([None])
    with pytest.raises(Passing, match=r"busy \(1 try\)"):
        asyncio.run(retried(send, 0))
