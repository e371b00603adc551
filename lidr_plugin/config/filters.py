"""The section `filters`."""

from typing import Any, Literal

from pydantic import field_validator

from lidr_plugin.config.section import Number, Section


class Filters(Section):
    """What a pair must pass to be kept. Each filter can be turned off with `false`."""

    truncated: bool = True
    """Drops a pair whose chosen text, or the text it was translated from, was cut off at `max_tokens`."""
    identical: bool = True
    """Drops a pair whose chosen and rejected texts are equal."""
    off_target: bool = True
    """Drops a pair whose chosen text is not in the pair's language."""
    mixed_script: bool = True
    """Drops a pair whose chosen text has a word in a script that does not belong in its language, or that mixes scripts
    (`테chnique`). Names, units, code, loan words, quotations and scripts of the prompt are allowed."""
    repetition: bool = True
    """Drops a pair whose chosen text repeats itself endlessly."""
    length_ratio: tuple[Number, Number] | Literal[False] = (0.2, 5.0)
    """Bounds of the ratio of chosen to rejected length, in characters."""
    fidelity: bool = True
    """Drops a pair whose chosen text is a translation that lost something (numbers, addresses, code, names in other scripts,
    items of a list, most of its length), or is one of lidr's own request, which is asked for once a language to know it."""

    @field_validator("length_ratio", mode="before")
    @classmethod
    def _bounds(cls, bounds: Any) -> Any:
        if bounds is False:
            return bounds
        numbers = isinstance(bounds, list | tuple) and [
            x for x in bounds if isinstance(x, int | float) and not isinstance(x, bool)
        ]
        if not numbers or len(numbers) != 2 or len(bounds) != 2:
            raise ValueError(f"expected two numbers, such as [0.2, 5.0], or false, found {bounds!r}")
        if not 0 <= numbers[0] <= numbers[1]:
            raise ValueError(f"{numbers[0]} to {numbers[1]} is an empty range")
        return tuple(numbers)
