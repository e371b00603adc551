"""Servers that lie, and addresses that lead elsewhere

Promised: an error in an answer of 200 is an error, with the server's words. A server that answers as another model than at the
start, no longer serves the model, or has another under its name after a restart ends the run with that said, and none of its
answers is stored. A key that is none is told before anything is written. What is for this machine is sent to no proxy.

Not promised: a server that swaps its model behind open connections, under the same name, is found out within ten seconds, and
one that lies about the model in every answer and in its list is not.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lidr_plugin.machine.loopback import is_loopback, without_proxy
from tests.conftest import Lidr, prompts, rows_of, write_config, write_prompts
from tests.support.hub import FakeHub, serving
from tests.support.liar import Asked, Reply, completion, honest, is_trial, lying, program


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with prompts, and no environments."""
    monkeypatch.setenv("LIDR_HOME", str(tmp_path / "no-environments"))
    write_prompts(tmp_path, prompts(6))
    return tmp_path


def stored(folder: Path, lidr: Lidr) -> list[str]:
    """The answers in the store."""
    if not (folder / "run/completions.sqlite").exists():
        return []
    assert lidr("store", "export", "run", "all.jsonl").returncode == 0
    return [json.dumps(row, ensure_ascii=False) for row in rows_of(folder / "all.jsonl")]


ERRORS: dict[str, Any] = {
    "OpenRouter's": {"error": {"message": "no credit is left", "code": 402}},
    "vLLM's": {"object": "error", "message": "no credit is left", "type": "BadRequestError", "code": 400},
    "FastAPI's": {"detail": "no credit is left"},
    "a text": {"error": "no credit is left"},
    "beside an answer": {**completion("yes").content, "error": {"message": "no credit is left", "code": 400}},
    "that may pass": {"error": {"message": "no credit is left", "code": 429}},
    "with a code that is a text": {"error": {"message": "no credit is left", "code": "insufficient_quota"}},
}


@pytest.mark.parametrize("at", ["trial", "answers"])
@pytest.mark.parametrize("error", ERRORS)
def test_an_error_in_an_answer_of_200_is_told_in_the_servers_words(error: str, at: str, here: Path, lidr: Lidr) -> None:
    def reply(asked: Asked) -> Reply:
        wanted = "messages" in asked.body and is_trial(asked) == (at == "trial")
        return Reply(200, ERRORS[error]) if wanted else honest(asked)

    with lying(reply) as url:
        engine = {"base_url": url, "model": "fake", "max_retries": 1, "concurrency": 2}
        done = lidr("build-pairs", write_config(here, engine=engine))
    assert done.returncode == 1
    assert "no credit is left" in done.stderr
    assert stored(here, lidr) == []


@pytest.mark.parametrize(
    "content", [{"error": {"message": "no credit is left"}}, {"detail": "no credit is left"}, b"no credit is left"]
)
@pytest.mark.parametrize("status", [200, 401, 403, 404, 500])
def test_a_list_of_models_that_is_none_is_told_in_the_servers_words(
    status: int, content: Any, here: Path, lidr: Lidr
) -> None:
    with lying(lambda asked: Reply(status, content)) as url:
        done = lidr("build-pairs", write_config(here, engine={"base_url": url, "model": "fake"}))
    assert done.returncode == 1
    assert "no credit is left" in done.stderr


KEYS = ["sk-one\nsk-two", "sk\rX-Injected: 1", "sk-\x1b[31m", "clé-d-accès", "sk-\x7f", "sk-\u202eabc", "a\tb"]


@pytest.mark.parametrize("backend", ["openai", "vllm"])
@pytest.mark.parametrize("key", KEYS)
def test_a_key_that_is_none_is_named_and_nothing_is_written(key: str, backend: str, here: Path, lidr: Lidr) -> None:
    variable = "OPENAI_API_KEY" if backend == "openai" else "VLLM_API_KEY"
    (here / "model").mkdir()
    (here / "model/config.json").write_text("{}")
    engine = {"base_url": "http://127.0.0.1:9/v1", "model": "fake"} if backend == "openai" else {"backend": "vllm"}
    config = write_config(here, engine=engine, model_name_or_path=str(here / "model"))
    done = lidr("build-pairs", config, env={variable: key})
    assert done.returncode == 2
    assert f"{variable} is no key" in done.stderr
    assert key[:2] not in done.stderr.replace("key", "").replace("again", "") or key.startswith("a")
    assert not (here / "run").exists()


