"""examples/cluster: what schedulers are told can be read, and every shard of 16 is asked for once."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from lidr_cli.app import app

from lidr_plugin.dataset.shards import Shard

FOLDER = Path(__file__).resolve().parents[1] / "examples/cluster"
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.sh"))
SHARDS = [f"{number}/16" for number in range(16)]
NOTING = """#!/bin/bash
printf '%s\\n' "$(basename "$0") $*" >> "$CALLS"
"""
PARALLEL = """#!/bin/bash
while [ "$1" != lidr ]; do shift; done
while read -r item; do "${@//\\{\\}/$item}"; done
"""
HF = """#!/bin/bash
for word in "$@"; do case "$word" in SHARD=*) export "$word";; esac; last="$word"; done
if [ "$1" = jobs ]; then exec bash -c "$last"; fi
"""


def calls(folder: Path, script: Sequence[str], **env: str) -> list[str]:
    """How a script calls `lidr`, with schedulers that do no more than call it."""
    programs = {"lidr": NOTING, "pip": "#!/bin/bash\n", "parallel": PARALLEL, "hf": HF}
    for name, text in programs.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    path, noted = f"{folder}:{os.environ['PATH']}", folder / "calls"
    done = subprocess.run(
        [*script],
        cwd=folder,
        env={**os.environ, "PATH": path, "CALLS": str(noted), **env},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return noted.read_text().splitlines()


def shard_in(call: str) -> str:
    """The shard of a call that the real command takes."""
    _, name, *arguments = call.split()
    assert name == "build-pairs"
    command: Any = typer.main.get_command(app)
    found = command.commands[name].make_context(name, arguments).params
    assert found["config"].name == "lidr.yaml"
    Shard.parse(found["shard"])
    return str(found["shard"])


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_shell_reads_it(name: str) -> None:
    done = subprocess.run(["bash", "-n", str(FOLDER / name)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_slurms_array_has_every_shard_once_and_is_queued_again(tmp_path: Path) -> None:
    text = (FOLDER / "slurm.sh").read_text()
    first, last = re.findall(r"^#SBATCH --array=(\d+)-(\d+)$", text, re.MULTILINE)[0]
    assert "#SBATCH --requeue\n" in text
    assert not re.findall(r"^#SBATCH", text.partition("\nlidr ")[2], re.MULTILINE), "Slurm reads none behind a command"
    count = str(int(last) - int(first) + 1)
    found = []
    for task in range(int(first), int(last) + 1):
        given = {"SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_TASK_COUNT": count}
        found = calls(tmp_path, ["bash", str(FOLDER / "slurm.sh")], **given)
    assert [shard_in(call) for call in found] == SHARDS


def test_parallel_has_every_shard_once_and_then_merges(tmp_path: Path) -> None:
    *found, last = calls(tmp_path, [str(FOLDER / "parallel.sh")])
    assert [shard_in(call) for call in found] == SHARDS
    assert last == "lidr merge lidr.yaml"


def test_the_jobs_of_the_hub_have_every_shard_once(tmp_path: Path) -> None:
    found = calls(tmp_path, [str(FOLDER / "huggingface-jobs.sh"), "me/run"])
    assert [shard_in(call) for call in found if "env create" not in call] == SHARDS


def test_kubernetes_indices_have_every_shard_once(tmp_path: Path) -> None:
    spec = yaml.safe_load((FOLDER / "kubernetes.yaml").read_text())["spec"]
    assert spec["completionMode"] == "Indexed"
    (container,) = spec["template"]["spec"]["containers"]
    mounted = {volume["name"] for volume in spec["template"]["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == mounted
    for index in range(spec["completions"]):
        found = calls(tmp_path, container["command"], JOB_COMPLETION_INDEX=str(index))
    assert [shard_in(call) for call in found] == SHARDS


def test_skypilot_is_told_the_shard_by_an_environment_variable(tmp_path: Path) -> None:
    text = (FOLDER / "skypilot.yaml").read_text()
    task = yaml.safe_load(text)
    assert {"resources", "setup", "run", "envs"} <= task.keys()
    loop = re.findall(r"^#   (for .*)$", text, re.MULTILINE)[0]
    sky = tmp_path / "sky"
    sky.write_text(NOTING)
    sky.chmod(0o755)
    launched = calls(tmp_path, ["bash", "-c", loop])
    shards = [re.findall(r"SHARD=(\S+)", call)[0] for call in launched]
    assert shards == SHARDS
    (tmp_path / "calls").unlink()
    assert shard_in(calls(tmp_path, ["bash", "-c", task["run"]], SHARD=shards[3])[-1]) == "3/16"
