"""The methods that `method:` can name: families, each with LLaMA-Factory's stage for its rows, and presets of them.

A preset (presets.py) is a dictionary of defaults which the user's keys override. The settings of its training are a layer of
recipes/layers.yaml, under the same name. `methods/<family>.py` makes the rows.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from lidr_plugin.config.presets import PRESETS

Stage: TypeAlias = Literal["dpo", "sft"]
"""What LLaMA-Factory does with the rows: pairs are preferred, SFT rows imitated."""

FAMILIES: dict[str, Stage] = {
    "imbalance": "dpo",
    "mix": "sft",
    "rank": "dpo",
}


def family_of(method: str) -> str:
    """The family that makes a method's rows."""
    return PRESETS[method].family


def shares_of(method: str, stage: int = 1) -> dict[str, float]:
    """The shares of `mix` that a preset stands for; with a zero where a template has its turn in another stage."""
    preset = PRESETS[method]
    if preset.stages:
        names = {name for shares in preset.stages for name in shares}
        now = preset.stages[min(stage, len(preset.stages)) - 1]
        return {name: now.get(name, 0.0) for name in sorted(names)}
    return dict(preset.defaults.get("mix", {}))


def expanded(data: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration's values with those that its method stands for beneath them; an unknown method changes nothing."""
    method = data.get("method", "imbalance")
    if not isinstance(method, str) or method not in PRESETS:
        return dict(data)
    given = data.get("mix")
    stage = given.get("stage", 1) if isinstance(given, Mapping) else 1
    defaults = dict(PRESETS[method].defaults)
    if PRESETS[method].stages and isinstance(stage, int):
        defaults["mix"] = shares_of(method, max(stage, 1))
    merged = dict(data)
    for key, value in defaults.items():
        own = data.get(key)
        if key not in data:
            merged[key] = value
        elif isinstance(value, Mapping) and isinstance(own, Mapping):
            merged[key] = {**value, **own} if key != "mix" or _makes_something({**value, **own}) else {**own, **value}
    return merged


def _makes_something(shares: Mapping[str, Any]) -> bool:
    """Not where every share is zero, as in the resolved configuration of another method."""
    return any(value != 0 for name, value in shares.items() if name != "stage")
