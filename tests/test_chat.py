"""`lidr chat`: the base and the trained model, side by side."""

import io
import json
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from lidr_cli.chat import columns
from rich.console import Console

from lidr_plugin.rounds.chat import Reply
from tests.conftest import Lidr, prompts, write_config, write_prompts
from tests.support import vllm_server
from tests.support.child import LIDR, PATIENCE
from tests.support.server import FakeServer, running

NAMES = "eval.models={M0: old, M1: new}"


def said(body: Mapping[str, Any]) -> dict[str, Any]:
    """Each model says its name, and the last of what it was told."""
    text = f"{body['model']} heard {body['messages'][-1]['content']}"
    return {"message": {"role": "assistant", "content": text}}


@pytest.fixture
def server() -> FakeServer:
    """A server of both models."""
    server = FakeServer(served=["fake", "old", "new"])
    server.script = said
    return server


@pytest.fixture
def run(tmp_path: Path, server: FakeServer, lidr: Lidr) -> Iterator[Path]:
    """A run with something where its trained model would be, and its server."""
    write_prompts(tmp_path, prompts(2, ("en", "de")))
    with running(server) as url:
        lidr("build-pairs", write_config(tmp_path, languages=["de"], engine__base_url=url))
        server.asked.clear()
        (tmp_path / "run/model").mkdir()
        (tmp_path / "run/model/config.json").write_text("{}")
        yield tmp_path / "run"


Talk = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def talk(lidr: Lidr, run: Path, monkeypatch: pytest.MonkeyPatch) -> Talk:
    """`lidr chat` with these lines on standard input."""

    def heard(*lines: str | bytes, options: tuple[str, ...] = (NAMES,)) -> Any:
        given = b"\n".join(x if isinstance(x, bytes) else x.encode() for x in lines)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given), encoding="utf-8"))
        return lidr("chat", run, *options)

    return heard


def turns(server: FakeServer, model: str) -> list[list[str]]:
    """What a model was asked, each time with all that was before."""
    return [[turn["content"] for turn in body["messages"]] for body in server.asked if body["model"] == model]


def test_both_models_answer_and_each_goes_on_from_what_it_said_itself(talk: Talk, server: FakeServer) -> None:
    done = talk("one", "", "  two")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("M0:\nold heard one\n\nM1:\nnew heard one\n\nM0:\nold heard two\n\nM1:\nnew heard two\n\n")
    assert turns(server, "old") == [["one"], ["one", "old heard one", "two"]]
    assert turns(server, "new") == [["one"], ["one", "new heard one", "two"]]


def test_the_commands_change_the_system_prompt_and_begin_anew_and_end(talk: Talk, server: FakeServer) -> None:
    assert talk("/system Be brief.", "one", "/clear", "two", "/system", "three", "/quit", "four").returncode == 0
    assert turns(server, "old") == [
        ["Be brief.", "one"],
        ["Be brief.", "two"],
        ["two", "old heard two", "three"],
    ]


