"""The log-probability of a given text, by the routes that vLLM has beside OpenAI's."""

from typing import Any

from lidr_plugin.completions.engines.http import Passing, Server
from lidr_plugin.completions.engines.openai import OpenAI
from lidr_plugin.completions.engines.turns import TRIAL_TURNS, Turn, end_of_turn, turn_apart, turn_of
from lidr_plugin.completions.requests import Message, Need, Score, Scored
from lidr_plugin.errors import RequestError
from lidr_plugin.errors.terminal import one_line

_IMPOSSIBLE = -9999.0
"""What vLLM says in place of the logarithm of 0."""


class VllmClient(OpenAI):
    """Asks a server of vLLM's, which also says how likely it finds a given text."""

    scores: frozenset[Need] = frozenset({"logprob"})
    _end: int | None = None

    async def score(self, request: Score) -> Scored:
        """The log-probability of the text as the answer.

        Raises:
            RequestError: it was refused, as a text longer than the context is, or every try failed; names the row.
        """
        if self._end is None:
            self._end = await self._servers.asked(self._end_of_turn, request.row, score=True)
        end = self._end
        return await self._servers.asked(lambda server: self._measure(server, request, end), request.row, score=True)

    async def _end_of_turn(self, server: Server) -> int:
        begun = await self._tokens(server, list(TRIAL_TURNS), continue_final_message=True)
        end = end_of_turn(begun, await self._tokens(server, list(TRIAL_TURNS)))
        if end is None:
            hint = "only the text of a turn that ends can be scored: give the tokenizer a chat template that ends turns"
            raise RequestError(f"{server.url}: the chat template puts nothing after an answer", hint)
        return end

    async def _measure(self, server: Server, request: Score, end: int) -> Scored:
        turn = await self._turn(server, request, end)
        if not turn.measured:
            raise RequestError(f"{one_line(request.row)}: a text without a token has no log-probability")
        ids = turn.prompt + turn.measured
        body = {"model": self._model, "prompt": ids, "max_tokens": 1, "temperature": 0.0, "prompt_logprobs": 0}
        answer = await server.post("/v1/completions", body)
        try:
            found = _logprobs(answer, ids)[len(turn.prompt) :]
        except ValueError as error:
            raise Passing(f"{server.url}: {error}") from None
        return Scored((sum(found), float(len(found))), turn.apart)

    async def _turn(self, server: Server, request: Score, end: int) -> Turn:
        asked = [message._asdict() for message in request.messages]
        said = Message("assistant", request.text)._asdict()
        prompt = await self._tokens(server, asked, add_generation_prompt=True)
        turn = turn_of(prompt, await self._tokens(server, [*asked, said]), end, cut=request.cut)
        if turn is not None:
            return turn
        body = {"model": self._model, "prompt": request.text, "add_special_tokens": False}
        return turn_apart(prompt, _ids(await server.post("/tokenize", body), server), end, cut=request.cut)

    async def _tokens(self, server: Server, messages: list[dict[str, str]], **options: bool) -> list[int]:
        thinking = {"chat_template_kwargs": {"enable_thinking": False}}
        body = {"model": self._model, "messages": messages, "add_generation_prompt": False, **thinking, **options}
        return _ids(await server.post("/tokenize", body), server)


def _ids(answer: Any, server: Server) -> list[int]:
    found = answer.get("tokens") if isinstance(answer, dict) else None
    if not isinstance(found, list) or not all(type(token) is int for token in found):
        raise Passing(f"{server.url}: the answer of /tokenize is no list of tokens")
    return found


def _logprobs(answer: Any, ids: list[int]) -> list[float]:
    """The log-probabilities of all tokens of a prompt but the first, which has 0.

    Raises:
        ValueError: they are not there, or not for these tokens.
    """
    try:
        found = answer["choices"][0]["prompt_logprobs"]
        if len(found) != len(ids):
            raise ValueError(f"log-probabilities of {len(found)} tokens instead of {len(ids)}")
        numbers = [0.0, *(said[str(token)]["logprob"] for token, said in zip(ids[1:], found[1:], strict=True))]
    except (KeyError, TypeError, IndexError):
        raise ValueError("the answer has no log-probabilities of its prompt (prompt_logprobs)") from None
    if any(type(number) not in (int, float) or number <= _IMPOSSIBLE for number in numbers):
        raise ValueError("a log-probability of the prompt is no number")
    return numbers
