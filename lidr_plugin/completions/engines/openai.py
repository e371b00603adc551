"""Any OpenAI-compatible server (vLLM, SGLang, llama.cpp, a vendor), one or several."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Self

from lidr_plugin.completions.engines.http import Passing, Refused, Server
from lidr_plugin.completions.requests import Chat, Completion
from lidr_plugin.errors import EngineError, RequestError

_LONGEST_WAIT = 60.0


class OpenAI:
    """Spreads requests over servers by who is least busy, and retries what may pass.

    Retried: connection errors, time-outs, answers that cannot be read, 408, 409, 429 and 5xx, with exponential back-off
    and jitter, or as long as `Retry-After` says. Any other 4xx is final.

    Args:
        base_urls: addresses up to and with `/v1`.
        model: the name under which the model is served.
        api_key_env: the environment variable with the key; none is sent if it is unset.
        timeout: seconds for one request.
        max_retries: further tries for one request.
        max_tokens: new tokens of the longest answer that will be asked for; checked against the server's context.
    """

    def __init__(
        self,
        base_urls: Sequence[str],
        *,
        model: str,
        api_key_env: str,
        timeout: float,
        max_retries: int,
        max_tokens: int,
    ) -> None:
        self._servers = [Server(url, key_env=api_key_env, timeout=timeout) for url in base_urls]
        self._model = model
        self._retries = max_retries
        self._max_tokens = max_tokens
        self._open_servers = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Asks every server which models it serves.

        Raises:
            EngineError: a server does not answer, does not serve the model, or has too short a context.
        """
        async with AsyncExitStack() as servers:
            for server in self._servers:
                await servers.enter_async_context(server)
                self._check(server.url, await server.models())
            self._open_servers = servers.pop_all()
        return self

    def _check(self, url: str, served: Mapping[str, int | None]) -> None:
        if self._model not in served:
            raise EngineError(
                f"{url} does not serve {self._model!r}; it serves: {', '.join(served) or 'nothing'}",
                "set engine.model to one of these",
            )
        context = served[self._model]
        if isinstance(context, int) and context <= self._max_tokens:
            raise EngineError(
                f"{url} has a context of {context} tokens, and answers of {self._max_tokens} are asked for",
                "lower generation.max_tokens and translation.max_tokens, or give the server a longer context",
            )

    async def __aexit__(self, *_: object) -> None:
        """Closes the connections."""
        await self._open_servers.aclose()

    async def complete(self, request: Chat) -> Completion:
        """Answers one request.

        Raises:
            RequestError: it was refused, or every try failed; names the row.
        """
        avoided: Server | None = None
        for attempt in range(self._retries + 1):
            server = min(self._servers, key=lambda s: (s is avoided, s.busy))
            server.busy += 1
            try:
                return await self._ask(server, request)
            except Refused as error:
                raise RequestError(f"{request.row}: {error}", self._advice(error.text)) from None
            except Passing as error:
                avoided = server
                if attempt == self._retries:
                    tries = "1 try" if attempt == 0 else f"{attempt + 1} tries"
                    raise RequestError(
                        f"{request.row}: {error} ({tries})",
                        "start again when the server is well; what is finished is kept. engine.max_retries, engine.timeout",
                    ) from None
                wait = error.wait
            finally:
                server.busy -= 1
            if wait is None:
                wait = min(_LONGEST_WAIT, 0.25 * 2**attempt) * random.uniform(0.5, 1.0)
            await asyncio.sleep(wait)
        raise AssertionError("unreachable")

    @staticmethod
    def _advice(text: str) -> str:
        if "repetition_penalty" in text:
            return "this server has no repetition penalty: set generation.repetition_penalty=1.0 and it is not sent"
        if "context length" in text or "max_tokens" in text or "max_model_len" in text:
            return "lower generation.max_tokens and translation.max_tokens, or give the server a longer context"
        return "engine.max_failures=N lets a run go on without N requests"

    async def _ask(self, server: Server, request: Chat) -> Completion:
        """One try; where a server refuses one of vLLM's extensions, it is asked again without it, and that is noted."""
        while True:
            prefill = bool(request.prefill) and server.takes_prefill is not False
            kwargs = server.takes_template_kwargs is not False
            logprobs = request.top_logprobs > 0 and server.gives_logprobs
            try:
                completion = await self._post(server, self._body(request, prefill, kwargs, logprobs), request, prefill)
            except Refused as error:
                if logprobs and "logprobs" in error.text:
                    server.gives_logprobs = False
                elif kwargs and server.takes_template_kwargs is None and "chat_template_kwargs" in error.text:
                    server.takes_template_kwargs = False
                elif prefill and server.takes_prefill is None:
                    server.takes_prefill = False
                else:
                    raise
                continue
            if prefill and server.takes_prefill is None:
                server.takes_prefill = True
            return completion

    def _body(self, request: Chat, prefill: bool, template_kwargs: bool, logprobs: bool) -> dict[str, Any]:
        sampling = request.sampling
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
        body: dict[str, Any] = {
            "model": self._model,
            "messages": messages,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            "seed": sampling.seed + request.sample,
        }
        if sampling.repetition_penalty != 1.0:
            body["repetition_penalty"] = sampling.repetition_penalty
        if logprobs:
            body |= {"logprobs": True, "top_logprobs": request.top_logprobs}
        if template_kwargs:
            body["chat_template_kwargs"] = {"enable_thinking": sampling.thinking}
        if prefill:
            messages.append({"role": "assistant", "content": request.prefill})
            body |= {"add_generation_prompt": False, "continue_final_message": True}
        return body

    async def _post(self, server: Server, body: dict[str, Any], request: Chat, prefill: bool) -> Completion:
        data = await server.chat(body)
        try:
            choice = data["choices"][0]
            usage = data.get("usage") or {}
            text = choice["message"]["content"] or ""
            if not isinstance(text, str):
                raise TypeError
            completion = Completion(
                text=text.removeprefix(request.prefill) if prefill else text,
                finish_reason="length" if choice.get("finish_reason") == "length" else "stop",
                prompt_tokens=int(usage.get("prompt_tokens") or 0),
                completion_tokens=int(usage.get("completion_tokens") or 0),
                prefilled=prefill,
                first_token=_first_token(choice) if request.top_logprobs else None,
            )
            text.encode()
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            raise Passing(f"{server.url}: the answer is not a chat completion") from None
        return completion


def _first_token(choice: dict[str, Any]) -> tuple[tuple[str, float], ...] | None:
    """The likeliest first tokens of an answer, where the server gives them."""
    content = (choice.get("logprobs") or {}).get("content") or []
    tops = content[0].get("top_logprobs") if content else None
    return tuple((str(item["token"]), float(item["logprob"])) for item in tops) if tops else None
