"""Rewards, embeddings and log-probabilities as servers word them, as pure functions of the request."""

import json
from collections.abc import Mapping
from typing import Any

from lidr_plugin.completions.engines.chat_completions import BEGUN
from tests.support import model

ROUTES = ("/pooling", "/embeddings", "/v1/completions")
TRIALS = (BEGUN, "No.")
"""What a client tries an encoder with."""


def answer(path: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """What vLLM would answer."""
    number = model.digest(json.dumps(request, sort_keys=True))
    if path.endswith("/pooling"):
        return {"object": "list", "data": [{"index": 0, "object": "pooling", "data": [number % 2003 / 101 - 10]}]}
    if path.endswith("/embeddings"):
        vector = [1.0 + (number >> 8 * place) % 251 for place in range(5)]
        return {"object": "list", "data": [{"index": 0, "object": "embedding", "embedding": vector}]}
    said = [{str(token): {"logprob": logprob(place, token)}} for place, token in enumerate(request["prompt"])]
    choice = {"index": 0, "text": "x", "finish_reason": "length", "prompt_logprobs": [None, *said[1:]]}
    return {"object": "text_completion", "choices": [choice]}


def logprob(place: int, token: int) -> float:
    """Of a token at a place of the prompt."""
    return -(1 + (place * 31 + token) % 97) / 50
