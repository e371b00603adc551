"""Models whose log-probabilities a method holds against each other: they must read the same tokens."""

import asyncio
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from lidr_plugin.completions.progress import say
from lidr_plugin.completions.tokens import Encoder, Sample, digest, remember, remembered
from lidr_plugin.dataset.parity import sample_of
from lidr_plugin.dataset.prepare import Prepared
from lidr_plugin.errors import EngineError, InputError
from lidr_plugin.machine import interrupts
from lidr_plugin.methods.base import ScoringMethod


@runtime_checkable
class _Encoding(Protocol):
    """An engine whose model lidr loads."""

    def encoder(self) -> Encoder:
        """The model's tokenizer where it is asked. Raises `EngineError` if it can be asked nowhere."""


def check_references(ready: Prepared) -> None:
    """Compares the first prompts' tokens, as far as that can be done without starting an engine.

    Raises:
        InputError: the models have other tokenizers or chat templates.
    """
    if not isinstance(ready.method, ScoringMethod):
        return
    asked = [ready.roles[role].engine for role, needs in ready.method.scores.items() if "logprob" in needs]
    engines = [engine for engine in asked if isinstance(engine, _Encoding)]
    if len(engines) < 2:
        return
    sample = sample_of(ready)._replace(thinking=False)
    try:
        first, *others = [engine.encoder() for engine in engines]
        places = interrupts.run(_differences(first, others, sample))
    except EngineError as error:
        say(f"note: the tokens of the model and its reference are not compared: {error.message}")
        return
    for other, place in zip(others, places, strict=True):
        if place is not None:
            raise InputError(
                f"{other.model}: another tokenizer or chat template than that of {first.model} ({sample.part(place)})",
                "their log-probabilities cannot be compared; name the model that this one was trained from",
            )


async def _differences(first: Encoder, others: Sequence[Encoder], sample: Sample) -> list[int | None]:
    return list(await asyncio.gather(*(_difference(first, other, sample) for other in others)))


async def _difference(first: Encoder, other: Encoder, sample: Sample) -> int | None:
    """The first place of the sample where the tokens differ."""
    if await _digest(first, sample) == await _digest(other, sample):
        return None
    pairs = zip(await first.tokens(sample), await other.tokens(sample), strict=True)
    return next(place for place, (ours, theirs) in enumerate(pairs) if ours != theirs)


async def _digest(encoder: Encoder, sample: Sample) -> str:
    """A name for the tokens; those of an earlier run are remembered."""
    key = encoder.key(sample)
    if (known := remembered(key)) is not None:
        return known
    found = await encoder.tokens(sample)
    remember(key, found)
    return digest(found)
