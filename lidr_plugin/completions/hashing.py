"""The content address of a request, and the fingerprint of a model directory."""

import hashlib
from pathlib import Path

import orjson

from lidr_plugin.completions.requests import Request

MODEL_FILES = frozenset(
    {".safetensors", ".bin", ".pt", ".gguf", ".json", ".jinja", ".model", ".txt", ".tiktoken", ".py"}
)
"""Suffixes of the files that decide what a model says: weights, configuration, tokenizer, chat template, code."""


def request_json(request: Request) -> bytes:
    """The canonical JSON of a request; its SHA-256 is the request's key.

    In it: weights, messages, prefill, every sampling field, sample index. Left out: server addresses, timeouts,
    retries, concurrency, batch size, the row's name; none of them may change an answer. `top_logprobs` is in it where it
    is wanted.
    """
    sampling = request.sampling
    further = {"top_logprobs": request.top_logprobs} if request.top_logprobs else {}
    return orjson.dumps(
        {
            "max_tokens": sampling.max_tokens,
            "messages": [{"content": message.content, "role": message.role} for message in request.messages],
            "prefill": request.prefill,
            "repetition_penalty": sampling.repetition_penalty,
            "sample": request.sample,
            "seed": sampling.seed,
            "temperature": sampling.temperature,
            "thinking": sampling.thinking,
            **further,
            "top_p": sampling.top_p,
            "weights": request.weights,
        }
    )


def key_of(canonical: bytes) -> bytes:
    """The 32-byte key of a request's canonical JSON."""
    return hashlib.sha256(canonical).digest()


def fingerprint(directory: Path) -> str:
    """The identity of a model directory: a SHA-256 over names and contents of the files that decide its answers.

    Reads every byte once (about a second per gigabyte). Raises `OSError` if a file cannot be read.
    """
    total = hashlib.sha256()
    for path in sorted(directory.iterdir()):
        if path.is_file() and path.suffix in MODEL_FILES and not path.name.startswith("."):
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            total.update(f"{path.name}\0{digest}\n".encode())
    return f"sha256:{total.hexdigest()}"
