"""What `python -m vllm.entrypoints.openai.api_server` looks like from outside, without a model.

`--behave` as one of `engine.args`: `well`, `die` (before it is healthy), `never` (healthy), `fall` (at the first request).
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from aiohttp import web

from tests.support.replies import answer


def application(behave: str) -> web.Application:
    """The server's routes."""

    async def health(_: web.Request) -> web.Response:
        return web.Response(status=503 if behave == "never" else 200)

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "policy", "max_model_len": 4096}]})

    async def chat(request: web.Request) -> web.Response:
        if behave == "fall" and (await request.json())["max_tokens"] > 1:
            os._exit(3)
        return answer("fine")

    app = web.Application()
    app.add_routes([web.get("/health", health), web.get("/v1/models", models), web.post("/v1/chat/completions", chat)])
    return app


def interpreter(folder: Path) -> str:
    """An interpreter that runs this module, whatever it is told to run."""
    path = folder / "python"
    root = Path(__file__).resolve().parents[2]
    path.write_text(f'#!/bin/sh\ncd "{root}"\nexec "{sys.executable}" -m tests.support.vllm_server "$@"\n')
    path.chmod(0o755)
    return str(path)


def main() -> None:
    """Serves until stopped."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-m")
    parser.add_argument("--port", type=int)
    parser.add_argument("--behave", default="well")
    args, _ = parser.parse_known_args()
    print(f"serving on {args.port}", flush=True)
    print(*sys.argv, f"with a cache of {os.environ.get('VLLM_CPU_KVCACHE_SPACE')} GiB", flush=True)
    if args.behave == "die":
        sys.exit("ValueError: No available memory for the cache blocks")
    web.run_app(application(args.behave), host="127.0.0.1", port=args.port, print=None, loop=asyncio.new_event_loop())


if __name__ == "__main__":
    main()
