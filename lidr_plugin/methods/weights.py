"""What becomes of a row's weight, as LLaMA-Factory has none for rows."""

from typing import Literal, TypeAlias

Weights: TypeAlias = Literal["ignore", "copies", "thin"]


def copies(weight: float, voters: int) -> int:
    """How often a row is written, so that it counts by its weight: of 8 voters, half the weight is four copies."""
    return round(weight * voters)


def is_kept(weight: float, drawn: float) -> bool:
    """Whether a row is kept with its weight as probability; `drawn` is a number from 0 up to 1."""
    return drawn < weight
