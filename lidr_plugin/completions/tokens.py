"""Real requests as lists of tokens, by the tokenizer of an environment: for comparing where a model is asked with where it
is trained.
"""

import asyncio
import contextlib
import hashlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from pydantic import BaseModel

from lidr_plugin import files
from lidr_plugin.completions.engines.fingerprint import MODEL_FILES, sha256_of
from lidr_plugin.completions.requests import Message
from lidr_plugin.errors import EngineError, InputError
from lidr_plugin.machine import hub
from lidr_plugin.machine.children import guarded, last_said
from lidr_plugin.machine.environments import home, versions
from lidr_plugin.machine.inputs import read_json

_REMEMBERED = 64
"""Comparisons that are remembered; the oldest goes first."""

_SCRIPT = Path(hub.__file__).with_name("encode.py")

Ids = list[list[int]]


class Sample(NamedTuple):
    """Requests whose tokens are compared, and whether the chat template is to have the model think."""

    chats: tuple[tuple[Message, ...], ...]
    thinking: bool

    @property
    def texts(self) -> list[str]:
        """The user turns, which are compared by themselves first."""
        return list(dict.fromkeys(chat[-1].content for chat in self.chats))

    @property
    def messages(self) -> list[list[dict[str, str]]]:
        """The chats as servers and chat templates take them."""
        return [[{"role": role, "content": content} for role, content in chat] for chat in self.chats]

    def part(self, place: int) -> str:
        """What the list of tokens at this place is of: texts come first."""
        texts = self.texts
        text = texts[place] if place < len(texts) else self.chats[place - len(texts)][-1].content
        kind = "a prompt" if place < len(texts) else "a whole request, as the chat template renders it"
        return f"{kind}: {' '.join(text.split())[:60]!r}"


class _Encoded(BaseModel):
    """What `machine/encode.py` answers."""

    tokens: Ids
    shown: list[list[str]]


class Encoder(NamedTuple):
    """A model's tokenizer as an interpreter's transformers makes it."""

    python: Path
    model: str
    revision: str
    trust_remote_code: bool

    async def tokens(self, sample: Sample) -> Ids:
        """Of the texts, then of the chats. Raises `EngineError` if the tokenizer cannot be loaded there."""
        found = (await self._run(sample, ())).tokens
        if len(found) != len(sample.texts) + len(sample.chats):
            raise EngineError(f"{self.python}: the tokenizer of {self.model}: not every text has an answer")
        return found

    async def shown(self, ids: Sequence[Sequence[int]]) -> list[list[str]]:
        """Tokens as text. Raises `EngineError` as `tokens` does."""
        return (await self._run(Sample((), False), ids)).shown

    async def _run(self, sample: Sample, ids: Sequence[Sequence[int]]) -> _Encoded:
        job = {
            **self._asdict(),
            "thinking": sample.thinking,
            "texts": sample.texts,
            "chats": sample.messages,
            "ids": ids,
        }
        process = await asyncio.create_subprocess_exec(
            *guarded([str(self.python), "-I", str(_SCRIPT)]),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "TOKENIZERS_PARALLELISM": "false"},
        )
        try:
            output, said = await process.communicate(orjson.dumps(job, default=str))
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            await process.wait()
        answer = next((line[5:] for line in reversed(output.splitlines()) if line.startswith(b"LIDR ")), b"")
        with contextlib.suppress(ValueError):
            return _Encoded.model_validate_json(answer)
        why = " ".join(last_said(said.decode(errors="replace")))
        raise EngineError(f"{self.python}: the tokenizer of {self.model} cannot be loaded: {why}")

    def key(self, sample: Sample) -> str | None:
        """Names all that these tokens depend on; None where the files of the tokenizer are not at hand."""
        folder = Path(os.path.expanduser(self.model))
        if not os.path.isdir(folder):
            known = hub.cached(self.model, "tokenizer_config.json", revision=self.revision)
            if known is None:
                return None
            folder = known.parent
        names = MODEL_FILES - hub.WEIGHT_FILES
        parts = [
            [path.name, sha256_of(path)] for path in sorted(folder.iterdir()) if path.suffix in names and path.is_file()
        ]
        made = versions(self.python, "transformers", "tokenizers")
        told = orjson.dumps([str(self.python), made, parts, sample.thinking, sample.messages])
        return hashlib.sha256(told).hexdigest()


def digest(ids: Ids) -> str:
    """A name for lists of tokens."""
    return hashlib.sha256(orjson.dumps(ids)).hexdigest()


def remembered(key: str | None) -> str | None:
    """The digest of the tokens with this key, as they were found in an earlier run."""
    found = _memory().get(key or "")
    return found if isinstance(found, str) else None


def remember(key: str | None, ids: Ids) -> None:
    """Spares a later run the start of the other environment. A home that cannot be written forgets."""
    if key is None:
        return
    entries = [item for item in _memory().items() if item[0] != key][1 - _REMEMBERED :]
    with contextlib.suppress(OSError):
        files.write_json(_file(), {**dict(entries), key: digest(ids)})


def _file() -> Path:
    return home() / "tokens.json"


def _memory() -> dict[str, Any]:
    with contextlib.suppress(InputError):
        found = read_json(_file())
        return found if isinstance(found, dict) else {}
    return {}
