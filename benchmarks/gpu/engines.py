"""lidr's engines on one model: tokens a second, prompts a second, prefill, log-probabilities; how far two of them agree.

python -m benchmarks.gpu.engines FOLDER/MODEL NUMBER MAX_TOKENS

Where vLLM is not installed, transformers is compared with itself, each text alone, which shows what padding in batches does. Random
weights do not know which letter comes next, by which lidr finds out whether a server goes on from a begun answer: vLLM's prefill is
told as false.
"""

import asyncio
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from lidr_plugin.completions.engines.purpose import Purpose
from lidr_plugin.completions.engines.servers import Vllm
from lidr_plugin.completions.engines.transformers import Transformers
from lidr_plugin.completions.requests import Chat, Message, Sampling, Score
from lidr_plugin.config.engine import EngineSettings
from lidr_plugin.machine.environments import python_of

QUESTION = "Tell me about boat number {number}, and about the harbour where it lies. "


class Told(NamedTuple):
    """What an engine did: measures by their names, its answers, and the log-probability of each text."""

    measures: Mapping[str, Any]
    answers: Sequence[str]
    logprobs: Sequence[float]


def chats(number: int, tokens: int, *, long: int = 1, prefill: str = "") -> list[Chat]:
    """Different requests without chance in them."""
    sampling = Sampling(0.0, 1.0, tokens, 1.0, 42, False)
    return [
        Chat("w", (Message("user", QUESTION.format(number=n) * long),), sampling, prefill=prefill, row=str(n))
        for n in range(number)
    ]


async def told(engine: Transformers | Vllm, number: int, tokens: int) -> Told:
    """Asks an engine for everything."""
    begun = time.perf_counter()
    async with engine:
        opened = time.perf_counter()
        answers = await asyncio.gather(*map(engine.complete, chats(number, tokens)))
        answered = time.perf_counter()
        read = await asyncio.gather(*map(engine.complete, chats(number, 1, long=8)))
        filled = time.perf_counter()
        begun_answers = await asyncio.gather(*map(engine.complete, chats(2, 8, prefill="The boat")))
        scoring = time.perf_counter()
        texts = [
            Score("w", "logprob", chat.messages, QUESTION.format(number=n)) for n, chat in enumerate(chats(number, 1))
        ]
        scores = await asyncio.gather(*map(engine.score, texts))
        scored = time.perf_counter()
    measures = {
        "start_seconds": opened - begun,
        "tokens_a_second": sum(x.completion_tokens for x in answers) / (answered - opened),
        "prompt_tokens_a_second": sum(x.prompt_tokens for x in read) / (filled - answered),
        "prefill": all(x.prefilled for x in begun_answers),
        "scores_a_second": number / (scored - scoring),
    }
    # Random bytes are often no text, and at an answer's end vLLM leaves the sign for that out.
    return Told(
        measures, [x.text.rstrip("\ufffd") for x in answers], [x.values[0] / max(1, x.values[1]) for x in scores]
    )


def transformers(model: str, batch: int) -> Transformers:
    return Transformers(model, revision="main", trust_remote_code=False, device=None, dtype="auto", batch_size=batch)


def vllm(model: str, tokens: int, folder: str) -> Vllm | None:
    """A server that lidr starts, where there is vLLM."""
    python = python_of("vllm") or (sys.executable if importlib.util.find_spec("vllm") else None)
    if python is None:
        return None
    # A CPU would compile for minutes; the tiny shape is in float32, which vLLM would round.
    gpu = torch.cuda.is_available()
    args = {"max_model_len": 1024, "dtype": "auto" if gpu else "float32", "enforce_eager": not gpu}
    config = EngineSettings(backend="vllm", python=str(python), args=args)
    purpose = Purpose("model", tokens, scores=frozenset())
    log = Path(folder) / "vllm.log"
    return Vllm(config, model=model, revision="main", trust_remote_code=False, log=log, purpose=purpose)


def main(model: str, number: str, max_tokens: str) -> None:
    count, tokens = int(number), int(max_tokens)
    ours = asyncio.run(told(transformers(model, 16), count, tokens))
    with tempfile.TemporaryDirectory() as folder:
        server = vllm(model, tokens, folder)
        other = asyncio.run(told(server or transformers(model, 1), count, tokens))
    found = {
        "transformers": ours.measures,
        "vllm" if server else "transformers, each alone": other.measures,
        "agreement": {
            "same_answers": sum(a == b for a, b in zip(ours.answers, other.answers, strict=True)) / count,
            "logprob_a_token_apart": max(abs(a - b) for a, b in zip(ours.logprobs, other.logprobs, strict=True)),
        },
    }
    print("FOUND", json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
