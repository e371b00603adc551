"""Any OpenAI-compatible server (vLLM, SGLang, llama.cpp, a vendor), one or several."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Self

from lidr_plugin.completions.engines.capabilities import capabilities_of
from lidr_plugin.completions.engines.chat_completions import Capabilities, NotEnded, body_of, completion_of
from lidr_plugin.completions.engines.http import Passing, Server
from lidr_plugin.completions.engines.spread import Servers, advice
from lidr_plugin.completions.requests import Chat, Completion
from lidr_plugin.completions.tokens import Ids, Sample
from lidr_plugin.errors import EngineError, RequestError
from lidr_plugin.errors.terminal import one_line


class OpenAI:
    """Asks for chat completions; see `Servers` for who is asked, and what is tried again.

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
        self._servers = Servers(
            base_urls, model=model, api_key_env=api_key_env, timeout=timeout, max_retries=max_retries
        )
        self._model = model
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
            for server in self._servers.each:
                await connections.enter_async_context(server)
                self._capabilities[server] = await capabilities_of(
                    server, self._model, top_logprobs=self._top_logprobs, retries=self._servers.retries
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
        return self._servers.heard

    async def check(self) -> None:
        """Asks every server which models it serves, and nothing else: all that a dry run may do.

        Raises:
            EngineError: a server does not answer, does not serve the model, or has too short a context.
        """
        await self._servers.check(self._max_tokens)

    async def tokens(self, sample: Sample) -> list[Ids]:
        """The tokens of real requests, by every server; empty where one does not tell. It need not be open."""
        bodies = [{"model": self._model, "prompt": text, "add_special_tokens": False} for text in sample.texts]
        options = {"add_generation_prompt": True, "chat_template_kwargs": {"enable_thinking": sample.thinking}}
        bodies += [{"model": self._model, "messages": messages, **options} for messages in sample.messages]
        found = []
        for server in self._servers.each:
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
        return await self._servers.asked(lambda server: self._ask(server, request), request.row)

    async def _ask(self, server: Server, request: Chat) -> Completion:
        takes = self._capabilities[server]
        answer = await server.chat(body_of(request, self._model, takes))
        try:
            return completion_of(answer, request, takes)
        except NotEnded as error:
            if not error.passing:
                raise RequestError(f"{request.row}: {server.url}: {error}", advice("")) from None
            raise Passing(f"{server.url}: {error}") from None
        except ValueError as error:
            raise Passing(f"{server.url}: {error}") from None
