"""What a server can do, found out by trial: a request that says one word, once, before there is any work."""

from lidr_plugin.completions.engines.chat_completions import Capabilities, body_of
from lidr_plugin.completions.engines.http import Passing, Refused, Server, retried
from lidr_plugin.completions.requests import Chat, Message, Sampling
from lidr_plugin.errors import EngineError

TRIAL = "Answer with the word yes."
"""The user's turn of a trial request."""

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
    trial = Chat("", (Message("user", TRIAL),), _SAMPLING, prefill="The word is", top_logprobs=top_logprobs)

    async def refusal_of(takes: Capabilities) -> Refused | None:
        body = body_of(trial, model, takes)
        try:
            await retried(lambda: server.chat(body), retries)
        except Refused as error:
            return error
        except Passing as error:
            raise EngineError(str(error), "start again when the server is well. engine.max_retries") from None
        return None

    takes = everything = Capabilities(logprobs=top_logprobs > 0)
    while refusal := await refusal_of(takes):
        if refusal.status in (401, 403, 404):
            raise _error(server, refusal)
        if (named := _named(refusal, takes)) is None:
            break
        takes = takes._replace(**{named: False})
    else:
        return takes
    if refusal := await refusal_of(_NOTHING):
        raise _error(server, refusal)
    takes = _NOTHING
    for name in _FIELDS:
        more = takes._replace(**{name: getattr(everything, name)})
        if more not in (takes, everything) and await refusal_of(more) is None:
            takes = more
    return takes


def _named(refusal: Refused, asked: Capabilities) -> str | None:
    """The one capability that the server's words name; None where they name none, or several, as an echo would."""
    named = [
        name for name, words in _FIELDS.items() if getattr(asked, name) and any(word in refusal.text for word in words)
    ]
    return named[0] if len(named) == 1 else None


def _error(server: Server, refusal: Refused) -> EngineError:
    if refusal.status in (401, 403):
        return EngineError(f"{server.url}: {refusal}", f"export the key as {server.key_env}")
    if refusal.status == 404:
        return EngineError(f"{server.url}/chat/completions: {refusal}", "does the address end in /v1?")
    return EngineError(
        f"{server.url} refuses the plainest chat request ({refusal.status}): {refusal.text}",
        "is it an instruct model, with a chat template?",
    )
