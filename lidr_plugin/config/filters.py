"""The section of what a row must pass."""

from typing import Any, Literal

from pydantic import model_validator

from lidr_plugin.config.section import Number, Section


class Filters(Section):
    """What a pair must pass. Each can be false."""

    truncated: bool = True
    """Chosen, or the text that it was translated from, stopped at max_tokens."""
    identical: bool = True
    """Chosen equals rejected."""
    off_target: bool = True
    """Chosen is not in the pair's language."""
    repetition: bool = True
    """Degenerate repetition in the chosen text."""
    length_ratio: tuple[Number, Number] | Literal[False] = (0.2, 5.0)
    """Bounds of the length in characters of chosen over rejected."""

    @model_validator(mode="before")
    @classmethod
    def _bounds(cls, data: Any) -> Any:
        bounds = data.get("length_ratio") if isinstance(data, dict) else None
        if isinstance(bounds, list):
            if len(bounds) != 2 or not all(isinstance(x, int | float) and not isinstance(x, bool) for x in bounds):
                raise ValueError("length_ratio is two numbers, [0.2, 5.0], or false")
            if not 0 <= bounds[0] <= bounds[1]:
                raise ValueError(f"length_ratio: {bounds[0]} to {bounds[1]} is an empty range")
            return {**data, "length_ratio": tuple(bounds)}
        return data