def test_a_conversation_is_saved_and_replaces_only_what_it_saved_itself(talk: Talk, run: Path) -> None:
    (run / "mine").write_text("mine")
    done = talk("one", f"/save {run}/talk.jsonl", "two", f"/save {run}/talk.jsonl", f"/save {run}/mine", "/save", "/no")
    assert done.returncode == 1
    assert f"{run}/mine: it is there already" in done.stderr
    assert "a message that begins with / needs a space before it" in done.stderr
    assert (run / "mine").read_text() == "mine"
    old, new = map(json.loads, (run / "talk.jsonl").read_text().splitlines())
    assert (old["label"], old["model"], old["language"]) == ("M0", "old", "de")
    assert [turn["content"] for turn in new["messages"]] == ["one", "new heard one", "two", "new heard two"]


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "mine/deeper"], ids=["NUL", "long", "below a file"])
def test_a_name_that_is_none_is_told_and_the_conversation_goes_on(name: str, talk: Talk, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    done = talk(f"/save {name}", "one")
    assert done.returncode == 1
    assert "error: " in done.stderr
    assert "bug" not in done.stderr
    assert "new heard one" in done.stdout


def test_a_template_of_the_run_words_the_first_message(talk: Talk, server: FakeServer) -> None:
    wording = "prompt_template='{prompt} Answer in {language}.'"
    talk("one", "two", options=(NAMES, wording))
    assert turns(server, "old")[-1] == ["one Answer in German.", "old heard one Answer in German.", "two"]
    talk("one", options=(NAMES, wording, "--language", "en"))
    assert turns(server, "old")[-1] == ["one Answer in English."]


def test_what_is_to_be_known_of_an_answer_stands_below_it(talk: Talk, server: FakeServer) -> None:
    english = "<think>hm</think>The river carries every small boat slowly towards the old harbour where people wait."
    texts = {"old": (english, "length"), "new": ("", "stop")}
    server.script = lambda body: {
        "message": {"role": "assistant", "content": texts[body["model"]][0]},
        "finish_reason": texts[body["model"]][1],
    }
    shown = talk("eins").stdout
    assert "M0:\nThe river" in shown
    assert "wait.\n(cut at 2048 tokens: generation.max_tokens)\n(in English)\n" in shown
    assert "M1:\n(an empty answer)\n" in shown
    assert "(in English)" not in talk("one", options=(NAMES, "--language", "en")).stdout


HOSTILE = "\x1b]0;owned\x07\u202etxt.exe\r[bold]x[/bold] \x9b2J"
INERT = "\\x1b]0;owned\\x07\\u202etxt.exe\\x0d[bold]x[/bold] \\x9b2J"


def test_a_hostile_answer_steers_no_terminal(talk: Talk, server: FakeServer) -> None:
    server.script = lambda body: {"message": {"role": "assistant", "content": HOSTILE}}
    assert talk("one").stdout == f"M0:\n{INERT}\n\nM1:\n{INERT}\n\n"
    output = io.StringIO()
    Console(width=120, file=output, force_terminal=True).print(columns([Reply("M0", HOSTILE, (HOSTILE,))]))
    assert INERT in output.getvalue()
    assert not {"\x07", "\r", "\x9b", "\u202e"} & set(output.getvalue())


def test_what_is_no_utf_8_is_replaced(talk: Talk, server: FakeServer) -> None:
    assert talk(b"caf\xe9").returncode == 0
    assert turns(server, "old") == [["caf\ufffd"]]


def test_a_refused_message_is_told_and_forgotten(talk: Talk, server: FakeServer) -> None:
    server.faults = {"400": 1.0}
    server.fault_of = lambda text: "400" if "bad" in text else None  # type: ignore[method-assign]
    done = talk("bad", "good")
    assert done.returncode == 1
    assert "this request is bad" in done.stdout
    assert "not every line could be done" in done.stderr
    assert turns(server, "new")[-1] == ["good"]


def test_all_models_together_keep_to_what_a_command_may_cost(talk: Talk) -> None:
    # A request may cost 67, and costs 4: the second of them does not fit any more.
    prices = ("engine.prompt_price=1000000", "engine.max_cost=70")
    done = talk("one", options=(NAMES, *prices))
    assert done.returncode == 1
    assert "engine.max_cost" in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), ("eval.models={M0: NAME, M1: NAME}", "engine.backend=vllm")),
        ((NAMES, "--language", "fr"), ("--language fr", "en, de")),
        ((NAMES, "engine.bakend=vllm"), ("did you mean engine.backend",)),
        (("engine.base_url=[]", "engine.backend=transformers"), ("M0: fake: no such directory",)),
    ],
)
def test_what_is_missing_or_wrong_ends_it_before_it_begins(
    options: tuple[str, ...], words: tuple[str, ...], talk: Talk, server: FakeServer
) -> None:
    done = talk("one", options=options)
    assert done.returncode == 2
    assert all(word in done.stderr for word in words), done.stderr
    assert not server.asked


def test_without_a_trained_model_it_says_what_makes_one(tmp_path: Path, lidr: Lidr) -> None:
    done = lidr("chat", tmp_path / "none")
    assert done.returncode == 2
    assert "lidr train makes it" in done.stderr


