"""Generation in this process with transformers, on a CPU or one GPU, for where there is no server."""

import asyncio
import hashlib
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from lidr_plugin.completions.engines.chat_completions import BEGUN, TRIAL
from lidr_plugin.completions.engines.forward import Causal
from lidr_plugin.completions.engines.loading import alone
from lidr_plugin.completions.engines.scorer import scored_in
from lidr_plugin.completions.requests import (
    Chat,
    Completion,
    Message,
    Need,
    Sampling,
    Score,
    Scored,
    key_of,
    request_json,
)
from lidr_plugin.completions.tokens import Encoder, Ids, Sample
from lidr_plugin.errors import EngineError, RequestError
from lidr_plugin.errors.terminal import one_line


class Transformers:
    """Takes what waits, sorts it by length and generates it in left-padded batches, in a thread of its own.

    Args:
        model: Hub id or directory.
        device: `cuda`, `cpu`, …; None: a GPU where there is one.
        dtype: type of the weights; `auto` is the checkpoint's own.
        batch_size: texts generated together.
    """

    scores: frozenset[Need] = frozenset({"logprob", "layer"})

    def __init__(
        self, model: str, *, revision: str, trust_remote_code: bool, device: str | None, dtype: str, batch_size: int
    ) -> None:
        self._name = model
        self._revision = revision
        self._trust = trust_remote_code
        self._device = device
        self._dtype = dtype
        self._batch_size = batch_size
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="generate")
        self._waiting: list[tuple[Chat, str, asyncio.Future[Completion]]] = []
        self._wakeup = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._tokenizer: Any = None
        self._model: Any = None
        self._prefills = True
        self._causal: Causal | None = None

    async def __aenter__(self) -> Self:
        """Loads the model. Raises `EngineError` if it cannot be loaded."""
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, alone, self._load)
        except (OSError, ValueError, RuntimeError, ImportError) as error:
            raise EngineError(f"{self._name}: the model cannot be loaded: {error}") from None
        self._worker = asyncio.create_task(self._work())
        return self

    def _load(self) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        device = self._device or ("cuda" if torch.cuda.is_available() else "cpu")
        options: dict[str, Any] = {"revision": self._revision, "trust_remote_code": self._trust}
        self._tokenizer = AutoTokenizer.from_pretrained(self._name, padding_side="left", **options)
        if self._tokenizer.chat_template is None:
            raise ValueError("its tokenizer has no chat template; take an instruct model")
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._prefills = self._goes_on()
        self._model = AutoModelForCausalLM.from_pretrained(self._name, dtype=self._dtype, **options).to(device).eval()

    async def complete(self, request: Chat) -> Completion:
        """Answers one request, together with others that wait. Raises `RequestError` if the batch failed."""
        future: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, self._render(request), future))
        self._wakeup.set()
        return await future

    async def score(self, request: Score) -> Scored:
        """The log-probability of a text, or a hidden layer's mean over it. Raises `RequestError` if the model has none."""
        return await scored_in(self._thread, self._forward, request)

    def encoder(self) -> Encoder:
        """The model's tokenizer as this process reads it."""
        return Encoder(Path(sys.executable), self._name, self._revision, self._trust)

    def _forward(self, request: Score) -> Scored:
        self._causal = self._causal or Causal(self._tokenizer, self._model)
        return self._causal.score(request)

    def _goes_on(self) -> bool:
        """Whether the chat template leaves a begun answer open, as some do not."""
        from jinja2 import TemplateError

        sampling = Sampling(0.0, 1.0, 1, 1.0, 0, False)
        trial = Chat("", (Message("user", TRIAL),), sampling, prefill=BEGUN)
        try:
            return self._render(trial).endswith(BEGUN)
        except (ValueError, TemplateError):
            return False

    def _render(self, request: Chat) -> str:
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
        begun = bool(request.prefill) and self._prefills
        if begun:
            messages.append({"role": "assistant", "content": request.prefill})
        text = self._tokenizer.apply_chat_template(
            messages,
            tokenize=False,
            add_generation_prompt=not begun,
            continue_final_message=begun,
            enable_thinking=request.sampling.thinking,
        )
        return str(text)

    async def tokens(self, sample: Sample) -> list[Ids]:
        """As this process reads them."""
        asked = [
            self._tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, enable_thinking=sample.thinking
            )
            for messages in sample.messages
        ]
        return [[self._tokenizer.encode(text, add_special_tokens=False) for text in [*sample.texts, *asked]]]

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wakeup.wait()
            await asyncio.sleep(0.01)  # lets the requests that come at the same time join the batch
            self._wakeup.clear()
            while self._waiting:
                # The longest first: a batch is as slow as its longest text, so equals go together.
                self._waiting.sort(key=lambda item: (item[0].sampling.max_tokens, len(item[1])), reverse=True)
                sampling = self._waiting[0][0].sampling
                alike = [item for item in self._waiting if item[0].sampling == sampling]
                batch, rest = alike[: self._batch_size], alike[self._batch_size :]
                self._waiting = [*rest, *(item for item in self._waiting if item[0].sampling != sampling)]
                try:
                    answers = await loop.run_in_executor(self._thread, self._generate, batch)
                except (RuntimeError, ValueError) as error:
                    for request, _, future in batch:
                        if not future.done():
                            future.set_exception(_failure(request, error))
                    continue
                for (_, _, future), answer in zip(batch, answers, strict=True):
                    if not future.done():
                        future.set_result(answer)

    def _generate(self, batch: list[tuple[Chat, str, asyncio.Future[Completion]]]) -> list[Completion]:
        import torch

        sampling = batch[0][0].sampling
        inputs = self._tokenizer(
            [text for _, text, _ in batch], return_tensors="pt", padding=True, add_special_tokens=False
        ).to(self._model.device)
        options = drawn(sampling, [request for request, _, _ in batch])
        with torch.inference_mode():
            output = self._model.generate(
                **inputs,
                **options,
                max_new_tokens=sampling.max_tokens,
                repetition_penalty=sampling.repetition_penalty,
                pad_token_id=self._tokenizer.pad_token_id,
            )
        stops = ends_of(self._model)
        answers = []
        for (request, _, _), ids, mask in zip(
            batch, output[:, inputs["input_ids"].shape[1] :].tolist(), inputs["attention_mask"], strict=True
        ):
            length = next((i for i, token in enumerate(ids) if token in stops), len(ids))
            answers.append(
                Completion(
                    text=self._tokenizer.decode(ids[:length], skip_special_tokens=True),
                    finish_reason="stop" if length < len(ids) else "length",
                    prompt_tokens=int(mask.sum()),
                    completion_tokens=min(length + 1, len(ids)),
                    prefilled=bool(request.prefill) and self._prefills,
                )
            )
        return answers

    async def __aexit__(self, *_: object) -> None:
        """Ends the worker; the memory goes with the process."""
        if self._worker is not None:
            self._worker.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)


def drawn(sampling: Sampling, requests: Sequence[Chat]) -> dict[str, Any]:
    """How `generate` is to draw the tokens of a batch; where chance has a part in it, it begins anew."""
    if sampling.temperature == 0:
        return {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    import torch

    torch.manual_seed(_seed(requests))
    return {"do_sample": True, "temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0}


def ends_of(model: Any) -> set[int]:
    """The tokens by which a model ends a text."""
    ends = model.generation_config.eos_token_id
    return set(ends if isinstance(ends, list) else [ends])


def _seed(requests: Sequence[Chat]) -> int:
    """For drawing a batch: by the keys of its requests, in which the user's seed and the sample's number are."""
    keys = b"".join(key_of(request_json(request)) for request in requests)
    return int.from_bytes(hashlib.sha256(keys).digest()[:8]) >> 1


def _failure(request: Chat, error: Exception) -> RequestError:
    hint = "lower engine.batch_size or generation.max_tokens" if "out of memory" in str(error).lower() else ""
    return RequestError(f"{one_line(request.row)}: generation failed: {error}", hint)
