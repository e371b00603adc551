"""A Hugging Face Hub for tests, as far as huggingface_hub asks one: revisions, files of models and datasets, lists of these."""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_REVISION = re.compile(r"api/(?:models|(datasets))/([^/]+/[^/]+)/revision/(.+)")
_LIST = re.compile(r"api/(datasets)/([^/]+/[^/]+)/tree/([^/]+)")
_FILE = re.compile(r"(?:(datasets)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


class Asked(NamedTuple):
    """A request that came in."""

    method: str
    path: str
    authorization: str


class Answer(NamedTuple):
    """What goes back."""

    status: int
    headers: dict[str, str]
    text: str = ""


class FakeHub:
    """Serves files, all of commit `COMMIT`, which `main` and `v1` name.

    Args:
        files: contents by `namespace/name/file`; a dataset's begin with `datasets/`.
        token: without it nothing is there.
        gated: whether nobody has been let in yet.

    Attributes:
        asked: every request for a revision or a file, in order.
    """

    def __init__(self, files: Mapping[str, str], *, token: str = "", gated: bool = False) -> None:
        self.files = files
        self.token = token
        self.gated = gated
        self.asked: list[Asked] = []

    def answer(self, asked: Asked) -> Answer:
        """The answer to a request."""
        path = re.sub(r"^(api/datasets/[^/]+/[^/]+)$", r"\1/revision/main", asked.path)
        match = _REVISION.fullmatch(path) or _LIST.fullmatch(path) or _FILE.fullmatch(path)
        if match is None:
            return Answer(404, {})
        self.asked.append(asked)
        kind, repository, revision = match[1], match[2], match[3]
        folder = f"{kind}/{repository}" if kind else repository
        there = any(name.startswith(f"{folder}/") for name in self.files)
        if not there or (self.token and asked.authorization != f"Bearer {self.token}"):
            return Answer(401, {"X-Error-Code": "RepoNotFound"})
        if self.gated:
            return Answer(403, {"X-Error-Code": "GatedRepo"})
        if revision not in ("main", "v1", COMMIT):
            return Answer(404, {"X-Error-Code": "RevisionNotFound"})
        if match.re is _REVISION:
            return Answer(200, {"Content-Type": "application/json"}, json.dumps({"id": repository, "sha": COMMIT}))
        if match.re is _LIST:
            below = {
                name.removeprefix(f"{folder}/"): text for name, text in self.files.items() if name.startswith(folder)
            }
            listed = [{"type": "file", "path": name, "size": len(below[name]), "oid": COMMIT} for name in below]
            return Answer(200, {"Content-Type": "application/json"}, json.dumps(listed))
        text = self.files.get(f"{folder}/{match[4]}")
        if text is None:
            return Answer(404, {"X-Error-Code": "EntryNotFound"})
        return Answer(200, {"X-Repo-Commit": COMMIT, "ETag": f'"{match[4]}"'}, text)


@contextmanager
def serving(hub: FakeHub) -> Iterator[str]:
    """The Hub on a thread of its own; yields its address, for HF_ENDPOINT."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(self.path.partition("?")[0]).lstrip("/")
            answer = hub.answer(Asked(self.command, path, self.headers["Authorization"] or ""))
            body = answer.text.encode()
            self.send_response(answer.status)
            for name, value in {**answer.headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def cached(cache: Path, repository: str, files: Mapping[str, str]) -> None:
    """Puts files of a model's `main` into a cache of huggingface_hub."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs/main").write_text(COMMIT)
    (folder / "snapshots" / COMMIT).mkdir(parents=True)
    for name, text in files.items():
        (folder / "snapshots" / COMMIT / name).write_text(text)
