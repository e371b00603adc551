"""A server whose every reply a test writes itself."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

Reply = Callable[[web.Request, Mapping[str, Any]], Awaitable[web.StreamResponse]]
"""From a chat request and its JSON to the answer."""

Tokenize = Callable[[Mapping[str, Any]], list[int]]
"""From what `/tokenize` is asked to the tokens."""


def answer(text: str = "yes", **choice: Any) -> web.Response:
    """A chat completion."""
    found = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop", **choice}
    return web.json_response({"choices": [found], "usage": {"prompt_tokens": 3, "completion_tokens": 1}})


def trial(body: Mapping[str, Any]) -> web.Response:
    """How a server that goes on from a begun answer answers a trial."""
    return answer("U" if body["messages"][-1]["role"] == "assistant" else "P")


def refusal(status: int, words: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """An error as vLLM words it."""
    return web.json_response({"error": {"message": words}}, status=status, headers=headers)


@asynccontextmanager
async def replying(
    reply: Reply, models: web.Response | None = None, tokenize: Tokenize | None = None
) -> AsyncIterator[str]:
    """Serves the model `fake` in this loop; yields the address. Asked for models, it gives `models` if there is one."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request, web.Request)
        if request.path.endswith("/models"):
            return models or web.json_response({"data": [{"id": "fake"}]})
        if request.path.endswith("/tokenize") and tokenize:
            return web.json_response({"tokens": tokenize(json.loads(await request.read()))})
        if request.path.endswith("/tokenize"):
            return web.json_response({"error": "not found"}, status=404)
        return await reply(request, json.loads(await request.read()))

    application = web.Application(client_max_size=1 << 30)
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()
