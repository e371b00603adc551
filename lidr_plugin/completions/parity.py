"""Whether a model reads the same tokens where it is asked and where it is trained.

Two versions of transformers can make two tokenizers of one directory. Then what the model is trained on is not what it said.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from itertools import zip_longest
from typing import Protocol, Self, runtime_checkable

from lidr_plugin.completions.engines.base import Engine, Logged, Scoring, scores_of
from lidr_plugin.completions.progress import say
from lidr_plugin.completions.requests import Chat, Completion, Need, Score, Scored
from lidr_plugin.completions.tokens import Encoder, Ids, Sample, digest, remember, remembered
from lidr_plugin.errors import EngineError

_SKIPPED = "note: tokens are not compared with those of the train environment"
_BEFORE, _AFTER = 2, 5
"""Tokens that are shown around a difference."""


@runtime_checkable
class Tokenizing(Engine, Protocol):
    """An engine that can say which tokens it reads."""

    async def tokens(self, sample: Sample) -> list[Ids]:
        """Of the texts, then of the chats, by each of its servers; empty if one does not say."""


class Compared:
    """An engine that answers only if it reads the tokens that the train environment reads.

    Args:
        trained: the tokenizer of the train environment.
        allowed: a difference is told, and no reason to stop.
    """

    def __init__(self, engine: Tokenizing, sample: Sample, trained: Encoder, *, allowed: bool) -> None:
        self._engine = engine
        self._sample = sample
        self._trained = trained
        self._allowed = allowed

    async def __aenter__(self) -> Self:
        """Opens the engine, and compares. Raises `EngineError` as the engine does, or with the tokens that differ."""
        key = self._trained.key(self._sample)
        early: asyncio.Task[Ids] | None = None
        if isinstance(self._engine, Logged) and remembered(key) is None:
            early = asyncio.create_task(self._trained.tokens(self._sample))  # while the server starts
        try:
            async with contextlib.AsyncExitStack() as opened:
                await opened.enter_async_context(self._engine)
                await self._compare(key, early)
                opened.pop_all()
        finally:
            await _ended(early)
        return self

    async def _compare(self, key: str | None, early: asyncio.Task[Ids] | None) -> None:
        asked = await self._engine.tokens(self._sample)
        if not asked:
            say(f"{_SKIPPED}: the server does not tell its own (vLLM's /tokenize)")
        elif any(digest(ids) != remembered(key) for ids in asked):
            try:
                trained = await (early or self._trained.tokens(self._sample))
                problem = await difference(self._sample, self._trained, asked=asked, trained=trained)
            except EngineError as error:
                say(f"{_SKIPPED}: {error.message}")
                return
            if problem is None:
                remember(key, trained)
            elif self._allowed:
                say(f"warning: {problem.message}")
            else:
                raise problem

    async def complete(self, request: Chat) -> Completion:
        """As the engine does."""
        return await self._engine.complete(request)

    @property
    def scores(self) -> frozenset[Need]:
        """As the engine's."""
        return scores_of(self._engine)

    async def score(self, request: Score) -> Scored:
        """As the engine does."""
        assert isinstance(self._engine, Scoring)
        return await self._engine.score(request)

    def last_words(self) -> str:
        """As the engine's."""
        return self._engine.last_words() if isinstance(self._engine, Logged) else ""

    async def __aexit__(self, *_: object) -> None:
        """Closes the engine."""
        await self._engine.__aexit__(None, None, None)


async def _ended(task: asyncio.Task[Ids] | None) -> None:
    """Ends a look into the train environment that nobody waits for any more."""
    if task is not None:
        task.cancel()
        await asyncio.wait((task,))
        if not task.cancelled():
            task.exception()  # which nobody wants to hear of any more


async def difference(sample: Sample, trained_by: Encoder, *, asked: Sequence[Ids], trained: Ids) -> EngineError | None:
    """The first difference, with the tokens around it; None if there is none."""
    pairs = [(place, *pair) for ids in asked for place, pair in enumerate(zip(trained, ids, strict=True))]
    for place, ours, theirs in pairs:
        if ours != theirs:
            first = next(n for n, (a, b) in enumerate(zip_longest(ours, theirs)) if a != b)
            window = slice(max(0, first - _BEFORE), first + _AFTER)
            here, there = await _readable([theirs[window], ours[window]], trained_by)
            message = (
                f"{trained_by.model}: the tokens that it is asked with are not those that it is trained with "
                f"({sample.part(place)}, token {first}):\n"
                f"  engine             {shown(here)}\n"
                f"  train environment  {shown(there)}"
            )
            return EngineError(
                message,
                "is it the same model? Then it is its tokenizer_config.json: the tokenizer_class of the architecture "
                "(Qwen2Tokenizer for qwen2) is read alike by all versions of transformers\n"
                "train.allow_template_mismatch=true goes on nevertheless",
            )
    return None


async def _readable(ids: Sequence[Sequence[int]], by: Encoder) -> list[list[str]]:
    """Tokens as text, or as numbers where a tokenizer does not know them."""
    with contextlib.suppress(EngineError):
        found = await by.shown(ids)
        if len(found) == len(ids):
            return found
    return [[str(token) for token in one] for one in ids]


def shown(tokens: Sequence[str]) -> str:
    """Tokens for people, apart and with their spaces seen."""
    return " ".join(repr(token)[1:-1].replace(" ", "·") or "∅" for token in tokens) or "(nothing more)"
