"""One completion or score as a line of an exported file, and read from such a line."""

import math
from typing import Any, TypeAlias

import orjson

from lidr_plugin.completions.requests import Completion, Scored
from lidr_plugin.completions.rows import Entry
from lidr_plugin.completions.score_rows import KINDS, ScoreEntry
from lidr_plugin.completions.scores import bytes_of, check, values_of

AnyEntry: TypeAlias = Entry | ScoreEntry
_MOST = 1 << 63


def entry_json(entry: AnyEntry) -> dict[str, Any]:
    """An entry as one object of an exported JSONL file."""
    if isinstance(entry, ScoreEntry):
        return {"request": orjson.loads(entry.request), "values": entry.scored.values}
    c = entry.completion
    further = {"first_token": c.first_token} if c.first_token else {}
    return {
        "request": orjson.loads(entry.request),
        "text": c.text,
        "finish_reason": c.finish_reason,
        "prompt_tokens": c.prompt_tokens,
        "completion_tokens": c.completion_tokens,
        "prefilled": c.prefilled,
        **further,
    }


def entry_of(item: dict[str, Any]) -> AnyEntry:
    """The entry of an exported object.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, OverflowError: it is none.
    """
    request = item.pop("request")
    if isinstance(request, dict) and "kind" in request:
        return _score(request, **item)
    if not (isinstance(request, dict) and isinstance(request.get("weights"), str) and request.get("messages")):
        raise ValueError("`request` is no request")
    tokens = item.pop("first_token", None)
    completion = Completion(**item, first_token=_tokens(tokens) if tokens is not None else None)
    kinds = (str, str, int, int, bool)
    if any(type(value) is not kind for value, kind in zip(completion, kinds, strict=False)):
        raise ValueError("a value has another type")
    if completion.finish_reason not in ("stop", "length"):
        raise ValueError("`finish_reason` is neither `stop` nor `length`")
    if not all(0 <= count < _MOST for count in completion[2:4]):
        raise ValueError("a number of tokens is negative, or beyond 64 bits")
    return Entry(orjson.dumps(request, option=orjson.OPT_SORT_KEYS), completion)


def _tokens(found: Any) -> tuple[tuple[str, float], ...] | None:
    tokens = tuple((token, value) for token, value in found)
    for token, value in tokens:
        if type(token) is not str or type(value) not in (int, float) or not math.isfinite(value):
            raise ValueError("`first_token` is no list of tokens with their log-probabilities")
    return tokens or None


def _score(request: dict[str, Any], values: Any) -> ScoreEntry:
    kind = request["kind"]
    if kind not in KINDS or not isinstance(request.get("weights"), str) or not isinstance(request.get("text"), str):
        raise ValueError("`request` is no request for a score")
    if not isinstance(values, list) or any(type(value) not in (int, float) for value in values):
        raise ValueError("`values` is no list of numbers")
    numbers = tuple(map(float, values))
    check(kind, numbers)
    if values_of(kind, bytes_of(kind, numbers)) != numbers:
        raise ValueError("`values` are not in half precision")
    return ScoreEntry(orjson.dumps(request, option=orjson.OPT_SORT_KEYS), kind, Scored(numbers))
