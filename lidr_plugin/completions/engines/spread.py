"""The servers of one model: who is asked next, what is tried again, and what a failure is to the run."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from lidr_plugin.completions.engines.http import Passing, Refused, Server, retried
from lidr_plugin.errors import EngineError, RequestError
from lidr_plugin.errors.terminal import one_line

_Result = TypeVar("_Result")


class Servers:
    """Spreads requests by who is least busy, and retries what may pass.

    Retried: connection errors, time-outs, answers that cannot be read, 408, 409, 429 and 5xx, with exponential back-off
    and jitter, or as long as `Retry-After` says. Any other 4xx is final.

    Args:
        base_urls: addresses up to and with `/v1`.
        model: the name under which the model is served.
        api_key_env: the environment variable with the key; none is sent if it is unset.
        timeout: seconds for one try.
        max_retries: further tries for one request.
    """

    def __init__(
        self, base_urls: Sequence[str], *, model: str, api_key_env: str, timeout: float, max_retries: int
    ) -> None:
        self.each = [Server(url, key_env=api_key_env, timeout=timeout) for url in base_urls]
        self.model = model
        self.retries = max_retries

    @property
    def heard(self) -> float:
        """When the last answer of any kind came, by `time.monotonic`."""
        return max(server.heard for server in self.each)

    async def check(self, max_tokens: int) -> None:
        """Asks every server which models it serves, and nothing else.

        Args:
            max_tokens: new tokens of the longest answer that will be asked for.

        Raises:
            EngineError: a server does not answer, does not serve the model, or has too short a context.
        """
        for server in self.each:
            async with server:
                self._check(server.url, await server.models(), max_tokens)

    def _check(self, url: str, served: Mapping[str, int | None], max_tokens: int) -> None:
        if self.model not in served:
            raise EngineError(
                f"{url} does not serve {self.model!r}; it serves: {', '.join(served) or 'nothing'}",
                "set engine.model to one of these",
            )
        context = served[self.model]
        if isinstance(context, int) and context <= max_tokens:
            raise EngineError(
                f"{url} has a context of {context} tokens, and answers of {max_tokens} are asked for",
                "lower generation.max_tokens and translation.max_tokens, or give the server a longer context",
            )

    async def asked(self, ask: Callable[[Server], Awaitable[_Result]], row: str, *, score: bool = False) -> _Result:
        """What a server answers, if need be after further tries.

        Args:
            ask: one try.
            row: names the request in errors.
            score: whether it is one for a score.

        Raises:
            RequestError: it was refused, or every try failed.
        """
        last: Server | None = None

        async def send() -> _Result:
            nonlocal last
            # Another server than the one that has just failed, if there is another.
            server = last = min(self.each, key=lambda server: (server is last, server.busy))
            server.busy += 1
            try:
                return await ask(server)
            finally:
                server.busy -= 1

        try:
            return await retried(send, self.retries)
        except Refused as error:
            raise RequestError(f"{one_line(row)}: {error}", advice(error.text, score=score)) from None
        except Passing as error:
            raise RequestError(
                f"{one_line(row)}: {error}",
                "start again when the server is well; what is finished is kept. engine.max_retries, engine.timeout",
            ) from None


def advice(text: str, *, score: bool = False) -> str:
    """What to do about a refusal, by the server's words."""
    if score and ("context length" in text or "max_model_len" in text or "longer than" in text):
        return "a text that is longer than the model's context has no score: engine.max_failures=N lets a run go on without N"
    if "repetition_penalty" in text:
        return "this server has no repetition penalty: set generation.repetition_penalty=1.0 and it is not sent"
    if "context length" in text or "max_tokens" in text or "max_model_len" in text:
        return "lower generation.max_tokens and translation.max_tokens, or give the server a longer context"
    return "engine.max_failures=N lets a run go on without N requests"
