"""Servers of reward models and sentence encoders: `/pooling` as vLLM has it, and `/v1/embeddings`."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, Self

from lidr_plugin.completions.engines.chat_completions import BEGUN, TRIAL
from lidr_plugin.completions.engines.http import Passing, Refused, Server, retried
from lidr_plugin.completions.engines.spread import Servers
from lidr_plugin.completions.requests import Chat, Completion, Message, Need, Score, Scored
from lidr_plugin.errors import EngineError
from lidr_plugin.errors.terminal import one_line

_TRIALS = (BEGUN, "No.")
"""Two answers to the trial of a reward model: what finds them equally good finds everything so."""
_HINTS: dict[Need, str] = {
    "reward": "a reward model in vLLM: `vllm serve MODEL --runner pooling`; one server for one model",
    "embed": "a sentence encoder in vLLM: `vllm serve MODEL --runner pooling`, or a vendor's /v1/embeddings",
}


class Pooling:
    """Gives rewards and embeddings; see `Servers` for who is asked, and what is tried again.

    Args:
        base_urls: addresses up to and with `/v1`.
        wanted: what will be asked for, which each server is tried with at the start.
    """

    scores: frozenset[Need] = frozenset({"reward", "embed"})

    def __init__(
        self,
        base_urls: Sequence[str],
        *,
        model: str,
        api_key_env: str,
        timeout: float,
        max_retries: int,
        wanted: frozenset[Need],
    ) -> None:
        self._servers = Servers(
            base_urls, model=model, api_key_env=api_key_env, timeout=timeout, max_retries=max_retries
        )
        self._model = model
        self._wanted = wanted
        self._length: int | None = None
        self._connections = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Checks every server, and tries it.

        Raises:
            EngineError: as `check` does, or a server gives no such scores.
        """
        await self.check()
        async with AsyncExitStack() as connections:
            for server in self._servers.each:
                await connections.enter_async_context(server)
                await self._try(server)
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
        """Asks every server which models it serves, and nothing else. Raises `EngineError` as `Servers.check` does."""
        await self._servers.check(0)

    async def complete(self, request: Chat) -> Completion:
        """Raises `EngineError`: such a server writes nothing."""
        raise EngineError(f"{one_line(request.row)}: {self._model} gives scores and answers nothing")

    async def score(self, request: Score) -> Scored:
        """The raw reward of a text, or its embedding.

        Raises:
            RequestError: it was refused, as a text longer than the context is, or every try failed; names the row.
        """
        return await self._servers.asked(lambda server: self._ask(server, request), request.row, score=True)

    async def _try(self, server: Server) -> None:
        for need in sorted(self._wanted & self.scores):
            turns = (Message("user", TRIAL),) if need == "reward" else ()
            trials = [Score("", "reward" if need == "reward" else "embed", turns, text) for text in _TRIALS]
            try:
                first, second = [
                    await retried(lambda trial=trial: self._ask(server, trial), self._servers.retries)  # type: ignore[misc]
                    for trial in trials
                ]
            except (Refused, Passing) as error:
                raise EngineError(f"{server.url} gives no {need} scores: {error}", _HINTS[need]) from None
            if first == second:
                raise EngineError(
                    f"{server.url} scores every text alike ({need})",
                    "does it apply a softmax to the one number of a reward model? `use_activation: false` was sent",
                )

    async def _ask(self, server: Server, request: Score) -> Scored:
        turns = [message._asdict() for message in (*request.messages, Message("assistant", request.text))]
        if request.kind == "reward":
            body = {"messages": turns, "add_generation_prompt": False, "use_activation": False}
            answer = await server.post("/pooling", {"model": self._model, **body})
        else:
            body = {"input": request.text, "encoding_format": "float"}
            answer = await server.post("/v1/embeddings", {"model": self._model, **body})
        try:
            values = _values(answer, "data" if request.kind == "reward" else "embedding")
            self._check_length(request, len(values))
            return Scored(values)
        except ValueError as error:
            raise Passing(f"{server.url}: {error}") from None

    def _check_length(self, request: Score, length: int) -> None:
        if request.kind == "embed":
            self._length = self._length or length
        expected = 1 if request.kind == "reward" else self._length
        if length != expected:
            raise ValueError(f"the answer has {length} numbers instead of {expected}")


def _values(answer: Any, name: str) -> tuple[float, ...]:
    """The numbers of the one answer. Raises `ValueError` where there are none."""
    try:
        (item,) = answer["data"]
        found = item[name]
        values = tuple([float(value) for value in found if type(value) in (int, float)])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ValueError(f"the answer has no list of numbers ({name})") from None
    if len(values) != len(found):
        raise ValueError(f"the answer has no list of numbers ({name})")
    return values
