"""Several vLLM servers of one model on this machine, each on GPUs of its own, that lidr starts and spreads requests over."""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self, TypeVar

from lidr_plugin.completions.engines.servers import Vllm, free_port, on_cpu
from lidr_plugin.completions.engines.watched import Died, Watched
from lidr_plugin.completions.progress import say
from lidr_plugin.completions.requests import Chat, Completion, Score, Scored
from lidr_plugin.completions.tokens import Encoder, Ids, Sample
from lidr_plugin.config.engine import EngineSettings
from lidr_plugin.errors import EngineError
from lidr_plugin.machine.kv_cache import VARIABLE
from lidr_plugin.machine.shares import CORES, GPUS, PORT, cores_for, gpus_for, ports_for

_Answer = TypeVar("_Answer")


class Replicas:
    """As one server, with the answers of several: the least busy is asked.

    One that dies or hangs at work is dropped until it is started again, as often as a single one is, while the others answer
    what it had no time for. One that is beyond that is left out; the run ends when none is left.

    Args:
        make: a server with these settings that writes to this log.
        log: each server's has a number added to its name.
    """

    def __init__(self, config: EngineSettings, make: Callable[[EngineSettings, Path], Vllm], log: Path) -> None:
        self._config = config
        self._make = make
        self._log = log
        self._pattern = make(config, log)  # never started: it knows the interpreter, the scores, the size of a cache
        self.scores = self._pattern.scores
        self._each: list[Vllm] = []
        self._busy: Counter[Vllm] = Counter()
        self._starting: dict[Vllm, asyncio.Task[object]] = {}
        self._life = AsyncExitStack()

    def interpreter(self) -> str:
        """The Python that has vLLM. Raises `EngineError` where none has."""
        return self._pattern.interpreter()

    def encoder(self) -> Encoder:
        """The model's tokenizer as the servers' interpreter reads it. Raises `EngineError` as `interpreter` does."""
        return self._pattern.encoder()

    def _settings(self) -> list[EngineSettings]:
        """Those of each server, with its share of the machine."""
        config, number = self._config, self._config.replicas
        given = {**os.environ, **config.env}
        # On Kubernetes a service that is called vllm leaves an address in this variable.
        first = given.get(PORT, "")
        shares = [{PORT: port} for port in ports_for(number, int(first) if first.isdecimal() else free_port())]
        args = dict(config.args)
        if on_cpu(Path(self.interpreter())):
            if CORES not in given:
                shares = [{**share, CORES: x} for share, x in zip(shares, self._cores(), strict=True)]
            if cache := self._pattern.fitting_cache(number):
                shares = [{**share, VARIABLE: str(cache.gib)} for share in shares]
                if not {"max_num_seqs", "max-num-seqs"} & set(args):
                    args["max_num_seqs"] = cache.sequences
        else:
            gpus = gpus_for(number, config.gpus_of_a_server, given)
            shares = [{**share, GPUS: x} for share, x in zip(shares, gpus, strict=True)]
        return [config.model_copy(update={"env": {**config.env, **share}, "args": args}) for share in shares]

    def _cores(self) -> list[str]:
        return cores_for(self._config.replicas, self._config.gpus_of_a_server)

    async def __aenter__(self) -> Self:
        """Starts all servers at once and waits until they are healthy.

        Raises:
            EngineError: one is not; none is left running then.
        """
        logs = [self._log.with_stem(f"{self._log.stem}-{number}") for number in range(self._config.replicas)]
        self._each = [self._make(*given) for given in zip(self._settings(), logs, strict=True)]
        async with AsyncExitStack() as life:
            life.push_async_callback(self._end)
            self._starting = {server: asyncio.create_task(server.__aenter__()) for server in self._each}
            await asyncio.gather(*self._starting.values())
            self._starting = {}
            self._life = life.pop_all()
        return self

    async def _end(self) -> None:
        for task in self._starting.values():
            task.cancel()
        await asyncio.gather(*self._starting.values(), return_exceptions=True)
        await asyncio.gather(*(server.__aexit__() for server in self._each))

    async def complete(self, request: Chat) -> Completion:
        """Answers one request, by another server where one dies.

        Raises:
            RequestError: it failed for good.
            EngineError: each server died more often than it is started again.
        """
        return await self._asked(lambda server: server.complete(request))

    async def score(self, request: Score) -> Scored:
        """One score, likewise. Raises as `complete` does."""
        return await self._asked(lambda server: server.score(request))

    async def _asked(self, ask: Callable[[Watched], Awaitable[_Answer]]) -> _Answer:
        while True:
            server = await self._least_busy()
            self._busy[server] += 1
            try:
                return await server.once(ask)
            except Died:
                continue
            finally:
                self._busy[server] -= 1

    async def _least_busy(self) -> Vllm:
        while True:
            self._look_after()
            if well := [server for server in self._each if server.is_well]:
                return min(well, key=self._busy.__getitem__)
            await asyncio.wait(self._starting.values(), return_when=asyncio.FIRST_COMPLETED)

    def _look_after(self) -> None:
        """Has those that died started again, and leaves out those that died too often. Raises `EngineError` if none is left."""
        for server in [server for server, task in self._starting.items() if task.done()]:
            try:
                self._starting.pop(server).result()
            except EngineError as error:
                self._each.remove(server)
                if not self._each:
                    self._each.append(server)  # whoever asks next is told the same
                    raise
                what = error.message.partition(". The end of")[0]
                say(f"{what}: {len(self._each)} of {self._config.replicas} go on without it")
        for server in self._each:
            if not server.is_well and server not in self._starting:
                self._starting[server] = asyncio.create_task(server.mend())

    async def tokens(self, sample: Sample) -> list[Ids]:
        """As the servers read them, which are all alike."""
        return await self._each[0].tokens(sample)

    def last_words(self) -> str:
        """The last line that the first of them wrote; empty if there is none."""
        return self._each[0].last_words() if self._each else ""

    async def __aexit__(self, *_: object) -> None:
        """Stops the servers."""
        await self._life.aclose()
