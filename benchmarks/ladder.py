"""One client, more and more servers: requests a second as a share of linear, and how many of them one core carries.

    python -m benchmarks.ladder                              1, 2, 4, 8 simulated servers, through one client; limit: 0.9 of linear
    python -m benchmarks.ladder --ray --servers 1 2          through Ray, with a worker for each server

A simulated server is a process that answers so many requests a second (`--rate`) and no more. The speed is that of the
middle three fifths of the requests, as the servers count them: start and end of the run are not in it. The client's CPU time
is that of the whole command but its start, which a run of no prompts tells. On a machine that does other work lower the rate.
"""

import argparse
import asyncio
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.conftest import prompts, write_prompts
from tests.support.server import FakeServer, running

LIDR = [sys.executable, "-c", "from lidr_cli.main import main; main()"]
IN_FLIGHT = 32
"""For each server."""
REQUESTS_A_PROMPT = 4


class Rated(FakeServer):
    """Answers so many requests a second, each in its turn."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self._pause, self._next = 1 / rate, 0.0
        self.times: list[float] = []

    async def _chat(self, request: dict[str, Any], text: str, tries: int, writer: asyncio.StreamWriter) -> bool:
        now = time.monotonic()
        self._next = max(now, self._next + self._pause)
        await asyncio.sleep(self._next - now)
        self.times.append(time.monotonic())
        return await super()._chat(request, text, tries, writer)

    async def _respond(self, path: str, body: bytes, writer: asyncio.StreamWriter) -> bool:
        if path.endswith("/times"):
            return self._send(writer, 200, self.times)
        return await super()._respond(path, body, writer)


class Step(NamedTuple):
    """What so many servers came to: requests a second, and CPU seconds of the client for a request."""

    servers: int
    speed: float
    cpu: float


@contextmanager
def simulated(rate: float) -> Iterator[str]:
    """A server in a process of its own; yields its address."""
    command = [sys.executable, "-m", "benchmarks.ladder", "--serve", str(rate)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


def spent() -> float:
    """CPU seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def build(folder: Path, urls: Sequence[str], count: int, *, ray: bool) -> float:
    """Builds from so many prompts; the CPU seconds that it took."""
    shutil.rmtree(folder / "run", ignore_errors=True)
    write_prompts(folder, prompts(count, ("en", "de")))
    settings = {
        "model_name_or_path": "fake",
        "template": "qwen",
        "languages": ["de"],
        "prompts": "prompts/{language}.jsonl",
        "engine": {"backend": "openai", "base_url": list(urls), "concurrency": IN_FLIGHT * (1 if ray else len(urls))},
        "cluster": {"workers": len(urls), "shards": len(urls), "cpus_per_worker": 0.1},
        "filters": {"fidelity": False},
        "output_dir": str(folder / "run"),
    }
    (folder / "lidr.yaml").write_text(yaml.safe_dump(settings))
    before = spent()
    command = [*LIDR, "build-pairs", str(folder / "lidr.yaml"), *(["--ray", "local"] if ray else [])]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
    return spent() - before


def speed_of(urls: Sequence[str]) -> float:
    """Requests a second of all servers together, between the first fifth of the requests and the last."""
    times: list[float] = []
    for url in urls:
        with urllib.request.urlopen(f"{url}/times") as answer:
            times += json.load(answer)
    times.sort()
    first, last = len(times) // 5, len(times) * 4 // 5
    return (last - first) / (times[last] - times[first])


def climb(folder: Path, servers: int, args: argparse.Namespace) -> Step:
    """One step."""
    count = max(8, round(args.rate * servers * args.seconds / REQUESTS_A_PROMPT))
    with ExitStack() as stack:
        urls = [stack.enter_context(simulated(args.rate)) for _ in range(servers)]
        start = 0.0 if args.ray else build(folder, urls, 1, ray=False)
        cpu = build(folder, urls, count, ray=args.ray) - start
        return Step(servers, speed_of(urls), cpu / (count * REQUESTS_A_PROMPT))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--rate", type=float, default=40.0, help="requests a second of one server")
    parser.add_argument("--seconds", type=float, default=20.0, help="of a step, about")
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--serve", type=float, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        with running(Rated(args.serve)) as url:
            print(url, flush=True)
            threading.Event().wait()
    folder = Path(tempfile.mkdtemp(prefix="lidr-bench-"))
    try:
        print(
            f"{os.cpu_count()} cores, {args.rate:g} requests/s a server, {'a worker each' if args.ray else 'one client'}"
        )
        for servers in args.servers:
            step = climb(folder, servers, args)
            share = step.speed / (servers * args.rate)
            line = f"{servers} servers: {step.speed:7.1f} requests/s = {share:.2f} of linear (limit: 0.9)"
            if not args.ray:
                line += f"; {1e3 * step.cpu:.2f} ms of CPU each: one core carries {1 / step.cpu:,.0f} requests/s"
            print(line, flush=True)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
