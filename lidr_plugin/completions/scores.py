"""What can be a score, and how it is kept: whatever else an engine answers is an error, and is stored nowhere."""

import math
import struct
from collections.abc import Sequence

from lidr_plugin.completions.requests import Kind, Scored

_ROUNDING = 1e-3
"""By so much a token's log-probability may be above 0: what single precision makes of a certain token."""


def scored(kind: Kind, values: Sequence[float]) -> Scored:
    """The score in numbers that an engine gave; a vector comes to length 1, in half precision.

    Raises:
        ValueError: they can be no score of this kind.
    """
    numbers = tuple([float(value) for value in values])
    if kind == "embed" and numbers:
        length = math.hypot(*numbers)
        if not (math.isfinite(length) and length):
            raise ValueError("a vector without a length (a number in it is none, or all are 0)")
        numbers = values_of(kind, bytes_of(kind, [value / length for value in numbers]))
    check(kind, numbers)
    return Scored(numbers)


def check(kind: Kind, values: Sequence[float]) -> None:
    """Raises `ValueError` where values are no score of this kind."""
    if not all(map(math.isfinite, values)):
        raise ValueError("a number in it is infinite or none")
    if len(values) != {"logprob": 2, "reward": 1}.get(kind, max(1, len(values))):
        raise ValueError(f"{len(values)} numbers")
    if kind == "logprob" and not (values[1] >= 1 and values[1].is_integer() and values[0] <= _ROUNDING * values[1]):
        raise ValueError(f"{values[0]} as the log-probability of {values[1]} tokens")


def bytes_of(kind: str, values: Sequence[float]) -> bytes:
    """A score as the store has it: unrounded, but for vectors. Raises `OverflowError` or `struct.error` for what is none."""
    return struct.pack(f"<{len(values)}{_form(kind)}", *values)


def values_of(kind: str, content: bytes) -> tuple[float, ...]:
    """The numbers of a stored score. Raises `ValueError` where they are none."""
    form = _form(kind)
    count, rest = divmod(len(content), struct.calcsize(form))
    if rest:
        raise ValueError("half a number")
    return struct.unpack(f"<{count}{form}", content)


def _form(kind: str) -> str:
    return "e" if kind == "embed" else "d"