class Terminal:
    """`lidr` on a terminal."""

    def __init__(self, *words: str | Path, columns: int) -> None:
        self.main, other = pty.openpty()
        termios.tcsetwinsize(self.main, (40, columns))
        env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        self.child = subprocess.Popen(
            [*LIDR, *map(str, words)], stdin=other, stdout=other, stderr=other, env={**env, "TERM": "xterm"}
        )
        os.close(other)
        self.shown = ""

    def until(self, text: str) -> str:
        """Reads until there is this text, else to the end; what came before it."""
        while text not in self.shown:
            try:
                self.shown += os.read(self.main, 4096).decode()
            except OSError:
                raise AssertionError(self.shown) from None
        before, _, self.shown = self.shown.partition(text)
        return before

    def type(self, line: str) -> None:
        os.write(self.main, f"{line}\n".encode())

    def end(self) -> int:
        """Reads to the end; the exit status."""
        with suppress(OSError):
            while part := os.read(self.main, 4096):
                self.shown += part.decode()
        return self.child.wait(PATIENCE)


@pytest.mark.parametrize(("width", "beside"), [(120, True), (80, False)])
def test_answers_stand_side_by_side_where_there_is_room(width: int, beside: bool, run: Path) -> None:
    terminal = Terminal("chat", run, NAMES, columns=width)
    terminal.until("> ")
    terminal.type("one")
    shown = terminal.until("new heard one")
    lines = [line for line in shown.splitlines() if "old heard one" in line]
    assert lines
    assert lines[-1].startswith("old heard one")
    assert (shown.splitlines()[-1] == lines[-1]) is beside
    terminal.until("> ")
    terminal.type("/quit")
    assert terminal.end() == 0
    os.close(terminal.main)


@pytest.mark.parametrize("waiting", [False, True], ids=["for a line", "for an answer"])
def test_ctrl_c_ends_it_and_leaves_the_terminal_as_it_was(waiting: bool, run: Path, server: FakeServer) -> None:
    terminal = Terminal("chat", run, NAMES, columns=80)
    before = termios.tcgetattr(terminal.main)
    terminal.until("> ")
    if waiting:
        server.delay = 60
        terminal.type("one")
        while not server.asked:
            terminal.shown += os.read(terminal.main, 4096).decode()
    terminal.child.send_signal(signal.SIGINT)
    assert terminal.end() == 130, terminal.shown
    assert "Traceback" not in terminal.shown
    assert termios.tcgetattr(terminal.main)[3] == before[3]
    os.close(terminal.main)


def servers(folder: Path) -> list[str]:
    """The processes that were told a path in this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_text().split("\0")
            found += [str(path)] if "--model" in words and str(folder) in "".join(words) else []
    return found


@pytest.mark.parametrize("way", ["/quit", "the end of the lines", "Ctrl-C"])
def test_servers_of_its_own_end_with_it(way: str, run: Path, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base/config.json").write_text("{}")
    engine = {"backend": "vllm", "base_url": [], "python": str(vllm_server.interpreter(tmp_path))}
    given = [f"engine.{name}={json.dumps(value)}" for name, value in engine.items()]
    child = subprocess.Popen(
        [*LIDR, "chat", str(run), *given, "generation.max_tokens=100", f"model_name_or_path={tmp_path}/base"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdin
    assert child.stdout
    child.stdin.write("one\n")
    child.stdin.flush()
    shown = [child.stdout.readline() for _ in range(5)]
    assert shown == ["M0:\n", "fine\n", "\n", "M1:\n", "fine\n"], child.communicate()
    assert len(servers(tmp_path)) >= 2
    if way == "Ctrl-C":
        child.send_signal(signal.SIGINT)
    errors = child.communicate("/quit\n" if way == "/quit" else None, timeout=PATIENCE)[1]
    assert child.returncode == (130 if way == "Ctrl-C" else 0), errors
    assert servers(tmp_path) == []
    assert (run / "chat-M0.log").exists()
    assert (run / "chat-M1.log").exists()
