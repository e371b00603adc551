"""Requests and answers as OpenAI's chat completions have them, with vLLM's extensions where a server takes them."""

from typing import Any, NamedTuple

from lidr_plugin.completions.requests import Chat, Completion

TRIAL = "Say a part of the alphabet, letter by letter."
"""The user's turn of a trial request."""
BEGUN = "P, Q, R, S, T,"
"""The begun answer of a trial: who goes on from it says U, and who begins anew does not."""


class Capabilities(NamedTuple):
    """What a server takes beyond OpenAI's own interface, and what it gives.

    Attributes:
        template_kwargs: takes `chat_template_kwargs`, which switch thinking on and off.
        logprobs: gives the log-probabilities of tokens.
        prefill: goes on from the beginning of an assistant's turn.
    """

    template_kwargs: bool = True
    logprobs: bool = True
    prefill: bool = True


def body_of(request: Chat, model: str, takes: Capabilities) -> dict[str, Any]:
    """The JSON of a request, without what the server does not take."""
    sampling = request.sampling
    messages = [{"role": message.role, "content": message.content} for message in request.messages]
    body: dict[str, Any] = {
        "model": model,
        "messages": messages,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "seed": sampling.seed + request.sample,
    }
    if sampling.repetition_penalty != 1.0:
        body["repetition_penalty"] = sampling.repetition_penalty
    if request.top_logprobs and takes.logprobs:
        body |= {"logprobs": True, "top_logprobs": request.top_logprobs}
    if takes.template_kwargs:
        body["chat_template_kwargs"] = {"enable_thinking": sampling.thinking}
    if request.prefill and takes.prefill:
        messages.append({"role": "assistant", "content": request.prefill})
        body |= {"add_generation_prompt": False, "continue_final_message": True}
    return body


def completion_of(answer: Any, request: Chat, takes: Capabilities) -> Completion:
    """The completion in a server's JSON.

    Raises:
        ValueError: it is not a chat completion.
    """
    prefilled = bool(request.prefill) and takes.prefill
    try:
        choice = answer["choices"][0]
        usage = answer.get("usage") or {}
        text = choice["message"]["content"] or ""
        if not isinstance(text, str):
            raise TypeError
        return Completion(
            text=text.removeprefix(request.prefill) if prefilled else text,
            finish_reason="length" if choice.get("finish_reason") == "length" else "stop",
            prompt_tokens=int(usage.get("prompt_tokens") or 0),
            completion_tokens=int(usage.get("completion_tokens") or 0),
            prefilled=prefilled,
            first_token=_first_token(choice) if request.top_logprobs else None,
        )
    except (KeyError, TypeError, IndexError, AttributeError):
        raise ValueError("the answer is not a chat completion") from None


def _first_token(choice: dict[str, Any]) -> tuple[tuple[str, float], ...] | None:
    """The likeliest first tokens of an answer, where the server gives them."""
    content = (choice.get("logprobs") or {}).get("content") or []
    tops = content[0].get("top_logprobs") if content else None
    return tuple((str(item["token"]), float(item["logprob"])) for item in tops) if tops else None
