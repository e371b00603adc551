"""Ends of answers

Promised: `stop` is an end and `length` a cut; an answer that ended in any other way, or of which the server does not say how, is
no answer: it is not stored, its request fails, and the message says what the server said. What may pass is tried again. A text in
which nothing can be seen is empty.

Not promised: that a server that says `stop` of a text that it broke off is found out.
"""

from pathlib import Path
from typing import Any

import pytest

from lidr_plugin import build_pairs, load
from lidr_plugin.completions.engines.chat_completions import Capabilities, NotEnded, completion_of
from lidr_plugin.completions.requests import Chat, Completion, Message, Sampling
from lidr_plugin.completions.store import Store
from lidr_plugin.errors import RunError
from lidr_plugin.methods import filters
from lidr_plugin.methods.base import Preference, Reason, Text
from lidr_plugin.prompts.prompt import PromptText
from lidr_plugin.text.thinking import without_thoughts
from lidr_plugin.text.visible import is_blank
from tests.conftest import prompts, rows_of, write_config, write_prompts
from tests.support.server import FakeServer, running

SAMPLING = Sampling(temperature=0.0, top_p=1.0, max_tokens=10, repetition_penalty=1.0, seed=0, thinking=False)
REQUEST = Chat("w", (Message("user", "Hello"),), SAMPLING)
NO_ENDS: list[Any] = [
    *(
        None,
        "",
        "content_filter",
        "tool_calls",
        "function_call",
        "abort",
        "error",
        "MAX_TOKENS",
        "STOP",
        "Stop",
        "LENGTH",
        "stop ",
    ),
    *(
        "eos",
        "end_turn",
        "safety",
        "recitation",
        "\x1b[31mstop",
        "x" * 10_000,
        0,
        1,
        True,
        False,
        [],
        ["stop"],
        {"reason": "stop"},
        1.5,
    ),
]
INVISIBLE = [
    *(
        "",
        " ",
        "\n\t",
        "\u200b",
        "\u200b\u200c\u200d",
        "\ufeff",
        "\ufe0f",
        "\u2060",
        "\u00ad",
        "\u00a0\u3000",
        "\u202e",
        "\u061c",
    ),
    *(
        "\x00",
        "\x07\x1b",
        "\u3164",
        "\u115f\u1160",
        "\u2800",
        "\U000e0020",
        "\U000e0100",
        "\u0301",
        "\u034f",
        "\u180e",
        "\u2028",
    ),
    *(
        "<think>so</think>\u200b",
        "<think>\u200b</think>\ufeff",
        "\U000f0000",
        "\u17b5",
    ),
]
VISIBLE = ["a", ".", "漢", "👍", "e\u0301", "—", "\u200ba\u200b", "0", "ก", "👩\u200d👩\u200d👧", "٠"]


@pytest.mark.parametrize("reason", NO_ENDS, ids=lambda reason: repr(reason)[:20])
def test_an_answer_that_did_not_end_is_none(reason: Any) -> None:
    answer = {"choices": [{"message": {"content": "Half of a"}, "finish_reason": reason}]}
    with pytest.raises(NotEnded) as caught:
        completion_of(answer, REQUEST, Capabilities())
    said = str(caught.value)
    assert len(said) < 200
    assert said.isprintable()
    assert reason is None or repr(reason)[:8].strip("'\\x1b") in said or "\x1b" in str(reason)


def test_an_answer_that_does_not_say_how_it_ended_is_none() -> None:
    with pytest.raises(NotEnded):
        completion_of({"choices": [{"message": {"content": "Half of a"}}]}, REQUEST, Capabilities())


@pytest.mark.parametrize("reason", ["stop", "length"])
def test_the_two_ends_are_kept_apart(reason: str) -> None:
    answer = {"choices": [{"message": {"content": "text"}, "finish_reason": reason}]}
    completion = completion_of(answer, REQUEST, Capabilities())
    assert completion.finish_reason == reason
    assert completion.cut is (reason == "length")


def test_what_a_store_says_of_another_end_is_a_cut() -> None:
    assert Completion("text", "content_filter", 1, 1).cut


@pytest.mark.parametrize("text", INVISIBLE, ids=ascii)
def test_a_text_in_which_nothing_can_be_seen_is_empty(text: str) -> None:
    assert without_thoughts(text, thinking=False) == ""
    seen = Text("seen")
    row = Preference("0", "de", PromptText("x"), Text(text), seen, "s", "s", seen)
    assert is_blank(text) is ("<" not in text)
    assert "<" in text or filters.usable(row) is Reason.EMPTY
    assert "<" in text or filters.usable(row._replace(chosen=seen, rejected=Text(text))) is Reason.EMPTY


@pytest.mark.parametrize("text", VISIBLE, ids=ascii)
def test_a_text_in_which_something_can_be_seen_is_not(text: str) -> None:
    assert not is_blank(text)


@pytest.mark.parametrize("reason", ["content_filter", "tool_calls", "abort", None, "MAX_TOKENS"])
def test_a_run_stores_no_answer_that_did_not_end_and_says_what_the_server_said(
    tmp_path: Path, reason: str | None
) -> None:
    write_prompts(tmp_path, prompts(3))
    server = FakeServer()
    server.script = lambda body: (
        {"message": {"content": "Half of a"}, "finish_reason": reason}
        if "1" in body["messages"][-1]["content"]
        else None
    )
    with running(server) as url:
        config = load(write_config(tmp_path, engine__base_url=url, engine__max_retries=0))
        with pytest.raises(RunError, match=reason or "not how the answer ended"):
            build_pairs(config)
        built = build_pairs(config.model_copy(update={"engine": config.engine.model_copy(update={"max_failures": 99})}))
    assert not any("Half of a" in line for path in tmp_path.rglob("*.jsonl") for line in path.read_text().splitlines())
    with Store(tmp_path / "run/completions.sqlite", read_only=True) as store:
        assert not any("Half of a" in entry.completion.text for entry in store.entries())
    assert {row["reason"] for row in rows_of(tmp_path / "run/rejected.jsonl")} >= {"request_failed"}
    assert built
