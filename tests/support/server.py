"""A fake OpenAI server for tests and benchmarks: deterministic answers, and faults on order.

    python -m tests.support.server --port 8000 --delay 0.05 --faults '{"429": 0.1, "500": 0.1}'

Faults, each with the share of requests that meet it at their first try: `429`, `500`, `hang`, `reset`, `garbage`,
`400` (every try). GET /log returns what was asked and answered.
"""

import argparse
import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

from lidr_plugin.completions.engines.capabilities import TRIAL
from tests.support import encoder, model, scores
from tests.support.child import PATIENCE


class FakeServer:
    """Answers chat requests with `model.answer`.

    Attributes:
        asked: bodies of all chat requests, in order of arrival, without the trial requests.
        scored: bodies of all requests for rewards, embeddings and log-probabilities, without trials.
        score_script: for such a request's body the whole answer, or None: `scores.answer` has it.
        trials: the trial requests, by which a client finds out what the server takes; they meet no fault.
        answered: the user turns of those that got a whole answer.
        script: for a request's body the choice of its answer, or None: `model.answer` has it.
        tokens: what `/tokenize` gives for a text; None: there is none.
        refuses: a field of the request that is answered with 400.
        ignores_prefill: takes a begun answer without a word, and begins anew.
        trial_letter: what it says in every trial of that; empty: as it does.
    """

    def __init__(
        self,
        *,
        served: str | list[str] = "fake",
        delay: float = 0.0,
        jitter: float = 0.0,
        faults: dict[str, float] | None = None,
        takes_prefill: bool = True,
        retry_after: str = "0",
        context: int | None = None,
    ) -> None:
        self.served = served
        self.delay = delay
        self.jitter = jitter
        self.faults = faults or {}
        self.takes_prefill = takes_prefill
        self.retry_after = retry_after
        self.context = context
        self.script: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda _: None
        self.tokens: Callable[[str], list[int]] | None = None
        self.refuses = ""
        self.ignores_prefill = False
        self.trial_letter = ""
        self.asked: list[dict[str, Any]] = []
        self.scored: list[dict[str, Any]] = []
        self.score_script: Callable[[dict[str, Any]], Any | None] = lambda _: None
        self.trials: list[dict[str, Any]] = []
        self.answered: list[str] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self._tries: dict[str, int] = {}

    def fault_of(self, text: str) -> str | None:
        """The fault that this request meets, by its content."""
        if not self.faults:
            return None
        share, rolled = 0.0, model.digest("fault" + text) % 10_000 / 10_000
        for name, chance in self.faults.items():
            share += chance
            if rolled < share:
                return name
        return None

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, kept open for many requests."""
        stops = (asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError, asyncio.CancelledError)
        with contextlib.suppress(*stops):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = next((int(x[15:]) for x in head.lower().split("\r\n") if x.startswith("content-length:")), 0)
                body = await reader.readexactly(length)
                if not await self._respond(head.split(" ")[1], body, writer):
                    break
        writer.close()

    async def _respond(self, path: str, body: bytes, writer: asyncio.StreamWriter) -> bool:
        if path.endswith("/models"):
            names = [self.served] if isinstance(self.served, str) else self.served
            return self._send(writer, 200, {"data": [{"id": name, "max_model_len": self.context} for name in names]})
        if path.endswith("/tokenize"):
            if self.tokens is None:
                return self._send(writer, 404, {"error": "not found"})
            told = json.loads(body)
            text = told["prompt"] if "prompt" in told else encoder.rendered(told["messages"])
            return self._send(writer, 200, {"tokens": self.tokens(text), "count": 1})
        if path.endswith(scores.ROUTES):
            return await self._score(path, json.loads(body), writer)
        if path.endswith("/log"):
            return self._send(writer, 200, {"asked": self.asked, "answered": self.answered})
        request = json.loads(body)
        if request["messages"][0]["content"] == TRIAL:
            self.trials.append(request)
            refused = self._refusal(request)
            goes_on = request["messages"][-1]["role"] == "assistant" and not self.ignores_prefill
            letter = self.trial_letter or ("U" if goes_on else "P")
            spoken = {"choices": [{"message": {"role": "assistant", "content": letter}, "finish_reason": "length"}]}
            return self._send(writer, 400 if refused else 200, {"error": {"message": refused}} if refused else spoken)
        self.asked.append(request)
        text = json.dumps(request["messages"], ensure_ascii=False)
        tries = self._tries[text] = self._tries.get(text, 0) + 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            wait = self.delay + self.jitter * (model.digest("wait" + text) % 1000) / 1000
            if wait:
                await asyncio.sleep(wait)
            return await self._chat(request, text, tries, writer)
        finally:
            self.in_flight -= 1

    async def _score(self, path: str, request: dict[str, Any], writer: asyncio.StreamWriter) -> bool:
        if TRIAL not in str(request) and request.get("input") not in scores.TRIALS:
            self.scored.append(request)
            await asyncio.sleep(self.delay + self.jitter * (model.digest(str(request)) % 1000) / 1000)
        scripted = self.score_script(request)
        self._send(writer, 200, scores.answer(path, request) if scripted is None else scripted)
        await writer.drain()
        return True

    async def _chat(self, request: dict[str, Any], text: str, tries: int, writer: asyncio.StreamWriter) -> bool:
        fault = self.fault_of(text)
        if fault == "400":
            return self._send(writer, 400, {"error": {"message": "this request is bad"}})
        if fault and tries == 1:
            if fault == "429":
                return self._send(writer, 429, {"error": "slow down"}, f"Retry-After: {self.retry_after}\r\n")
            if fault == "500":
                return self._send(writer, 500, {"error": "oops"})
            if fault == "garbage":
                return self._send(writer, 200, {"choices": "none"})
            if fault == "reset":
                writer.transport.abort()
                return False
            await asyncio.sleep(30)
        if refused := self._refusal(request):
            return self._send(writer, 400, {"error": {"message": refused}})
        scripted = self.script(request)
        if scripted is not None:
            usage = {"prompt_tokens": len(text.split()), "completion_tokens": 1}
            self._send(writer, 200, {"choices": [{"index": 0, "finish_reason": "stop", **scripted}], "usage": usage})
            await writer.drain()
            return True
        answer, finish = model.answer(request["messages"])
        if not self.takes_prefill and "<sentence>" in text:
            answer = "<translated>\n" + answer
        if self.ignores_prefill and "<sentence>" in text:
            answer = "Sure! Here is the translation:\n\n<translated>\n" + answer
        choice = {"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": finish}
        usage = {"prompt_tokens": len(text) // 4, "completion_tokens": len(answer) // 4}
        self._send(writer, 200, {"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage})
        await writer.drain()
        self.answered.append(text)
        return True

    def _refusal(self, request: dict[str, Any]) -> str:
        if not self.takes_prefill and request["messages"][-1]["role"] == "assistant":
            return "the last message must be the user's"
        return f"{self.refuses} is not supported" if self.refuses and self.refuses in request else ""

    @staticmethod
    def _send(writer: asyncio.StreamWriter, status: int, value: Any, headers: str = "") -> bool:
        content = json.dumps(value).encode()
        head = (
            f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{headers}Content-Length: {len(content)}\r\n\r\n"
        )
        writer.write(head.encode() + content)
        return True


@contextlib.contextmanager
def running(server: FakeServer, port: int = 0, host: str = "127.0.0.1") -> Iterator[str]:
    """The server on a thread of its own; yields its base URL."""
    loop = asyncio.new_event_loop()
    started: list[asyncio.Server] = []
    ready = threading.Event()

    async def serve() -> None:
        listener = await asyncio.start_server(server.handle, host, port, limit=1 << 24, backlog=2048)
        started.append(listener)
        ready.set()

    def work() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(serve())
        loop.run_forever()
        for task in asyncio.all_tasks(loop):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                loop.run_until_complete(task)
        started[0].close()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield f"http://{host}:{started[0].sockets[0].getsockname()[1]}/v1"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def main() -> None:
    """Serves until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--jitter", type=float, default=0.0)
    parser.add_argument("--faults", type=json.loads, default={})
    parser.add_argument("--served", default="fake")
    args = parser.parse_args()
    server = FakeServer(served=args.served, delay=args.delay, jitter=args.jitter, faults=args.faults)
    with running(server, args.port, args.host) as url:
        print(url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