class Swapping:
    """A server whose model is another's after so many answers; its texts say which it was.

    Args:
        after: answers of the first.
        tells: where it says so: `answer` (the field `model`), `list`, `root` (the list, under the same name), or `404`.
    """

    def __init__(self, after: int, tells: str) -> None:
        self._left = after
        self._tells = tells
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> Reply:
        with self._lock:
            if "messages" in asked.body and not is_trial(asked):
                self._left -= 1
            other = self._left < 0
        if asked.path.endswith("/models"):
            name = "other" if other and self._tells in ("list", "404") else "fake"
            root = "/models/other" if other and self._tells == "root" else "/models/fake"
            return Reply(200, {"data": [{"id": name, "root": root, "created": id(asked)}]})
        if other and self._tells == "404":
            return Reply(404, {"error": {"message": "The model `fake` does not exist."}})
        names = {"model": "other" if other else "fake"} if self._tells == "answer" else {}
        text = honest(asked).content["choices"][0]["message"]["content"]
        return completion(f"{text} {'SECOND' if other else 'FIRST'}", **names)


@pytest.mark.parametrize("failures", [0, 1000])
@pytest.mark.parametrize("after", [0, 1, 9])
@pytest.mark.parametrize("tells", ["answer", "list", "root", "404"])
def test_a_server_that_changes_its_model_ends_the_run_and_stores_nothing_of_the_other(
    tells: str, after: int, failures: int, here: Path, lidr: Lidr
) -> None:
    with lying(Swapping(after, tells), keeps=tells in ("answer", "404")) as url:
        engine = {"base_url": url, "model": "fake", "concurrency": 4, "max_failures": failures, "max_retries": 0}
        done = lidr("build-pairs", write_config(here, engine=engine))
    assert done.returncode == 1
    assert "the server changed its model during the run" in done.stderr
    assert "other" in done.stderr
    assert [row for row in stored(here, lidr) if "SECOND" in row] == []
    assert sqlite3.connect(here / "run/completions.sqlite").execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_judge_that_changes_is_told_too(here: Path, lidr: Lidr) -> None:
    with lying(honest) as url, lying(Swapping(3, "answer")) as other:
        judge = {"model": "fake", "base_url": other, "concurrency": 1, "weights": "judge"}
        evaluation = {"prompts": "prompts/{language}.jsonl", "judge": judge, "models": {"a": "fake", "b": "second"}}

        def both(asked: Asked) -> Reply:
            if asked.path.endswith("/models"):
                return Reply(200, {"data": [{"id": "fake"}, {"id": "second"}]})
            return completion(f"{asked.body['model']} {honest(asked).content['choices'][0]['message']['content']}")

        with lying(both) as models:
            done = lidr("eval", write_config(here, engine={"base_url": models, "model": "fake"}, eval=evaluation))
    assert url
    assert done.returncode == 1
    assert "changed its model" in done.stderr


@pytest.mark.parametrize("name", ["fake-2026-01-01", "org/fake", None, 7, ""])
def test_an_alias_that_answers_by_its_whole_name_is_no_change(name: object, here: Path, lidr: Lidr) -> None:
    def reply(asked: Asked) -> Reply:
        answer = honest(asked)
        return Reply(200, {**answer.content, "model": name}) if "messages" in asked.body else answer

    with lying(reply) as url:
        done = lidr("build-pairs", write_config(here, engine={"base_url": url, "model": "fake"}))
    assert done.returncode == 0, done.stderr


HOME = "127.0.0.1 127.0.0.2 127.255.1.1 127.1 0x7f000001 localhost LOCALHOST localhost. api.localhost "
HOME += "::1 [::1] ::ffff:127.0.0.1 0.0.0.0"
AWAY = "10.0.0.1 128.0.0.1 example.org localhost.example.org notlocalhost 127.0.0.1.example.org ::2 fe80::1 1.1.1.1"


