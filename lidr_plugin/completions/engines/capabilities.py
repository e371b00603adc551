"""What a server can do, found out by trial: a request for one letter, once, before there is any work."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from lidr_plugin.completions.engines.chat_completions import BEGUN, TRIAL, Capabilities, body_of, completion_of
from lidr_plugin.completions.engines.http import Passing, Refused, Server, retried
from lidr_plugin.completions.requests import Chat, Message, Sampling
from lidr_plugin.errors import EngineError

__all__ = ["TRIAL", "capabilities_of"]

_GOES_ON = re.compile(r"[\s,]{0,9}U\b", re.IGNORECASE)
_DRAWS = 3
"""Trials at most of whether a server goes on from a begun answer; at temperature 1 a model may slip."""

# Temperature and top_p are what every server has as its own default: some models refuse any other.
_SAMPLING = Sampling(temperature=1.0, top_p=1.0, max_tokens=1, repetition_penalty=1.0, seed=0, thinking=False)
_NOTHING = Capabilities(template_kwargs=False, logprobs=False, prefill=False)
_FIELDS = {
    "template_kwargs": ("chat_template_kwargs",),
    "logprobs": ("logprobs",),
    "prefill": ("add_generation_prompt", "continue_final_message"),
}
"""The words by which a server that refuses a request may name what it does not take."""


async def capabilities_of(server: Server, model: str, *, top_logprobs: int, retries: int) -> Capabilities:
    """Asks with everything that a request may want; where that is refused, finds out what it was.

    Args:
        top_logprobs: of how many tokens a request may want the log-probabilities; 0: of none, and they are not tried.
        retries: further tries where a failure may pass.

    Raises:
        EngineError: the server refuses a request that wants nothing in particular too, or every try failed.
    """
    trial = Chat("", (Message("user", TRIAL),), _SAMPLING, prefill=BEGUN, top_logprobs=top_logprobs)

    async def asked(takes: Capabilities, sample: int = 0) -> Any:
        body = body_of(trial._replace(sample=sample), model, takes)
        try:
            return await retried(lambda: server.chat(body), retries)
        except Refused as error:
            return error
        except Passing as error:
            raise EngineError(str(error), "start again when the server is well. engine.max_retries") from None

    async def goes_on(takes: Capabilities, answer: Any) -> bool:
        """Whether it takes the begun answer for what it is: some take the fields and ignore them."""
        for sample in range(1, _DRAWS):
            if _is_continued(answer, trial, takes):
                return True
            answer = await asked(takes, sample)
        return _is_continued(answer, trial, takes)

    takes, answer = await _accepted(server, asked, Capabilities(logprobs=top_logprobs > 0))
    return takes._replace(prefill=takes.prefill and await goes_on(takes, answer))


async def _accepted(
    server: Server, asked: Callable[[Capabilities], Awaitable[Any]], everything: Capabilities
) -> tuple[Capabilities, Any]:
    """What of everything a server does not refuse, and its answer to the request for that."""
    takes = everything
    while isinstance(answer := await asked(takes), Refused):
        if answer.status in (401, 403, 404):
            raise _error(server, answer)
        if (named := _named(answer, takes)) is None:
            break
        takes = takes._replace(**{named: False})
    else:
        return takes, answer
    if isinstance(answer := await asked(_NOTHING), Refused):
        raise _error(server, answer)
    takes = _NOTHING
    for name in _FIELDS:
        more = takes._replace(**{name: getattr(everything, name)})
        if more not in (takes, everything) and not isinstance(found := await asked(more), Refused):
            takes, answer = more, found
    return takes, answer


def _is_continued(answer: Any, trial: Chat, takes: Capabilities) -> bool:
    """Whether a trial's answer says the next letter. What is no answer says nothing against it."""
    if isinstance(answer, Refused):
        return False
    try:
        return _GOES_ON.match(completion_of(answer, trial, takes).text) is not None
    except ValueError:
        return True


def _named(refusal: Refused, asked: Capabilities) -> str | None:
    """The one capability that the server's words name; None where they name none, or several, as an echo would."""
    named = [
        name for name, words in _FIELDS.items() if getattr(asked, name) and any(word in refusal.text for word in words)
    ]
    return named[0] if len(named) == 1 else None


def _error(server: Server, refusal: Refused) -> EngineError:
    if refusal.status in (401, 403):
        return EngineError(f"{server.url}: {refusal}", server.key_remedy)
    if refusal.status == 404:
        return EngineError(f"{server.url}/chat/completions: {refusal}", "does the address end in /v1?")
    return EngineError(
        f"{server.url} refuses the plainest chat request ({refusal.status}): {refusal.text}",
        "is it an instruct model, with a chat template?",
    )
