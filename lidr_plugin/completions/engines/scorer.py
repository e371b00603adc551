"""A model in this process that gives scores and writes nothing: a reference, a reward model, an encoder, a translation model."""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import orjson

from lidr_plugin.completions.engines.forward import Causal, Forward, Rewards, SentenceEncoder
from lidr_plugin.completions.engines.loading import alone
from lidr_plugin.completions.engines.translation_scores import Translation
from lidr_plugin.completions.requests import Chat, Completion, Need, Score, Scored
from lidr_plugin.completions.tokens import Encoder
from lidr_plugin.errors import EngineError, RequestError
from lidr_plugin.errors.terminal import one_line

_POOLING = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean", "pooling_mode_lasttoken": "last"}
"""How sentence-transformers names the ways to make one vector of many."""
_PARTS = {"Transformer", "Pooling", "Normalize"}
"""What a model of sentence-transformers may be made of: others (`Dense`) would be left out, and the vector be another."""


class Scorer:
    """Loads a model by what it is for, and scores a text at a time in a thread of its own.

    Args:
        model: Hub id or directory.
        device: `cuda`, `cpu`, …; None: a GPU where there is one.
        dtype: type of the weights; `auto` is the checkpoint's own.
        wanted: what it will be asked for.
    """

    def __init__(
        self,
        model: str,
        *,
        revision: str,
        trust_remote_code: bool,
        device: str | None,
        dtype: str,
        wanted: frozenset[Need],
    ) -> None:
        self._name = model
        self._revision = revision
        self._trust = trust_remote_code
        self._device = device
        self._dtype = dtype
        self.scores = _kinds(wanted)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="score")
        self._forward: Forward

    async def __aenter__(self) -> Self:
        """Loads the model. Raises `EngineError` if it cannot be loaded, or is no model for such scores."""
        try:
            self._forward = await asyncio.get_running_loop().run_in_executor(self._thread, alone, self._load)
        except (OSError, ValueError, RuntimeError, ImportError) as error:
            raise EngineError(f"{self._name}: the model cannot be loaded: {error}") from None
        return self

    def _load(self) -> Forward:
        from transformers import AutoConfig, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(self._name, revision=self._revision, trust_remote_code=self._trust)
        if "embed" in self.scores:
            return self._encoder(tokenizer)
        if AutoConfig.from_pretrained(
            self._name, revision=self._revision, trust_remote_code=self._trust
        ).is_encoder_decoder:
            model, _ = self._model("AutoModelForSeq2SeqLM")
            return Translation(tokenizer, model)
        if tokenizer.chat_template is None:
            raise ValueError("its tokenizer has no chat template")
        if "reward" in self.scores:
            model, missing = self._model("AutoModelForSequenceClassification")
            if missing:
                raise ValueError(f"it has no trained head for rewards ({', '.join(sorted(missing)[:3])})")
            return Rewards(tokenizer, model)
        model, _ = self._model("AutoModelForCausalLM")
        return Causal(tokenizer, model)

    def _encoder(self, tokenizer: Any) -> SentenceEncoder:
        parts = [str(part["type"]).rpartition(".")[2] for part in self._told("modules.json") or []]
        if further := set(parts) - _PARTS:
            raise ValueError(
                f"modules.json has {', '.join(sorted(further))}, which lidr has not: give it a server's base_url"
            )
        pooling = self._told("1_Pooling/config.json")
        model, missing = self._model("AutoModel")
        if pooling is None:
            # A pooler that is not in the checkpoint would be a random one.
            trained = getattr(model, "pooler", None) is not None and not any("pooler" in name for name in missing)
            return SentenceEncoder(tokenizer, model, "" if trained else "mean")
        chosen = [name for name, value in pooling.items() if name.startswith("pooling_mode") and value]
        if len(chosen) != 1 or chosen[0] not in _POOLING:
            raise ValueError(f"1_Pooling/config.json: {', '.join(chosen)}: lidr knows one of {', '.join(_POOLING)}")
        return SentenceEncoder(tokenizer, model, _POOLING[chosen[0]])

    def _told(self, name: str) -> Any:
        """What a JSON file beside the checkpoint says; None where there is none."""
        from transformers.utils import cached_file

        options = {"revision": self._revision, "_raise_exceptions_for_missing_entries": False}
        path = cached_file(self._name, name, **options)
        return orjson.loads(Path(path).read_bytes()) if path else None

    def _model(self, kind: str) -> tuple[Any, set[str]]:
        """The model, and which of its weights are not in the checkpoint."""
        import torch
        import transformers

        device = self._device or ("cuda" if torch.cuda.is_available() else "cpu")
        model, found = getattr(transformers, kind).from_pretrained(
            self._name,
            dtype=self._dtype,
            output_loading_info=True,
            revision=self._revision,
            trust_remote_code=self._trust,
        )
        return model.to(device).eval(), set(found["missing_keys"])

    def encoder(self) -> Encoder:
        """The model's tokenizer as this process reads it."""
        return Encoder(Path(sys.executable), self._name, self._revision, self._trust)

    async def complete(self, request: Chat) -> Completion:
        """Raises `EngineError`: it writes nothing."""
        raise EngineError(f"{one_line(request.row)}: {self._name} is there for scores and answers nothing")

    async def score(self, request: Score) -> Scored:
        """One score. Raises `RequestError` if the model has none for this text."""
        return await scored_in(self._thread, self._forward.score, request)

    async def __aexit__(self, *_: object) -> None:
        """Ends the thread; the memory goes with the process."""
        self._thread.shutdown(wait=False, cancel_futures=True)


async def scored_in(thread: ThreadPoolExecutor, forward: Callable[[Score], Scored], request: Score) -> Scored:
    """One score, worked out in a thread. Raises `RequestError` if the model has none for this text."""
    try:
        return await asyncio.get_running_loop().run_in_executor(thread, forward, request)
    except (RuntimeError, ValueError) as error:
        hint = "engine.max_failures=N lets a run go on without N requests"
        raise RequestError(f"{one_line(request.row)}: no score: {error}", hint) from None


def _kinds(wanted: frozenset[Need]) -> frozenset[Need]:
    """What a model for these scores can do: a checkpoint is one thing alone."""
    alone: tuple[Need, ...] = ("reward", "embed")
    return next((frozenset({need}) for need in alone if need in wanted), frozenset({"logprob", "layer"}))
