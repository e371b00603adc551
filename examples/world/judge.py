"""A judge of known quality for the world, whose M0 is too small to be one: a server that knows what is right, and errs at times."""

import json
import random
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from tasks import LANGUAGES

from lidr_plugin.text.numbers import is_correct

MODEL = "judge"
MISTAKEN = 0.2
_QUESTION = re.compile(r"\[Chat\]\n(.*)\n\[End of request\]", re.DOTALL)
_ANSWER = re.compile(r"\[Answer( [AB]|)\]\n(.*?)\n\[End of answer\1\]", re.DOTALL)
_RIGHT, _WRONG = "8", "3"


class Judge:
    """Believes of every answer that it is right or wrong, the same each time it is asked.

    Args:
        mistaken: the share of answers, at random, of which it believes the opposite of what is so.
    """

    def __init__(self, world: Path, mistaken: float = MISTAKEN) -> None:
        self._mistaken = mistaken
        self._known: dict[str, tuple[str, str]] = {}
        for code in LANGUAGES:
            for line in (world / f"prompts/{code}.jsonl").read_text().splitlines():
                row = json.loads(line)
                self._known[row["instruction"]] = row["final_answer"], code

    def reply(self, turn: str) -> str:
        """The letter of the better of two answers, or an answer's grade. Equally good ones are told apart by chance."""
        asked = _QUESTION.search(turn)
        if asked is None:  # lidr finds out first what a server takes
            return "A"
        merits = {letter.strip(): self._merit(asked[1], text) for letter, text in _ANSWER.findall(turn)}
        if "" in merits:
            return _RIGHT if merits[""] >= 1 else _WRONG
        return max(merits, key=merits.__getitem__)

    def _merit(self, question: str, answer: str) -> float:
        """One and more if it is taken for right, below one if it is not."""
        expected, code = self._known[question]
        chance = random.Random(f"{question}\n{answer}")
        believed = is_correct(answer, expected, code) != (chance.random() < self._mistaken)
        return believed + chance.random()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    judge: Judge

    def do_GET(self) -> None:
        """The list of models."""
        self._send({"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    def do_POST(self) -> None:
        """A verdict or a grade."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        message = {"role": "assistant", "content": self.judge.reply(asked["messages"][-1]["content"])}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 0, "completion_tokens": 1, "total_tokens": 1}
        self._send({"object": "chat.completion", "model": MODEL, "choices": [choice], "usage": usage})

    def _send(self, body: Mapping[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing of a request."""


@contextmanager
def served(judge: Judge) -> Iterator[str]:
    """The address of a server in a thread, which ends with the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"judge": judge}))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
