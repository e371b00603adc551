"""What `python -m vllm.entrypoints.openai.api_server` looks like from outside, without a model.

`--behave` as one of `engine.args`; `--behave fall,die,well` gives one for each life, counted in the file of `--lives`:

    well
    die      ends before it is healthy
    never    is not healthy
    fall     ends at the `--at`-th request
    error    its engine is dead from the `--at`-th request on: 500 to all, 503 as its health, and it goes on so
    hang     gives no answer to the `--at`-th request and those after it, and its health is fine
    freeze   stops altogether (SIGSTOP) at the `--at`-th request
    mute     gives no answer to the `--at`-th request alone
"""

import argparse
import asyncio
import os
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import web

from lidr_plugin.completions.engines.capabilities import TRIAL
from tests.support import scores
from tests.support.replies import answer, refusal
from tests.support.templates import Template


class Behaviour(NamedTuple):
    """What it does, and from which request on."""

    name: str
    at: int


def spoken(body: Mapping[str, Any]) -> str:
    """A judge prefers the greater number, samples differ by their prompts and seeds, and all else is fine."""
    text = body["messages"][0]["content"]
    if text.startswith("Below are a request"):
        first, *second = map(int, re.findall(r"^fine (\d+)$", text, re.MULTILINE))
        return ("A" if first > second[0] else "B") if second else str(first % 11)
    return f"fine {1000 * body['seed'] + sum(map(ord, text)) % 997}" if body.get("temperature") else "fine"


class Pretender:
    """The server's routes, for one model: others find the same text more or less likely."""

    def __init__(self, behaviour: Behaviour, model: str = "") -> None:
        self._behaviour = behaviour
        self._model = model
        self._asked = 0

    async def health(self, _: web.Request) -> web.Response:
        """As vLLM's."""
        failed = self._behaviour.name == "error" and self._asked >= self._behaviour.at
        return web.Response(status=503 if failed or self._behaviour.name == "never" else 200)

    async def models(self, _: web.Request) -> web.Response:
        """One, named as lidr names it."""
        return web.json_response({"data": [{"id": "policy", "max_model_len": 4096}]})

    async def chat(self, request: web.Request) -> web.Response:
        """Answers, until it is time."""
        body = await request.json()
        text = body["messages"][0]["content"]
        if text == TRIAL:
            return answer("yes")
        self._asked += 1
        print(f"asked: {text}", flush=True)
        name, at = self._behaviour
        if self._asked >= at:
            if name == "fall":
                os._exit(3)
            if name == "error":
                return refusal(500, "EngineCore encountered an issue. See stack trace (above) for the root cause.")
            if name == "freeze":
                os.kill(os.getpid(), signal.SIGSTOP)
            if name == "hang" or (name == "mute" and self._asked == at):
                await asyncio.sleep(3600)
        return answer(spoken(body))

    async def tokenize(self, request: web.Request) -> web.Response:
        """By a template of letters."""
        return web.json_response({"tokens": Template().tokenize(await request.json())})

    async def score(self, request: web.Request) -> web.Response:
        """A log-probability, a reward or an embedding, another one for each model."""
        body = await request.json()
        print(f"scored: {request.path}", flush=True)
        told = scores.answer(request.path, {**body, "model": self._model})
        if request.path.endswith("/completions"):
            odd = sum(body["prompt"]) % 7 * len(self._model)
            for said in told["choices"][0]["prompt_logprobs"][1:]:
                for token in said.values():
                    token["logprob"] -= odd / 100
        return web.json_response(told)

    def application(self) -> web.Application:
        """To be served."""
        app = web.Application()
        routes = [web.get("/health", self.health), web.get("/v1/models", self.models)]
        asked = {"/v1/chat/completions": self.chat, "/tokenize": self.tokenize}
        asked |= dict.fromkeys(("/pooling", "/v1/embeddings", "/v1/completions"), self.score)
        app.add_routes([*routes, *(web.post(path, handler) for path, handler in asked.items())])
        return app


def interpreter(folder: Path) -> str:
    """An interpreter that runs this module, whatever it is told to run; asked for tokens it reads letters."""
    path = folder / "python"
    root = Path(__file__).resolve().parents[2]
    path.write_text(
        f'#!/bin/sh\ncd "{root}"\ncase "$*" in *encode.py) exec "{sys.executable}" -m tests.support.encoder;; esac\n'
        f'exec "{sys.executable}" -m tests.support.vllm_server "$@"\n'
    )
    path.chmod(0o755)
    return str(path)


def process_of(folder: Path) -> int | None:
    """A server's process, by the test's mark in its environment (`LIDR_TEST`), which nobody else's has."""
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if (
                f"LIDR_TEST={folder}".encode() in path.read_bytes().split(b"\0")
                and int(path.parent.name) != os.getpid()
            ):
                return int(path.parent.name)
        except OSError:
            continue
    return None


def main() -> None:
    """Serves until stopped."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-m")
    parser.add_argument("--port", type=int)
    parser.add_argument("--model", default="")
    parser.add_argument("--behave", default="well")
    parser.add_argument("--at", type=int, default=1)
    parser.add_argument("--lives", type=Path)
    args, _ = parser.parse_known_args()
    print(f"serving on {args.port}", flush=True)
    print(*sys.argv, f"with a cache of {os.environ.get('VLLM_CPU_KVCACHE_SPACE')} GiB", flush=True)
    print({name: value for name, value in os.environ.items() if name.startswith(("VLLM_", "CUDA_"))}, flush=True)
    lives = args.behave.split(",")
    if args.lives:
        with args.lives.open("ab", buffering=0) as file:  # appended to by servers that start at once
            file.write(b"x")
            lives = lives[file.tell() - 1 :] or lives[-1:]
    behaves = lives[0]
    if behaves == "die":
        sys.exit("ValueError: No available memory for the cache blocks")
    app = Pretender(Behaviour(behaves, args.at), args.model).application()
    web.run_app(app, host="127.0.0.1", port=args.port, print=None, loop=asyncio.new_event_loop(), shutdown_timeout=0.1)


if __name__ == "__main__":
    main()
