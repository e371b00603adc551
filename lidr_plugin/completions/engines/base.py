"""The one narrow interface to whatever answers requests, and the builder that picks an engine from the configuration."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

from lidr_plugin.completions.engines.purpose import Purpose
from lidr_plugin.completions.requests import Chat, Completion, Need, Score, Scored
from lidr_plugin.errors import EngineError

if TYPE_CHECKING:
    from lidr_plugin.config.engine import EngineSettings


class Engine(Protocol):
    """Answers requests, inside of `async with`."""

    async def __aenter__(self) -> Self:
        """Makes ready. Raises `EngineError` if that fails, and then leaves nothing running."""

    async def complete(self, request: Chat) -> Completion:
        """Answers one request. Raises `RequestError` when it failed for good."""

    async def __aexit__(self, *_: object) -> None:
        """Ends what `__aenter__` began."""


@runtime_checkable
class Scoring(Protocol):
    """An engine that gives scores too.

    Attributes:
        scores: what it can do; known before it is opened.
    """

    @property
    def scores(self) -> frozenset[Need]: ...

    async def score(self, request: Score) -> Scored:
        """One score, as the model gives it. Raises `RequestError` when it failed for good."""


def scores_of(engine: Engine) -> frozenset[Need]:
    """The scores that an engine gives."""
    return engine.scores if isinstance(engine, Scoring) else frozenset()


@runtime_checkable
class Logged(Protocol):
    """An engine that has a server with a log."""

    def last_words(self) -> str:
        """The last line that the server wrote; empty if there is none."""


class NamedEngine(Engine, Protocol):
    """An engine that a program brings along.

    Attributes:
        identity: tells its model from every other; completions are found by it.
    """

    identity: str


def backend_of(config: EngineSettings) -> str:
    """The backend in effect: the one named, else a server that is given, else vLLM, else transformers."""
    from lidr_plugin.machine.environments import python_of

    if config.backend:
        return config.backend
    if config.base_url:
        return "openai"
    return "vllm" if config.python or python_of("vllm") or importlib.util.find_spec("vllm") else "transformers"


def build_engine(
    config: EngineSettings,
    *,
    model: str,
    purpose: Purpose,
    log: Path,
    revision: str = "main",
    trust_remote_code: bool = False,
) -> Engine:
    """The engine for `config`, not opened yet.

    Args:
        log: where a server that lidr starts writes.
    """
    backend = backend_of(config)
    if backend == "openai":
        return _at_an_address(config, model, purpose)
    if backend == "vllm":
        from lidr_plugin.completions.engines.replicas import Replicas
        from lidr_plugin.completions.engines.servers import Vllm
        from lidr_plugin.machine.access import key_of

        key_of("VLLM_API_KEY")  # what is wrong with it is told before anything is written
        served: dict[str, Any] = {"model": model, "revision": revision, "trust_remote_code": trust_remote_code}
        if config.replicas == 1:
            return Vllm(config, log=log, purpose=purpose, **served)
        return Replicas(config, lambda settings, path: Vllm(settings, log=path, purpose=purpose, **served), log)
    return _in_process(config, model, revision, trust_remote_code, purpose)


def _at_an_address(config: EngineSettings, model: str, purpose: Purpose) -> Engine:
    from lidr_plugin.completions.engines.openai import OpenAI
    from lidr_plugin.completions.engines.pooling import Pooling

    server: dict[str, Any] = {
        "model": config.model or model,
        "api_key_env": config.api_key_env,
        "timeout": config.timeout,
        "max_retries": config.max_retries,
    }
    if purpose.scores & Pooling.scores:
        return Pooling(config.base_url, wanted=purpose.scores, **server)
    return OpenAI(config.base_url, max_tokens=purpose.max_tokens, top_logprobs=purpose.top_logprobs, **server)


def _in_process(config: EngineSettings, model: str, revision: str, trust_remote_code: bool, purpose: Purpose) -> Engine:
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("transformers") is None:
        raise EngineError(
            "engine.backend: transformers is not installed in this environment",
            "pip install 'lidr[transformers]', or `lidr env create vllm`, or give a server: engine.base_url=http://…/v1",
        )
    loaded: dict[str, Any] = {
        "revision": revision,
        "trust_remote_code": trust_remote_code,
        "device": config.device,
        "dtype": config.dtype,
    }
    if purpose.scores:
        from lidr_plugin.completions.engines.scorer import Scorer

        return Scorer(model, wanted=purpose.scores, **loaded)
    if purpose.translates:
        from lidr_plugin.completions.engines.seq2seq import Seq2Seq

        return Seq2Seq(model, batch_size=config.batch_size, **loaded)
    from lidr_plugin.completions.engines.transformers import Transformers

    return Transformers(model, batch_size=config.batch_size, **loaded)
