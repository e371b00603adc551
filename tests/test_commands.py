"""The small commands, the documents, the shipped example."""

import json
import re
import shutil
from pathlib import Path

import pytest

from lidr_plugin import __version__
from lidr_plugin.completions.engines.servers import arguments
from lidr_plugin.config.file import load
from lidr_plugin.config.schema import Config
from tests.conftest import Lidr, rows_of, write_config

ROOT = Path(__file__).resolve().parents[1]


def test_version_and_help(lidr: Lidr) -> None:
    assert lidr("--version").stdout.strip() == f"lidr {__version__}"
    assert "build-pairs" in lidr("--help").stdout
    assert "--dry-run" in lidr("build-pairs", "--help").stdout


def test_init_writes_what_a_dry_run_accepts_and_overwrites_nothing(tmp_path: Path, lidr: Lidr) -> None:
    assert lidr("init", "project").returncode == 0
    config = load(tmp_path / "project/lidr.yaml")
    for code in ["en", *config.languages]:
        assert len(rows_of(config.prompt_path(code))) == 8
    dry = lidr("build-pairs", "project/lidr.yaml", "engine.base_url=http://127.0.0.1:9/v1", "--dry-run")
    assert "8 prompts" in dry.stdout
    again = lidr("init", "project")
    assert again.returncode == 2
    assert "is there already" in again.stderr


def test_the_shipped_example_runs_from_its_recorded_completions(tmp_path: Path, lidr: Lidr) -> None:
    shutil.copytree(ROOT / "examples/quickstart", tmp_path / "quickstart")
    run = tmp_path / "run"
    assert lidr("store", "import", run, "quickstart/completions.jsonl").returncode == 0
    done = lidr("build-pairs", "quickstart/lidr.yaml", f"output_dir={run}")
    assert done.returncode == 0, done.stderr
    report = json.loads((run / "report.json").read_text())
    assert report["prompts"] == 40
    assert report["completions"]["generated"] == 0
    assert all(count >= 5 for count in report["pairs"].values())
    prompts = tmp_path / "quickstart/prompts/de.jsonl"
    prompts.write_text(prompts.read_text().replace("Brotteig", "Kuchenteig"))
    changed = lidr("build-pairs", "quickstart/lidr.yaml", f"output_dir={run}")
    assert changed.returncode == 1
    assert "no server answers" in changed.stderr


def test_doctor_looks_at_machine_and_configuration(tmp_path: Path, lidr: Lidr) -> None:
    done = lidr("doctor", env={"LIDR_HOME": str(tmp_path)})
    assert done.returncode == 0, done.stdout
    assert "lidr env create train" in done.stdout
    wrong = lidr("doctor", write_config(tmp_path), env={"LIDR_HOME": str(tmp_path)})
    assert wrong.returncode == 1
    assert "prompts/en.jsonl" in wrong.stdout.replace("\n", "")


def test_a_server_that_lidr_starts_and_that_dies_shows_the_end_of_its_log(tmp_path: Path, lidr: Lidr) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text("{}")
    shutil.copytree(ROOT / "examples/quickstart/prompts", tmp_path / "prompts")
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho loading weights\necho CUDA out of memory >&2\nexit 3\n")
    python.chmod(0o755)
    engine = {"backend": "vllm", "python": str(python), "concurrency": 4}
    config = write_config(tmp_path, engine=engine, model_name_or_path=str(tmp_path / "model"))
    done = lidr("build-pairs", config)
    assert done.returncode == 1
    for part in ("did not start", "status 3", "CUDA out of memory", "gpu_memory_utilization"):
        assert part in done.stderr


def test_server_arguments_are_passed_on() -> None:
    args = {
        "tensor_parallel_size": 8,
        "enforce_eager": True,
        "enable_prefix_caching": False,
        "x": None,
        "rope": {"a": 1},
    }
    line = ["--tensor-parallel-size", "8", "--enforce-eager", "--no-enable-prefix-caching", "--rope", '{"a": 1}']
    assert arguments(args) == line


def test_every_key_of_the_configuration_is_documented() -> None:
    from docs.generate import configuration

    assert (ROOT / "docs/configuration.md").read_text() == configuration(), "run python -m docs.generate"
    for name in Config.model_fields:
        assert f"`{name}" in configuration()


def test_every_command_is_documented() -> None:
    from docs.generate import commands

    assert (ROOT / "docs/commands.md").read_text() == commands(), "run python -m docs.generate"


def test_the_table_of_attacks_is_counted_from_them() -> None:
    from docs.reliability import counts, reliability

    assert counts().total() >= 300
    assert (ROOT / "docs/reliability.md").read_text() == reliability(), "run python -m docs.reliability"


@pytest.mark.parametrize(
    "document", ["README.md", *(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]
)
def test_links_of_documents_lead_somewhere(document: str) -> None:
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        assert target.startswith("http") or (path.parent / target).exists(), f"{document}: {target}"
