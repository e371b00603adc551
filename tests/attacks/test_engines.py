"""Engines that lie, die and hang

Promised: whatever a model's config.json, the machine's own numbers, a server's `/tokenize` or its log hold, a run goes on or
ends with what is wrong in words; a cache is never larger than the memory that is free; a server that lidr started and that
dies, answers with errors only or falls silent is started again three times, and then the run ends with its last lines;
interrupted meanwhile, nothing is left behind.

Not promised: that a server which lidr did not start is mended, or that one which is merely slower than `engine.timeout` is told
from one that hangs.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from lidr_plugin.completions.engines.openai import OpenAI
from lidr_plugin.completions.parity import difference
from lidr_plugin.completions.requests import Message
from lidr_plugin.completions.tokens import Encoder, Ids, Sample, digest, remember, remembered
from lidr_plugin.config.engine import EngineSettings
from lidr_plugin.errors import EngineError
from lidr_plugin.machine.kv_cache import cache_of
from lidr_plugin.machine.memory import free_memory
from lidr_plugin.machine.server_process import Log

GIB = 1 << 30
SHAPE = {"num_hidden_layers": 24, "num_attention_heads": 14, "num_key_value_heads": 2, "hidden_size": 896}
WHOLE = {**SHAPE, "max_position_embeddings": 32768}
CONFIGS = {
    "empty": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "a number": b"7",
    "null": b"null",
    "not UTF-8": b'{"model_type": "\xff\xfe"}',
    "NaN": b'{"num_hidden_layers": NaN}',
    "nested": b'{"text_config": ' * 20_000,
    "5,000 digits": b'{"num_hidden_layers": ' + b"9" * 5000 + b"}",
    "text_config is a list": json.dumps({**WHOLE, "text_config": []}).encode(),
    "text_config is empty": json.dumps({**WHOLE, "text_config": {}}).encode(),
    "layers named by numbers": json.dumps({**WHOLE, "layer_types": [1, None, {}]}).encode(),
    "layers named by a word": json.dumps({**WHOLE, "layer_types": "full_attention"}).encode(),
    "dtype is a list": json.dumps({**WHOLE, "dtype": ["bfloat16"]}).encode(),
    "heads of no size": json.dumps({**WHOLE, "num_attention_heads": 0, "num_key_value_heads": 0}).encode(),
    **{
        f"{key} is {value!r}": json.dumps({**WHOLE, key: value}).encode()
        for key in ("num_hidden_layers", "head_dim", "max_position_embeddings", "kv_lora_rank")
        for value in (-1, True, "24", 1.5, [], 2**62)
    },
}


@pytest.mark.parametrize("content", CONFIGS.values(), ids=CONFIGS)
def test_no_config_of_a_model_takes_more_memory_than_there_is(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with contextlib.suppress(EngineError):
        assert 1 <= cache_of(str(tmp_path), "main", {}, concurrency=64, free=16 * GIB).gib <= 16


ARGS: list[dict[str, Any]] = [
    {"max_model_len": value} for value in ("auto", "4k", -1, 0, 10**12, 1.5, None, "", [4096], True)
] + [{"max_num_seqs": value} for value in ("many", -1, 0, 10**12, 1.5, None, [])]


@pytest.mark.parametrize("args", ARGS, ids=str)
def test_no_argument_of_the_server_takes_more_memory_than_there_is(args: Mapping[str, Any], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(WHOLE))
    with contextlib.suppress(EngineError):
        found = cache_of(str(tmp_path), "main", args, concurrency=64, free=16 * GIB)
        assert 1 <= found.gib <= 16
        assert 1 <= found.sequences <= 64


@pytest.mark.parametrize(
    ("group", "limit"),
    [
        ("", "1"),
        (":::", "1"),
        ("0::/../../..", "1"),
        ("no colons", "1"),
        ("0::/", "-5"),
        ("0::/", "٣"),
        ("0::/", "9" * 5000),
        ("0::/\n0::/\n", "max"),
    ],
)
def test_no_control_group_makes_memory_of_nothing(group: str, limit: str, tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text("MemAvailable:  1024 kB\n")
    (tmp_path / "proc/self/cgroup").write_text(group)
    (tmp_path / "sys/fs/cgroup/memory.max").write_text(limit)
    (tmp_path / "sys/fs/cgroup/memory.current").write_text("0")
    found = free_memory(tmp_path)
    assert found is not None
    assert 0 <= found <= 1 << 20


SAMPLE = Sample(((Message("user", "hello"),), (Message("system", "x"), Message("user", "there"))), thinking=False)
ANSWERS = {
    "no JSON": (200, b"<html>"),
    "nothing": (200, b""),
    "a list": (200, b"[1, 2]"),
    "null": (200, b"null"),
    "a chat completion": (200, b'{"choices": []}'),
    "tokens of a text": (200, b'{"tokens": "abc"}'),
    "tokens that are texts": (200, b'{"tokens": ["a"]}'),
    "halves of tokens": (200, b'{"tokens": [1.5]}'),
    "tokens of 100 digits": (200, b'{"tokens": [' + b"9" * 100 + b"]}"),
    "nested": (200, b'{"tokens": ' + b"[" * 50_000),
    "not UTF-8": (200, b'{"tokens": "\xff"}'),
    "an error": (200, b'{"error": {"message": "no"}}'),
    "not found": (404, b""),
    "a crash": (500, b'{"tokens": [1]}'),
    "a redirect": (307, b""),
}


async def told_by(status: int, content: bytes) -> list[Ids]:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=status, body=content, headers={"Location": "/elsewhere"})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        return await OpenAI([url], model="m", api_key_env="LIDR_NO_KEY", timeout=5, max_retries=0, max_tokens=1).tokens(
            SAMPLE
        )
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_server_that_does_not_tell_its_tokens_is_taken_as_silent(answer: tuple[int, bytes]) -> None:
    assert asyncio.run(told_by(*answer)) == []


@pytest.mark.parametrize("tokens", [b"[]", b"[-1]", b"[0, 18446744073709551615]"])
def test_tokens_that_cannot_be_are_a_difference_and_shown_as_numbers(tokens: bytes, tmp_path: Path) -> None:
    trained = Encoder(tmp_path / "no such python", "m", "main", trust_remote_code=False)

    async def compare() -> EngineError | None:
        asked = await told_by(200, b'{"tokens": ' + tokens + b"}")
        return await difference(SAMPLE, trained, asked=asked, trained=[[1], [2], [3], [4]])

    found = asyncio.run(compare())
    assert found is not None
    assert "train environment  1" in found.message


CHILDREN = {
    "nothing": "",
    "no JSON": "LIDR {",
    "a list": "LIDR []",
    "no tokens": 'LIDR {"shown": []}',
    "too few": 'LIDR {"tokens": [[1]], "shown": []}',
    "texts": 'LIDR {"tokens": [["a"], ["b"], ["c"], ["d"]], "shown": []}',
}


@pytest.mark.parametrize("output", CHILDREN.values(), ids=CHILDREN)
def test_a_train_environment_that_answers_with_rubbish_is_an_error_in_words(output: str, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\ncat > /dev/null\nprintf '%s\\n' '{output}'\n")
    python.chmod(0o755)
    with pytest.raises(EngineError, match="the tokenizer of m"):
        asyncio.run(Encoder(python, "m", "main", trust_remote_code=False).tokens(SAMPLE))


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b'{"key": 7}', b'{"key": null}', None], ids=repr)
def test_a_damaged_memory_of_comparisons_is_forgotten(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIDR_HOME", str(tmp_path))
    if content is None:
        (tmp_path / "tokens.json").mkdir()
    else:
        (tmp_path / "tokens.json").write_bytes(content)
    assert remembered("key") is None
    remember("key", [[1]])
    assert remembered("key") == (None if content is None else digest([[1]]))


LOGS = {
    "nothing": b"",
    "blank lines": b"\n\n  \n",
    "escape sequences": b"\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2Jend\n",
    "NUL and carriage returns": b"a\0b\rc\n",
    "not UTF-8": b"\xff\xfe\xfd\n",
    "a line without an end": b"x" * 1_000_000,
    "right to left": "\u202eevil\u202c\n".encode(),
    "requests only": b'INFO: 127.0.0.1:1 - "GET /health HTTP/1.1" 200 OK\n' * 1000,
}


@pytest.mark.parametrize("content", LOGS.values(), ids=LOGS)
def test_a_servers_last_line_is_one_line_and_does_nothing_to_the_terminal(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "vllm.log").write_bytes(content)
    line = Log(tmp_path / "vllm.log").last_line()
    assert len(line) <= 300
    assert line.isprintable()


@pytest.mark.parametrize("there", ["a folder", "nothing"])
def test_a_log_that_is_gone_has_no_last_line(there: str, tmp_path: Path) -> None:
    if there == "a folder":
        (tmp_path / "vllm.log").mkdir()
    assert Log(tmp_path / "vllm.log").last_line() == ""
    assert "The end of" in Log(tmp_path / "vllm.log").quoted()


@pytest.mark.parametrize(
    "env",
    [{"": "x"}, {"A=B": "x"}, {"A\0": "x"}, {"A": "x\0"}, {"A": None}, {"A": ["x"]}, {"A": True}, ["A=x"], "A=x", 7],
)
def test_an_environment_that_cannot_be_set_is_refused(env: object) -> None:
    with pytest.raises(ValueError, match="env"):
        EngineSettings.model_validate({"env": env})
