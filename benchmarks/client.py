"""lidr's throughput against a bare loop of aiohttp that sends the same requests at the same concurrency.

    python -m benchmarks.client                                          a fake server without delay: requests/s
    python -m benchmarks.client --beside OTHER/.venv/bin/python          and another version's lidr, in turns
    python -m benchmarks.client --prompts 24 --concurrency 64 --times 1 --url http://127.0.0.1:8000/v1 --model NAME
                                                                         a real server: tokens/s

`lidr build-pairs` runs first, against an empty store, and is timed as a user times it: from the start of the process to
its end. Its requests are then read from the store and sent again by the bare loop, whose imports are not timed. On a real
server the order matters if it caches prefixes: start it with --no-enable-prefix-caching.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import orjson
import yaml

from lidr_plugin.completions.store import Store
from tests.conftest import prompts, write_prompts

LIDR = "from lidr_cli.main import main; main()"


class Timed(NamedTuple):
    """What was answered, and how long it took."""

    requests: int
    tokens: int
    seconds: float


def write_case(folder: Path, url: str, model: str, args: argparse.Namespace) -> Path:
    write_prompts(folder, prompts(args.prompts, ("en", "de")))
    settings = {
        "model_name_or_path": model,
        "template": "qwen",
        "languages": ["de"],
        "prompts": args.files or "prompts/{language}.jsonl",
        "max_prompts": args.prompts,
        "engine": {"backend": "openai", "base_url": url, "concurrency": args.concurrency},
        "generation": {"max_tokens": args.max_tokens},
        "translation": {"max_tokens": args.max_tokens},
        "output_dir": str(folder / "run"),
    }
    path = folder / "lidr.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def time_lidr(python: str, config: Path) -> Timed:
    shutil.rmtree(config.parent / "run", ignore_errors=True)
    begun = time.perf_counter()
    command = [python, "-c", LIDR, "build-pairs", str(config)]
    # In the case's folder: from the root of a checkout, `-c` would import that checkout's modules with any interpreter.
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=config.parent)
    seconds = time.perf_counter() - begun
    report = json.loads((config.parent / "run/report.json").read_text())
    return Timed(report["completions"]["generated"], report["tokens"]["completion"], seconds)


def body_of(model: str, request: Mapping[str, Any]) -> dict[str, Any]:
    body = {"model": model, "chat_template_kwargs": {"enable_thinking": request["thinking"]}}
    body |= {key: request[key] for key in ("messages", "temperature", "top_p", "max_tokens", "seed")}
    body["repetition_penalty"] = request["repetition_penalty"]
    if request["prefill"]:
        body["messages"] = [*request["messages"], {"role": "assistant", "content": request["prefill"]}]
        body |= {"add_generation_prompt": False, "continue_final_message": True}
    return body


async def time_bare_loop(url: str, bodies: Sequence[Mapping[str, Any]], concurrency: int) -> Timed:
    tokens = 0

    async def post(session: aiohttp.ClientSession, body: Mapping[str, Any]) -> None:
        nonlocal tokens
        async with session.post(f"{url}/chat/completions", json=body) as response:
            tokens += (await response.json())["usage"]["completion_tokens"]

    begun = time.perf_counter()
    limits = {"connector": aiohttp.TCPConnector(limit=concurrency), "timeout": aiohttp.ClientTimeout(600)}
    async with aiohttp.ClientSession(**limits) as session:
        await asyncio.gather(*(post(session, body) for body in bodies))
    return Timed(len(bodies), tokens, time.perf_counter() - begun)


def show(name: str, runs: Sequence[Timed], bare: Sequence[Timed]) -> None:
    """The medians: the machine's other work hits one run or another."""
    requests = statistics.median(run.requests / run.seconds for run in runs)
    tokens = statistics.median(run.tokens / run.seconds for run in runs)
    line = f"{name:10} {requests:8.1f} requests/s {tokens:10.1f} tokens/s"
    if runs is not bare:
        ratio = statistics.median(b.seconds / run.seconds for run, b in zip(runs, bare, strict=True))
        line += f"   {ratio:.2f} of the bare loop"
    print(line)


def measure(url: str, model: str, args: argparse.Namespace) -> int:
    """Prints what it measures and returns how many requests were sent in all."""
    folder = Path(tempfile.mkdtemp(prefix="lidr-bench-"))
    try:
        config = write_case(folder, url, model, args)
        pythons = {"lidr": sys.executable} | ({"beside": args.beside} if args.beside else {})
        runs: dict[str, list[Timed]] = {name: [] for name in (*pythons, "bare loop")}
        for _ in range(args.times):
            for name, python in pythons.items():
                runs[name].append(time_lidr(python, config))
            with Store(folder / "run/completions.sqlite", read_only=True) as store:
                bodies = [body_of(model, orjson.loads(entry.request)) for entry in store.entries()]
            runs["bare loop"].append(asyncio.run(time_bare_loop(url, bodies, args.concurrency)))
        print(f"{len(bodies):,} requests, concurrency {args.concurrency}, median of {args.times}")
        for name, timed in runs.items():
            show(name, timed, runs["bare loop"])
        return sum(run.requests for timed in runs.values() for run in timed)
    finally:
        shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=1200, help="1,200 made-up ones come to 5,000 requests")
    parser.add_argument("--files", help="prompt files, with {language}; made up if not given")
    parser.add_argument("--concurrency", type=int, default=256, help="lidr's own default")
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--url", help="a real server; without it, a fake one in a process of its own")
    parser.add_argument("--model", default="fake")
    parser.add_argument("--beside", help="the interpreter of another version, for lidr then and now in one run")
    args = parser.parse_args()
    if args.url:
        measure(args.url, args.model, args)
        return
    command = [sys.executable, "-m", "tests.support.server", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            requests = measure(server.stdout.readline().strip(), args.model, args)
            ticks = sum(map(int, Path(f"/proc/{server.pid}/stat").read_text().split()[13:15]))
            print(f"the server took {1e3 * ticks / os.sysconf('SC_CLK_TCK') / requests:.2f} ms of CPU a request")
        finally:
            server.kill()


if __name__ == "__main__":
    main()
