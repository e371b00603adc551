"""A Hugging Face Hub that can be written: what huggingface_hub and datasets ask of one to make, fill and read a repository."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

COMMIT = "89abcdef0123456789abcdef0123456789abcdef"


class Repository:
    """Files by path, and who may see them."""

    def __init__(self, *, private: bool) -> None:
        self.private = private
        self.files: dict[str, bytes] = {}


class WritableHub:
    """Repositories by `datasets/user/repo` or `models/user/repo`; whoever has no `token` sees and writes nothing.

    Attributes:
        large: what was uploaded on its own (LFS), by its SHA-256.
        cards: the front matters that were sent to be checked.
    """

    def __init__(self, token: str = "secret") -> None:
        self.token = token
        self.repositories: dict[str, Repository] = {}
        self.large: dict[str, bytes] = {}
        self.cards: list[str] = []
        self.address = ""

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body."""
        if path == "api/repos/create":
            told = json.loads(body)
            name = f"{told.get('type') or 'model'}s/{told.get('organization') or 'user'}/{told['name']}"
            self.repositories.setdefault(
                name, Repository(private=bool(told.get("private")) or told.get("visibility") == "private")
            )
            return _json({"url": f"{self.address}/{name}", "id": name.partition("/")[2]})
        if path == "api/validate-yaml":
            self.cards.append(json.loads(body)["content"])
            return _json({"errors": [], "warnings": []})
        if path == "api/whoami-v2":
            return _json({"name": "user", "type": "user", "orgs": [], "auth": {"type": "access_token"}})
        if found := re.fullmatch(r"lfs/([0-9a-f]{64})", path):
            self.large[found[1]] = body
            return 200, {"ETag": '"x"'}, b""
        if found := re.fullmatch(r"(datasets/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            wanted = json.loads(body)["objects"]
            actions = [{**x, "actions": {"upload": {"href": f"{self.address}/lfs/{x['oid']}"}}} for x in wanted]
            return _json({"transfer": "basic", "objects": actions}, "application/vnd.git-lfs+json")
        if found := re.fullmatch(r"(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self._file(f"{'datasets' if found[1] else 'models'}/{found[2]}", found[4])
        if found := re.fullmatch(r"api/((?:datasets|models)/[^/]+/[^/]+?)(?:/(\w[\w-]*)(?:/(.*))?)?", path):
            return self._about(found[1], found[2] or "", found[3] or "", body)
        return _json({"error": "not found"}, status=404)

    def _about(self, name: str, what: str, rest: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        repository = self.repositories.get(name)
        if repository is None:
            return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
        if what == "preupload":
            wanted = [file["path"] for file in json.loads(body)["files"]]
            modes = {path: "lfs" if path.endswith((".parquet", ".safetensors")) else "regular" for path in wanted}
            told = [{"path": path, "uploadMode": mode, "shouldIgnore": False} for path, mode in modes.items()]
            return _json({"files": told})
        if what == "commit":
            self._commit(repository, body)
            url = f"{self.address}/{name}/commit/{COMMIT}"
            return _json({"success": True, "commitUrl": url, "commitOid": COMMIT})
        entries = [_entry(path, content) for path, content in sorted(repository.files.items())]
        if what == "tree":
            folder = rest.partition("/")[2]
            return _json([x for x in _with_folders(entries) if _is_in(x["path"], folder)])
        if what == "paths-info":
            wanted = json.loads(body)["paths"]
            return _json([x for x in _with_folders(entries) if x["path"] in wanted])
        if what not in ("", "revision"):
            return _json({"error": what}, status=404)
        names = [{"rfilename": path} for path in repository.files]
        about = {"id": name.partition("/")[2], "sha": COMMIT, "private": repository.private, "siblings": names}
        return _json({**about, "tags": [], "downloads": 0, "likes": 0, "gated": False, "disabled": False})

    def _commit(self, repository: Repository, body: bytes) -> None:
        for line in body.splitlines():
            told = json.loads(line)
            value = told["value"]
            if told["key"] == "file":
                repository.files[value["path"]] = base64.b64decode(value["content"])
            elif told["key"] == "lfsFile":
                repository.files[value["path"]] = self.large[value["oid"]]

    def _file(self, name: str, path: str) -> tuple[int, dict[str, str], bytes]:
        repository = self.repositories.get(name)
        if repository is None or path not in repository.files:
            return 404, {"X-Error-Code": "EntryNotFound" if repository else "RepoNotFound"}, b""
        content = repository.files[path]
        return 200, {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha256(content).hexdigest()}"'}, content


def _json(value: Any, kind: str = "application/json", status: int = 200) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": kind}, json.dumps(value).encode()


def _entry(path: str, content: bytes) -> dict[str, Any]:
    return {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}


def _with_folders(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    folders = dict.fromkeys(x["path"].rpartition("/")[0] for x in entries if "/" in x["path"])
    return [*({"type": "directory", "path": path, "size": 0, "oid": "0" * 40} for path in folders), *entries]


def _is_in(path: str, folder: str) -> bool:
    return path.rpartition("/")[0] == folder


@contextmanager
def serving(hub: WritableHub) -> Iterator[str]:
    """The Hub on a thread of its own; yields its address, for HF_ENDPOINT."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers["Content-Length"] or 0)
            body = self.rfile.read(length) if length else self._chunks()
            path = unquote(self.path.partition("?")[0]).lstrip("/")
            known = self.headers["Authorization"] == f"Bearer {hub.token}" or path.startswith("lfs/")
            status, headers, content = hub.answer(self.command, path, body) if known else (401, {}, b"{}")
            begin, end = 0, len(content)
            if ranged := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or ""):
                begin, end = int(ranged[1]), min(end, int(ranged[2] or end) + 1)
                status, headers = 206, {**headers, "Content-Range": f"bytes {begin}-{end - 1}/{len(content)}"}
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(end - begin)}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content[begin:end])

        def _chunks(self) -> bytes:
            if "chunked" not in (self.headers["Transfer-Encoding"] or ""):
                return b""
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        do_GET = do_HEAD = do_POST = do_PUT = _answer

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub.address
    finally:
        server.shutdown()
        server.server_close()
