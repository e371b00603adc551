"""What commands print: for programs, for terminals with and without colours, and for none."""

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest
from lidr_cli.app import app
from typer.main import get_command

from tests.conftest import Lidr, prompts, write_config, write_prompts
from tests.support.child import LIDR, PATIENCE
from tests.support.server import FakeServer, running

RESULTS = "build-pairs merge train iterate eval probe plan report doctor methods".split()


@pytest.mark.parametrize("name", RESULTS)
def test_every_command_with_a_result_has_it_as_json(name: str) -> None:
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    assert "--json" in [option for parameter in command.params for option in parameter.opts]


def test_the_results_of_a_run_are_one_object_each(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(4, ("en", "de")))
    with running(FakeServer()) as url:
        config = write_config(tmp_path, languages=["de"], engine__base_url=url)
        dry = json.loads(lidr("build-pairs", config, "--dry-run", "--json").stdout)
        assert dry["prompts"] == 4
        assert dry["examples"][0]["messages"][0]["content"].startswith("[en]")
        assert dry["examples"][0]["sampling"]["max_tokens"]
        assert dry["server_problem"] is None
        built = json.loads(lidr("build-pairs", config, "--json").stdout)
        written = json.loads((tmp_path / "run/report.json").read_text())
        assert built == {name: written[name] for name in built}
        probed = json.loads(lidr("probe", config, "--json", "--sample", "4").stdout)
        assert probed == json.loads((tmp_path / "run/probe.json").read_text())
    assert json.loads(lidr("report", "run", "--json").stdout)["html"] == "run/report.html"
    assert json.loads(lidr("store", "verify", "run", "--json").stdout)["completions"] > 4
    assert all({"level", "what", "found"} <= finding.keys() for finding in json.loads(lidr("doctor", "--json").stdout))
    assert {"name", "about"} <= json.loads(lidr("recipes", "ls", "--json").stdout)[0].keys()


def on_a_terminal(*words: str, **env: str) -> bytes:
    """What a command writes to one."""
    main, other = pty.openpty()
    child = subprocess.Popen(
        [*LIDR, *words], stdout=other, stderr=other, env={**os.environ, "TERM": "xterm-256color", **env}
    )
    os.close(other)
    found = b""
    try:
        while part := os.read(main, 4096):
            found += part
    except OSError:  # the other end is closed
        pass
    child.wait(PATIENCE)
    os.close(main)
    return found


def test_no_colour_where_none_is_wanted_or_nobody_sees_it(tmp_path: Path, lidr: Lidr) -> None:
    home = str(tmp_path)
    assert b"\x1b[32m" in on_a_terminal("doctor", LIDR_HOME=home)
    assert b"\x1b[3" not in on_a_terminal("doctor", LIDR_HOME=home, NO_COLOR="1")
    assert "\x1b" not in lidr("doctor").stdout


def test_without_a_terminal_a_run_is_quiet(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(4, ("en", "de")))
    with running(FakeServer()) as url:
        done = lidr("build-pairs", write_config(tmp_path, languages=["de"], engine__base_url=url))
    assert done.returncode == 0
    assert "\x1b" not in done.stdout + done.stderr
    assert "generated" not in done.stderr


def test_the_help_says_what_an_exit_status_means_and_how_words_are_completed(lidr: Lidr) -> None:
    said = " ".join(lidr("--help").stdout.split())
    assert "2 wrong input, nothing was written" in said
    assert "--install-completion" in said
