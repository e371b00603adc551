"""Whatever is asked of a Hub goes by the settings of huggingface_hub, and whatever it refuses is said plainly."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lidr_plugin.errors import InputError
from lidr_plugin.machine import hub
from tests.support.hub import COMMIT, FakeHub, cached, serving

MODEL = {"ns/model/config.json": '{"hidden_size": 8}'}
TABLE = {"datasets/ns/questions/en.tsv": "2 + 2?\t4\n"}
NOWHERE = "http://127.0.0.1:9"

COMMIT_OF = "hub.commit('ns/model', 'main', key='model_name_or_path')"
CONFIG_OF = "hub.download('ns/model', 'config.json', key='model_name_or_path').read_text()"

CODE = """
import sys
from lidr_plugin.errors import InputError
from lidr_plugin.machine import hub
for expression in sys.argv[1:]:
    try:
        print(eval(expression))
    except InputError as error:
        print('REFUSED', error.message, '| hint:', error.hint)
"""


def told(*expressions: str, home: Path, endpoint: str = NOWHERE, **env: str) -> list[str]:
    """What a process of its own makes of each, for huggingface_hub reads its environment once."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    settings = {"HF_HOME": str(home), "HF_ENDPOINT": endpoint, "DO_NOT_TRACK": "1", **env}
    command = [sys.executable, "-W", "error", "-c", CODE, *expressions]
    done = subprocess.run(command, env={**clean, **settings}, capture_output=True, text=True, check=True)
    assert not done.stderr
    return done.stdout.splitlines()


def test_a_commit_is_looked_up_with_the_token_of_the_environment_or_of_the_log_in(tmp_path: Path) -> None:
    with serving(FakeHub(MODEL, token="hf_secret")) as url:
        (refused,) = told(COMMIT_OF, home=tmp_path, endpoint=url, HF_TOKEN="hf_other")
        assert "no such repository, or a private one" in refused
        assert "hf auth login" in refused
        assert "hf_other" not in refused
        assert told(COMMIT_OF, home=tmp_path, endpoint=url, HF_TOKEN="hf_secret") == [COMMIT]
        (tmp_path / "token").write_text("hf_secret")
        assert told(COMMIT_OF, home=tmp_path, endpoint=url) == [COMMIT]


@pytest.mark.parametrize("offline", ["0", "1"])
@pytest.mark.parametrize("variable", ["HF_HOME", "HF_HUB_CACHE"])
def test_what_the_cache_knows_is_not_asked_for(variable: str, offline: str, tmp_path: Path) -> None:
    cached(tmp_path / "hub", "ns/model", {"config.json": "{}"})
    env = {"HF_HUB_CACHE": str(tmp_path / "hub")} if variable == "HF_HUB_CACHE" else {}
    home = tmp_path / "elsewhere" if env else tmp_path
    assert told(COMMIT_OF, CONFIG_OF, home=home, HF_HUB_OFFLINE=offline, **env) == [COMMIT, "{}"]


def test_a_commit_is_its_own_name(tmp_path: Path) -> None:
    assert told(f"hub.commit('ns/model', '{COMMIT}', key='model_name_or_path')", home=tmp_path) == [COMMIT]


def test_a_file_is_fetched_once(tmp_path: Path) -> None:
    fake = FakeHub({**MODEL, **TABLE})
    table = "hub.download('ns/questions', 'en.tsv', key='eval.mgsm', kind='dataset').read_text().strip()"
    there = [MODEL["ns/model/config.json"], TABLE["datasets/ns/questions/en.tsv"].strip()]
    with serving(fake) as url:
        assert told(CONFIG_OF, table, home=tmp_path, endpoint=url) == there
        asked = len(fake.asked)
        assert asked
        assert told(CONFIG_OF, table, COMMIT_OF, home=tmp_path, endpoint=url) == [*there, COMMIT]
        assert len(fake.asked) == asked


def test_what_is_not_there_is_said_with_the_key_that_named_it(tmp_path: Path) -> None:
    cases = {
        COMMIT_OF.replace("ns/model", "ns/other"): "ns/other: revision main: no such repository, or a private one",
        COMMIT_OF.replace("main", "v9"): "ns/model: revision v9: it is not there",
        CONFIG_OF.replace("config.json", "x.json"): "ns/model: x.json could not be loaded: it is not there",
        CONFIG_OF.replace("ns/model", "/no/dir"): "/no/dir: config.json could not be loaded: not the name of",
    }
    with serving(FakeHub(MODEL)) as url:
        found = told(*cases, home=tmp_path, endpoint=url)
    for line, says in zip(found, cases.values(), strict=True):
        assert line.startswith(f"REFUSED model_name_or_path: {says}")
        assert not line.endswith("hint:")


def test_a_gated_repository_says_where_to_ask(tmp_path: Path) -> None:
    with serving(FakeHub(MODEL, gated=True)) as url:
        for line in told(COMMIT_OF, CONFIG_OF, home=tmp_path, endpoint=url):
            assert "gated" in line
            assert "accept its terms" in line


def test_a_hub_that_gives_no_answer_is_said_at_once_and_without_its_password(tmp_path: Path) -> None:
    secret = "http://me:sesame@127.0.0.1:9"
    away = told(COMMIT_OF, CONFIG_OF, home=tmp_path, endpoint=secret)
    offline = told(COMMIT_OF, CONFIG_OF, home=tmp_path, endpoint=secret, HF_HUB_OFFLINE="1")
    with serving(FakeHub({})) as url:
        missing = told(COMMIT_OF, CONFIG_OF, home=tmp_path, endpoint=url.replace("//", "//me:sesame@"))
    assert all("no answer from the Hub" in line for line in away)
    assert all("HF_HUB_OFFLINE" in line for line in offline)
    for line in (*away, *offline, *missing):
        assert line.startswith("REFUSED model_name_or_path: ")
        assert "sesame" not in line


@pytest.mark.parametrize("address", ["ftp://host", "huggingface.co", "http://[::1", "http://host:port", "http://"])
def test_an_address_that_is_none_is_refused_by_its_variable(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", address)
    with pytest.raises(InputError, match="HF_ENDPOINT: not an"):
        hub.commit("ns/model", "main", key="model_name_or_path")
    with pytest.raises(InputError, match="HF_ENDPOINT: not an"):
        hub.download("ns/model", "config.json", key="model_name_or_path")


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with serving(FakeHub(MODEL)) as url:
        (found,) = told(CONFIG_OF, home=tmp_path, endpoint=url, HF_HUB_CACHE=str(tmp_path / "file/hub"))
    assert found.startswith("REFUSED model_name_or_path: ns/model: config.json")
    assert "file/hub" in found


def test_nothing_is_loaded_before_something_is_asked() -> None:
    code = "import sys, lidr_plugin.machine.hub; print('huggingface_hub' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
