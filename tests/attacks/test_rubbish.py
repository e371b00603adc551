"""Rubbish in everything that is read, by hypothesis.

Promised: whatever is in a file, an override or the command line, a command ends within seconds with a status of the contract and
names the file or the key; where it ends with 2 it wrote nothing.

Not promised: that every wrong value is seen before the work begins; nor anything about rubbish in memory, as of a bad RAM.

CI runs a few of these, the same every time. `LIDR_RUBBISH=2000 pytest tests/attacks/test_rubbish.py --hypothesis-seed=7` runs so
many others for each command.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lidr_plugin.config.schema import Config
from lidr_plugin.config.section import keys
from tests.attacks.conftest import enter
from tests.support.inside import in_process
from tests.support.rubbish import TEXTS, Damage, damages, overrides, within

MORE = int(os.environ.get("LIDR_RUBBISH", "0"))
KEYS = [key.name for key in keys(Config)]
CONFIG = ["lidr.yaml"]
INPUTS = [*CONFIG, "prompts/en.jsonl", "prompts/de.jsonl", "ids.txt", "run/data/dataset_info.json", "model/config.json"]
TRAINED = [
    "run/train.json",
    "run/data/demo.jsonl",
    "run/data/dataset_info.json",
    "model/config.json",
    "home/envs/train/check.json",
]
MADE = ["all_results.json", "trainer_log.jsonl", "trainer_state.json", "checkpoint-2/trainer_state.json"]


class Command(NamedTuple):
    """A command, the files that it reads, and how many attacks on it CI runs.

    Attributes:
        takes: whether it takes overrides.
    """

    name: str
    words: list[str]
    reads: list[str]
    few: int
    takes: bool = True


COMMANDS = [
    Command("dry run", ["build-pairs", "lidr.yaml", "--dry-run"], INPUTS, 20),
    Command("build", ["build-pairs", "lidr.yaml"], INPUTS, 12),
    Command(
        "listed",
        ["build-pairs", "lidr.yaml", "prompts=listed/{language}.json"],
        ["listed/en.json", "listed/de.json"],
        10,
    ),
    Command("as the run has it", ["build-pairs", "run/config.json"], ["run/config.json"], 10),
    Command("plan", ["plan", "lidr.yaml"], [*INPUTS, "run/data/demo.jsonl"], 20),
    Command("doctor", ["doctor", "lidr.yaml"], [*INPUTS, "home/envs/train/.lidr-pins", "home/fingerprints.json"], 10),
    Command("recipe", ["train", "lidr.yaml", "--dry-run"], [*CONFIG, *TRAINED], 10),
    Command("train", ["train", "lidr.yaml"], ["run/train.json"], 10),
    Command(
        "train anew",
        ["train", "lidr.yaml", "--restart"],
        [*(f"home/envs/train/made/{name}" for name in MADE), "home/envs/train/merge.json"],
        12,
    ),
    Command("probe", ["probe", "lidr.yaml", "--sample", "2"], INPUTS, 10),
    Command(
        "eval",
        ["eval", "lidr.yaml"],
        [*CONFIG, "mgsm/en.jsonl", "held/de.csv", "theirs/en.json", "model/config.json"],
        15,
    ),
    Command(
        "iterate",
        ["iterate", "lidr.yaml", "--round", "1"],
        [*CONFIG, "run/iterate.json", "run/iter1/probe.json", "run/iter1/eval/results.json"],
        20,
    ),
    Command(
        "report",
        ["report", "run"],
        [
            "run/iter1/report.json",
            "run/iter1/probe.json",
            "run/iter1/train.json",
            "run/iter1/config.json",
            "run/iter1/eval/results.json",
            "run/iter1/checkpoint/trainer_state.json",
            "run/iter1/eval/M0.alpaca_eval.de.json",
            "run/report.json",
        ],
        20,
        False,
    ),
    Command(
        "report of a round",
        ["report", "run/iter1"],
        ["run/iter1/report.json", "run/iter1/eval/results.json", "run/iter1/train.json"],
        20,
        False,
    ),
    Command("verify", ["store", "verify", "run"], ["run/report.json"], 1, False),
]


def _tree(folder: Path) -> dict[str, bytes | str]:
    """Every file below a folder and what is in it; of what is no file, its kind. What lidr keeps in its home is left out."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        if path.relative_to(folder).parts[0] != "home":
            found[str(path)] = (
                path.read_bytes() if path.is_file() and not path.is_symlink() else str(path.lstat().st_mode)
            )
    return found


def _survives(made: Path, words: list[str], damage: dict[str, Damage]) -> None:
    """Runs a command in a copy of the world where files are damaged; looks at how it ends and what it says."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name) / "world"
        shutil.copytree(made, folder)
        enter(patch, folder)
        for file, spoil in damage.items():
            spoil(folder / file)
        before = _tree(folder)
        with within(10):
            done = in_process(*words)
        said = done.stderr + (done.stdout if words[0] == "doctor" else "")
        assert done.returncode in (0, 1, 2), said
        if done.returncode:
            assert "error: " in said.lower() or "\n      -> " in said, said
            assert "Traceback" not in said
            assert "bug in lidr" not in said
            names = [
                *(Path(file).name for file in damage),
                *KEYS,
                *(str(Path(file)) for file in before),
                "--",
                "KEY=VALUE",
            ]
            assert not damage or any(name in said for name in names), said
        if done.returncode == 2:
            after = _tree(folder)
            assert after == before, {file for file in {*before, *after} if before.get(file) != after.get(file)}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_rubbish_is_named(command: Command, made: Path) -> None:
    @settings(
        max_examples=MORE or command.few,
        derandomize=not MORE,
        database=None,
        deadline=None,
        phases=[Phase.generate],  # a smaller example would cost minutes
        suppress_health_check=list(HealthCheck),
    )
    @given(
        damage=st.dictionaries(st.sampled_from(command.reads), damages(), max_size=2),
        given_too=st.just([]) | st.just([]) | st.lists(overrides(KEYS), max_size=2) if command.takes else st.just([]),
    )
    def attacked(damage: dict[str, Damage], given_too: list[str]) -> None:
        _survives(made, [*command.words, *given_too], damage)

    attacked()


WORDS = [
    *TEXTS,
    "lidr.yaml",
    "run",
    "model",
    "--gpus",
    "8x80",
    "99999999x1",
    "1x1e9",
    "--sample",
    "--round",
    "--until",
    "-1",
    "10" * 200,
    "--help",
    "--",
    "/dev/zero",
    "train/x",
]


@settings(
    max_examples=MORE or 30, derandomize=not MORE, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(
    command=st.sampled_from(
        [
            "init",
            "plan",
            "report",
            "recipes cp",
            "recipes ls",
            "iterate",
            "probe",
            "train --dry-run",
            "eval",
            "doctor",
            "env create",
            "store verify",
            "nonsense",
        ]
    ),
    words=st.lists(st.sampled_from(WORDS), max_size=3),
)
def test_an_odd_command_line_is_named(command: str, words: list[str], made: Path) -> None:
    _survives(made, [*command.split(), *(word.replace("\x00", "") for word in words)], {})
