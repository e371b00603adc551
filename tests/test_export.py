"""`lidr export`: a trained model for Ollama, llama.cpp and vLLM."""

import json
import shlex
import shutil
from pathlib import Path

import pytest

from tests.conftest import Lidr, prompts, write_config, write_prompts
from tests.support.server import FakeServer, running


@pytest.fixture
def run(tmp_path: Path, lidr: Lidr) -> Path:
    """A run with something where its model would be."""
    write_prompts(tmp_path, prompts(4, ("en", "de")))
    with running(FakeServer()) as url:
        lidr("build-pairs", write_config(tmp_path, languages=["de"], engine__base_url=url))
    (tmp_path / "run/model").mkdir()
    (tmp_path / "run/model/config.json").write_text("{}")
    return tmp_path / "run"


def test_without_a_trained_model_it_says_what_makes_one(tmp_path: Path, lidr: Lidr) -> None:
    for way in ("--ollama", "--gguf", "--vllm"):
        done = lidr("export", tmp_path / "none", way)
        assert done.returncode == 2
        assert "lidr train makes it" in done.stderr


def test_nothing_asked_for_names_the_ways(run: Path, lidr: Lidr) -> None:
    done = lidr("export", run)
    assert done.returncode == 2
    assert "--ollama, --gguf or --vllm" in done.stderr


def test_the_command_for_vllm_names_model_and_name(run: Path, lidr: Lidr) -> None:
    words = shlex.split(lidr("export", run, "--vllm").stdout)
    assert words[1:] == ["serve", str(run / "model"), "--served-model-name", "demo"]


def test_without_llama_cpp_the_exact_commands_are_shown(run: Path, lidr: Lidr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("LIDR_HOME", str(run))
    monkeypatch.delenv("LLAMA_CPP", raising=False)
    done = lidr("export", run, "--gguf")
    assert done.returncode == 0
    assert (
        f"  python llama.cpp/convert_hf_to_gguf.py {run}/model --outfile {run}/demo.gguf --outtype bf16" in done.stdout
    )
    assert "git clone" in done.stdout
    assert "pip install" in done.stdout
    python = run / "envs/train/bin/python"
    python.parent.mkdir(parents=True)
    python.touch()
    done = lidr("export", run, "--gguf")
    assert f"  {python} llama.cpp/convert_hf_to_gguf.py" in done.stdout
    assert "pip install" not in done.stdout, "what the converter needs is in the train environment"


CONVERTER = """
import sys
model, _, target, *_ = sys.argv[1:]
if "fail" in open(model + "/config.json").read(): sys.exit("unknown architecture")
open(target, "w").write("GGUF " + model)
"""


def test_the_converter_of_llama_cpp_is_used_where_it_is(
    run: Path, tmp_path: Path, lidr: Lidr, train_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpp").mkdir()
    (tmp_path / "cpp/convert_hf_to_gguf.py").write_text(CONVERTER)
    monkeypatch.setenv("LLAMA_CPP", str(tmp_path / "cpp"))
    done = lidr("export", run, "--gguf", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["path"] == str(run / "demo.gguf")
    assert (run / "demo.gguf").read_text() == f"GGUF {run}/model"
    (run / "demo.gguf").unlink()
    (run / "model/config.json").write_text('"fail"')
    failed = lidr("export", run, "--gguf")
    assert failed.returncode == 1
    assert "unknown architecture" in failed.stderr
    assert not list(run.glob("*.gguf*"))
    assert not list(run.glob("*.part"))


@pytest.mark.train
def test_the_modelfile_is_llamafactorys(run: Path, lidr: Lidr, tiny: Path) -> None:
    shutil.rmtree(run / "model")
    shutil.copytree(tiny, run / "model")
    done = lidr("export", run, "--ollama")
    assert done.returncode == 0, done.stderr
    text = (run / "Modelfile").read_text()
    assert "FROM ./model\n" in text
    assert "<|im_start|>user\n{{ .Content }}<|im_end|>" in text
    assert f"ollama create demo -f {run}/Modelfile" in done.stdout
