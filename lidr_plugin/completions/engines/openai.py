"""Any OpenAI-compatible server (vLLM, SGLang, llama.cpp, a vendor), one or several."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Self

from lidr_plugin.completions.engines.capabilities import capabilities_of
from lidr_plugin.completions.engines.chat_completions import Capabilities, NotEnded, body_of, completion_of
from lidr_plugin.completions.engines.http import Passing, Refused, Server, retried
from lidr_plugin.completions.requests import Chat, Completion
from lidr_plugin.completions.tokens import Ids, Sample
from lidr_plugin.errors import EngineError, RequestError
from lidr_plugin.errors.terminal import one_line


class OpenAI:
    """Spreads requests over servers by who is least busy, and retries what may pass.

    Retried: connection errors, time-outs, answers that cannot be read, 408, 409, 429 and 5xx, with exponential back-off
    and jitter, or as long as `Retry-After` says. Any other 4xx is final.

    Args:
        base_urls: addresses up to and with `/v1`.
        model: the name under which the model is served.
        api_key_env: the environment variable with the key; none is sent if it is unset.
        timeout: seconds for one try.
        max_retries: further tries for one request.
        max_tokens: new tokens of the longest answer that will be asked for; checked against the server's context.
        top_logprobs: the most that a request will ask for; the servers are asked for it at the start.
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
        top_logprobs: int = 0,
    ) -> None:
        self._servers = [Server(url, key_env=api_key_env, timeout=timeout) for url in base_urls]
        self._model = model
        self._retries = max_retries
        self._max_tokens = max_tokens
        self._top_logprobs = top_logprobs
        self._capabilities: dict[Server, Capabilities] = {}
        self._connections = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Checks every server, and finds out what it can do.

        Raises:
            EngineError: as `check` does, or a server refuses requests of any kind.
        """
        await self.check()
        async with AsyncExitStack() as connections:
            for server in self._servers:
                await connections.enter_async_context(server)
                self._capabilities[server] = await capabilities_of(
                    server, self._model, top_logprobs=self._top_logprobs, retries=self._retries
                )
                await server.settle(self._model)
            self._connections = connections.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes the connections."""
        await self._connections.aclose()

    @property
    def heard(self) -> float:
        """When the last answer of any kind came, by `time.monotonic`."""
        return max(server.heard for server in self._servers)

    async def check(self) -> None:
        """Asks every server which models it serves, and nothing else: all that a dry run may do.

        Raises:
            EngineError: a server does not answer, does not serve the model, or has too short a context.
        """
        for server in self._servers:
            async with server:
                self._check(server.url, await server.models())

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

    async def tokens(self, sample: Sample) -> list[Ids]:
        """The tokens of real requests, by every server; empty where one does not tell. It need not be open."""
        bodies = [{"model": self._model, "prompt": text, "add_special_tokens": False} for text in sample.texts]
        options = {"add_generation_prompt": True, "chat_template_kwargs": {"enable_thinking": sample.thinking}}
        bodies += [{"model": self._model, "messages": messages, **options} for messages in sample.messages]
        found = []
        for server in self._servers:
            ids: Ids = []
            async with server.apart() as connection:
                for body in bodies:
                    if (told := await connection.tokens(body)) is None:
                        return []
                    ids.append(told)
            found.append(ids)
        return found

    async def complete(self, request: Chat) -> Completion:
        """Answers one request.

        Raises:
            RequestError: it was refused, or every try failed; names the row.
            EngineError: it asks for more log-probabilities than the engine was made for.
        """
        if request.top_logprobs > self._top_logprobs:
            raise EngineError(
                f"{one_line(request.row)}: asks for {request.top_logprobs} log-probabilities of a token, and its engine was made "
                f"for {self._top_logprobs}",
                "give the engine top_logprobs when it is made: whether a server has them is found out at the start",
            )
        last: Server | None = None

        async def send() -> Completion:
            nonlocal last
            # Another server than the one that has just failed, if there is another.
            server = last = min(self._servers, key=lambda server: (server is last, server.busy))
            server.busy += 1
            try:
                return await self._ask(server, request)
            finally:
                server.busy -= 1

        try:
            return await retried(send, self._retries)
        except Refused as error:
            raise RequestError(f"{one_line(request.row)}: {error}", _advice(error.text)) from None
        except Passing as error:
            raise RequestError(
                f"{one_line(request.row)}: {error}",
                "start again when the server is well; what is finished is kept. engine.max_retries, engine.timeout",
            ) from None

    async def _ask(self, server: Server, request: Chat) -> Completion:
        takes = self._capabilities[server]
        answer = await server.chat(body_of(request, self._model, takes))
        try:
            return completion_of(answer, request, takes)
        except NotEnded as error:
            if not error.passing:
                raise RequestError(f"{request.row}: {server.url}: {error}", _advice("")) from None
            raise Passing(f"{server.url}: {error}") from None
        except ValueError as error:
            raise Passing(f"{server.url}: {error}") from None


def _advice(text: str) -> str:
    """What to do about a refusal, by the server's words."""
    if "repetition_penalty" in text:
        return "this server has no repetition penalty: set generation.repetition_penalty=1.0 and it is not sent"
    if "context length" in text or "max_tokens" in text or "max_model_len" in text:
        return "lower generation.max_tokens and translation.max_tokens, or give the server a longer context"
    return "engine.max_failures=N lets a run go on without N requests"
