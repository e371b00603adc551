"""What goes wrong for somebody who begins: each error leads to the next command."""

import json
from pathlib import Path

import pytest

from lidr_plugin.run_directory import RunDirectory
from tests.conftest import Lidr, prompts, write_config, write_prompts
from tests.support.hub import FakeHub, serving


def test_no_server_says_how_one_is_started(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(2, ("en", "de")))
    config = write_config(tmp_path, languages=["de"], engine__max_retries=0)
    for words in (["build-pairs", config], ["build-pairs", config, "--dry-run"], ["probe", config], ["doctor", config]):
        done = lidr(*words, env={"LIDR_HOME": str(tmp_path / "home")})
        assert done.returncode == 1
        assert "no server answers at http://127.0.0.1:9/v1" in done.stdout + done.stderr
        for command in ("vllm serve", "engine.base_url", "lidr env create vllm"):
            assert command in done.stdout + done.stderr


def test_a_gated_model_without_a_token_says_how_to_log_in(tmp_path: Path, command: Lidr) -> None:
    write_prompts(tmp_path, prompts(2, ("en", "de")))
    engine = {"backend": "transformers"}
    config = write_config(tmp_path, languages=["de"], engine=engine, model_name_or_path="meta/closed")
    hub = FakeHub({"config.json": "{}"}, token="right", gated=True)
    with serving(hub) as endpoint:
        env = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "0"}
        done = command("build-pairs", config, env=env)
    assert done.returncode == 2
    assert "meta/closed" in done.stderr
    assert "hf auth login" in done.stderr
    assert "HF_TOKEN" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("wrong", "right"), [("lama3", "llama3"), ("Qwen2", "qwen"), ("mistrall", "mistral")])
def test_a_template_that_is_nearly_one_is_told_before_anything_is_asked(
    wrong: str, right: str, tmp_path: Path, lidr: Lidr
) -> None:
    write_prompts(tmp_path, prompts(2, ("en", "de")))
    config = write_config(tmp_path, languages=["de"], template=wrong)
    done = lidr("build-pairs", config)
    assert done.returncode == 2
    assert f"template: {right}" in done.stderr
    assert "lidr doctor" in done.stderr
    assert not (tmp_path / "run").exists()
    # Of a LLaMA-Factory of one's own, perhaps.
    own = lidr("build-pairs", config, "train.allow_template_mismatch=true", "--dry-run")
    assert "LLaMA-Factory has none" not in own.stderr


def test_too_little_disk_says_how_much_is_needed_and_where_else_to_go(
    tmp_path: Path, lidr: Lidr, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_prompts(tmp_path, prompts(2, ("en", "de")))
    monkeypatch.setattr(RunDirectory, "free_bytes", lambda _: 1 << 20)
    done = lidr("build-pairs", write_config(tmp_path, languages=["de"]))
    assert done.returncode == 1
    assert "1 MB free, and this run needs about 16 MB" in done.stderr
    assert "output_dir=/another/disk/run" in done.stderr
    assert not (tmp_path / "run").exists()


def test_prompts_in_one_language_only_can_be_translated(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(2, ("en",)))
    config = write_config(tmp_path, languages=["de", "sw"])
    done = lidr("build-pairs", config)
    assert done.returncode == 2
    assert "prompts/sw.jsonl: no such file (sw)" in done.stderr
    assert "translate_prompts=true" in done.stderr
    assert "no such file" not in lidr("build-pairs", config, "translate_prompts=true", "--dry-run").stderr


def test_one_file_of_prompts_is_told_its_name(tmp_path: Path, lidr: Lidr) -> None:
    (tmp_path / "mine.jsonl").write_text(json.dumps({"id": "1", "instruction": "Name a river."}) + "\n")
    done = lidr("build-pairs", write_config(tmp_path, languages=["de"], prompts="mine.jsonl"))
    assert done.returncode == 2
    assert "prompts/{language}.jsonl" in done.stderr
    assert "translate_prompts: true" in done.stderr
