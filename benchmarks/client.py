"""lidr's throughput against a bare loop of the `openai` client that sends the same requests at the same concurrency.

    python -m benchmarks.client --prompts 1000                           a fake server without delay: requests/s
    python -m benchmarks.client --prompts 24 --concurrency 64 --url http://127.0.0.1:8000/v1 --model NAME
                                                                         a real server: tokens/s

lidr runs first against an empty store. Its requests are then read from the store and sent again by the bare loop. On a
real server the order matters if it caches prefixes: start it with --no-enable-prefix-caching.
"""

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson
import yaml
from openai import AsyncOpenAI

from lidr_plugin.completions.store import Store
from tests.conftest import prompts, write_prompts


def run_lidr(folder: Path, url: str, model: str, args: argparse.Namespace) -> tuple[float, int]:
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
    (folder / "lidr.yaml").write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-c", "from lidr_cli.main import main; main()", "build-pairs", str(folder / "lidr.yaml")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    report = json.loads((folder / "run/report.json").read_text())
    return report["seconds"], report["tokens"]["completion"]


async def bare_loop(url: str, model: str, requests: list[dict[str, Any]], concurrency: int) -> tuple[float, int]:
    client = AsyncOpenAI(base_url=url, api_key="none", timeout=600, max_retries=0)
    slots = asyncio.Semaphore(concurrency)

    async def one(request: dict[str, Any]) -> int:
        messages, extra = request["messages"], {"repetition_penalty": request["repetition_penalty"]}
        if request["prefill"]:
            messages = [*messages, {"role": "assistant", "content": request["prefill"]}]
            extra |= {"add_generation_prompt": False, "continue_final_message": True}
        async with slots:
            answer = await client.chat.completions.create(
                model=model,
                messages=messages,
                temperature=request["temperature"],
                top_p=request["top_p"],
                max_tokens=request["max_tokens"],
                seed=request["seed"],
                extra_body=extra,
            )
        return answer.usage.completion_tokens if answer.usage else 0

    begun = time.perf_counter()
    tokens = await asyncio.gather(*(one(request) for request in requests))
    return time.perf_counter() - begun, sum(tokens)


def measure(url: str, model: str, args: argparse.Namespace) -> None:
    folder = Path(tempfile.mkdtemp(prefix="lidr-bench-"))
    try:
        write_prompts(folder, prompts(args.prompts, ("en", "de")))
        seconds, tokens = run_lidr(folder, url, model, args)
        with Store(folder / "run/completions.sqlite", read_only=True) as store:
            requests = [orjson.loads(entry.request) for entry in store.entries()]
        bare_seconds, bare_tokens = asyncio.run(bare_loop(url, model, requests, args.concurrency))
        count = len(requests)
        print(f"{count:,} requests, concurrency {args.concurrency}")
        print(f"lidr:      {count / seconds:8.1f} requests/s {tokens / seconds:8.1f} tokens/s")
        print(f"bare loop: {count / bare_seconds:8.1f} requests/s {bare_tokens / bare_seconds:8.1f} tokens/s")
        print(
            f"ratio:     {bare_seconds / seconds:8.2f} requests/s {tokens / seconds / (bare_tokens / bare_seconds):8.2f} tokens/s"
        )
    finally:
        shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=1000)
    parser.add_argument("--files", help="prompt files, with {language}; made up if not given")
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--url", help="a real server; without it, a fake one in a process of its own")
    parser.add_argument("--model", default="fake")
    args = parser.parse_args()
    if args.url:
        measure(args.url, args.model, args)
        return
    command = [sys.executable, "-m", "tests.support.server", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            measure(server.stdout.readline().strip(), args.model, args)
        finally:
            server.kill()


if __name__ == "__main__":
    main()