@pytest.mark.parametrize("host", HOME.split())
def test_this_machine_is_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", [*AWAY.split(), "", "127", "[", "%"])
def test_others_are_not_this_machine(host: str) -> None:
    assert not is_loopback(host) or host == "127"


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Asked]]:
    """What comes to the proxy that every variable names."""
    asked: list[Asked] = []

    def reply(request: Asked) -> Reply:
        asked.append(request)
        return Reply(502, {"error": "the proxy got it"})

    with lying(reply) as url:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, url.removesuffix("/v1"))
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        yield asked


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "127.3.2.1", "localhost", "::1"])
def test_no_request_to_this_machine_goes_to_a_proxy(host: str, proxy: list[Asked], here: Path, lidr: Lidr) -> None:
    try:
        server = lying(honest, "127.0.0.1" if host == "localhost" else host)
        url = server.__enter__()
    except OSError:
        pytest.skip(f"{host} is no address here")
    with server_closed(server):
        engine = {"base_url": url.replace("127.0.0.1", "localhost") if host == "localhost" else url, "model": "fake"}
        evaluation = {"prompts": "prompts/{language}.jsonl", "judge": engine, "models": {"a": "fake", "b": "fake"}}
        config = write_config(here, engine=engine, eval=evaluation)
        for command in (
            ["build-pairs", config, "--dry-run"],
            ["build-pairs", config],
            ["doctor", config],
            ["eval", config],
        ):
            done = lidr(*command, env={"OPENAI_API_KEY": "sk-for-this-machine-only"})
            assert done.returncode == 0 or command[0] == "doctor", done.stderr
    assert proxy == []


class server_closed:
    """Leaves a context that was entered by hand."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        self._context.__exit__(None, None, None)


def test_a_mirror_of_the_hub_on_this_machine_is_asked_directly(proxy: list[Asked], here: Path, command: Lidr) -> None:
    hub = FakeHub({"ns/model/config.json": "{}"})
    with serving(hub) as url:
        config = write_config(here, engine={"backend": "transformers"}, model_name_or_path="ns/model")
        env = {"HF_ENDPOINT": url, "HF_HOME": str(here / "home"), "HF_HUB_OFFLINE": "0", "HF_TOKEN": "hf_abc"}
        command("build-pairs", config, env=env)
    assert [asked.authorization for asked in hub.asked][:1] == ["Bearer hf_abc"]
    assert proxy == []


ASKS = """import sys, urllib.request
base = next(part[9:] for word in sys.argv for part in word.split(",") if part.startswith("base_url="))
print(urllib.request.urlopen(base.replace("/completions", "/models")).read())
sys.exit(3)
"""


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost"])
def test_the_harness_asks_this_machine_directly(host: str, proxy: list[Asked], here: Path, lidr: Lidr) -> None:
    with lying(honest, "127.0.0.1" if host == "localhost" else host) as url:
        own = url.replace("127.0.0.1", host)
        tasks = {"tasks": ["arc"], "python": str(program(here / "python", ASKS)), "model": "local-completions"}
        evaluation = {"lm_eval": {**tasks, "model_args": {"base_url": f"{own}/completions"}}}
        done = lidr("eval", write_config(here, engine={"base_url": own, "model": "fake"}, eval=evaluation))
    assert "fake" in done.stderr
    assert proxy == []


@pytest.mark.parametrize("before", ["", "inside.example", "*", " a , b ", "localhost"])
def test_what_no_proxy_had_before_is_kept(before: str) -> None:
    value = without_proxy({"NO_PROXY": before}, "http://127.0.0.2:8000/v1", "http://example.org")["no_proxy"].split(",")
    assert set(filter(None, map(str.strip, before.split(",")))) <= set(value)
    assert {"localhost", "127.0.0.1", "::1", "127.0.0.2"} <= set(value)
    assert "example.org" not in value
    assert len(value) == len(set(value))
