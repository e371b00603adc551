"""Whether a new model is fit to make data: what it says on held-out prompts against the model that it came from."""

from collections.abc import Mapping
from typing import Any

_LIMITS = {
    "degenerate": (0.10, "of its answers repeat themselves without end"),
    "cut": (0.15, "of its answers do not end"),
    "off_target": (0.10, "of its answers are in another language"),
}
"""By how much a share may rise, and what it is a share of."""
_LENGTHS = (0.5, 2.0)
"""Bounds of the mean length of an answer against the model before."""


def problems(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Why the new model must not make the next round's data; empty if it may.

    A share counts as risen when its growth is over the limit and the 95 % intervals do not overlap: a few held-out prompts
    decide nothing.

    Args:
        before: the results of `lidr eval` on prompts, by language, for the model that the round started from.
        after: the same for the model that the round ended with.
    """
    found = []
    for language, new in after.items():
        old = before[language]
        for name, (limit, what) in _LIMITS.items():
            was, now = _share(old, name), _share(new, name)
            if now["share"] - was["share"] > limit and now["low"] > was["high"]:
                found.append(f"{language}: {now['share']:.0%} {what}, {was['share']:.0%} before")
        if old["characters"]:
            ratio = new["characters"] / old["characters"]
            if not _LENGTHS[0] <= ratio <= _LENGTHS[1]:
                found.append(f"{language}: its answers are {ratio:.1f} times as long as before")
    return found


def _share(result: Mapping[str, Any], name: str) -> Mapping[str, float]:
    if name != "off_target":
        share: Mapping[str, float] = result[name]
        return share
    right = result["response_level"]
    return {"share": 1 - right["share"], "low": 1 - right["high"], "high": 1 - right["low"]}
