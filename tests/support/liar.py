"""A server in threads whose every reply a test makes of the whole request, its headers too; also a stub of a program."""

import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from lidr_plugin.completions.engines.capabilities import TRIAL
from tests.support import model


class Asked(NamedTuple):
    """A request: its body as JSON, empty where there is none."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]


class Reply(NamedTuple):
    """What goes back: bytes as they are, anything else as JSON."""

    status: int
    content: Any


Answering = Callable[[Asked], Reply]


def completion(text: str = "yes", **further: Any) -> Reply:
    """A chat completion; `further` beside its choices."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return Reply(200, {"choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 2}, **further})


def is_trial(asked: Asked) -> bool:
    """Whether it asks what the server can do, before there is any work."""
    messages = asked.body.get("messages")
    return bool(messages) and messages[0]["content"] == TRIAL


def honest(asked: Asked, served: str = "fake") -> Reply:
    """What the fake model answers, and the list of it alone; it takes a begun answer."""
    if asked.path.endswith("/models"):
        return Reply(200, {"data": [{"id": served}]})
    if is_trial(asked):
        return completion(", U")
    return completion(model.answer(asked.body["messages"])[0])


@contextmanager
def lying(reply: Answering, host: str = "127.0.0.1", *, keeps: bool = True) -> Iterator[str]:
    """The server on threads of its own; yields its address, with `/v1`. `keeps`: connections, for further requests."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1" if keeps else "HTTP/1.0"

        def do_GET(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"] or 0))
            body = json.loads(content) if content else {}
            answer = reply(Asked(self.command, self.path, dict(self.headers), body))
            raw = answer.content if isinstance(answer.content, bytes) else json.dumps(answer.content).encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_POST = do_CONNECT = do_GET

        def log_message(self, format: str, *args: object) -> None: ...

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that goes away is no error."""

    server = Quiet((host, 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"http://{f'[{host}]' if ':' in host else host}:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


def program(path: Path, code: str) -> Path:
    """A program in Python at a path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{sys.executable}\n{code}")
    path.chmod(0o755)
    return path
