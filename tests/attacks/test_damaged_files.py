"""Damaged files.

Promised: every file that lidr reads may be cut, empty, in another encoding, of other types, endlessly nested, beyond 64 bits or no
file at all (a folder, a pipe that nobody writes to, a socket, a device, a link to itself): the command names it and says what to
do, with status 1 or 2, and never waits for it.

Not promised: that damage is noticed which leaves a sensible value, as another number; and a file that another program changes
while it is read.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.inside import in_process
from tests.support.rubbish import NESTED, replaced_by, within

REPORT, ITERATE = ("report", "run/iter1"), ("iterate", "lidr.yaml", "--round", "1")
BUILD, PLAN, EVAL = ("build-pairs", "lidr.yaml"), ("plan", "lidr.yaml", "--gpus", "1x24"), ("eval", "lidr.yaml")
READERS: dict[str, tuple[str, ...]] = {
    "lidr.yaml": BUILD,
    "prompts/de.jsonl": BUILD,
    "ids.txt": BUILD,
    "run/data/dataset_info.json": BUILD,
    "run/data/demo.jsonl": PLAN,
    "model/config.json": PLAN,
    "run/train.json": ("train", "lidr.yaml"),
    "home/envs/train/made/all_results.json": ("train", "lidr.yaml", "--restart"),
    "run/iter1/report.json": REPORT,
    "run/iter1/probe.json": REPORT,
    "run/iter1/train.json": REPORT,
    "run/iter1/config.json": REPORT,
    "run/iter1/eval/results.json": REPORT,
    "run/iter1/checkpoint/trainer_state.json": REPORT,
    "run/iterate.json": ITERATE,
    "theirs/de.json": EVAL,
    "held/de.csv": EVAL,
    "mgsm/de.jsonl": EVAL,
}
"""What is read, and by which command first."""
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut in the middle": lambda data: data[: len(data) // 2],
    "UTF-16": lambda data: data.decode().encode("utf-16"),
    "ISO-8859-1": lambda data: b"\xe9\xff" + data,
    "nested thousands deep": lambda data: NESTED.encode(),
    "a number of 5,000 digits": lambda data: b"[" + b"9" * 5000 + b"]",
}
FORGIVING = {("ids.txt", name) for name in ("cut in the middle", "nested thousands deep", "a number of 5,000 digits")}
"""Any line is an id."""


def ended(words: tuple[str, ...], file: str) -> None:
    """The command ends in time with the file's name and its status."""
    with within(20):
        done = in_process(*words)
    assert done.returncode in (1, 2), done.stdout + done.stderr
    assert Path(file).name in done.stderr, done.stderr
    assert done.stderr.count("error: ") == 1


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", READERS)
def test_a_damaged_file_is_named(file: str, damage: str, world: Path) -> None:
    if (file, damage) in FORGIVING:
        pytest.skip("every line is an id")
    path = world / file
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    ended(READERS[file], file)


@pytest.mark.parametrize("kind", ["folder", "pipe", "loop", "device"])
@pytest.mark.parametrize("file", READERS)
def test_what_is_no_file_is_named_and_not_waited_for(file: str, kind: str, world: Path) -> None:
    if "made/" in file:
        pytest.skip("the training that leaves it copies files alone")
    replaced_by(world / file, kind)
    ended(READERS[file], file)


STATES = [
    "run/iter1/report.json",
    "run/iter1/probe.json",
    "run/iter1/train.json",
    "run/iter1/eval/results.json",
    "run/iterate.json",
]


@pytest.mark.parametrize(
    "content", ["[]", "null", '"text"', "5", "{}x", "", "\ufeff", '{"prompts": "many"}', '{"a": 1e999}']
)
@pytest.mark.parametrize("file", STATES)
def test_a_state_of_another_kind_is_named(file: str, content: str, world: Path) -> None:
    (world / file).write_text(content, encoding="utf-8")
    done = in_process(*READERS[file])
    if file.endswith("report.json") and done.returncode == 0:  # a page without rows is a page of what else there is
        assert '"prompts"' not in content
        return
    assert done.returncode == 2
    assert Path(file).name in done.stderr


@pytest.mark.parametrize(
    ("file", "place", "value"),
    [
        ("run/iter1/report.json", ("timeline", "bin_seconds"), 0),
        ("run/iter1/report.json", ("lengths", "bins"), []),
        ("run/iter1/report.json", ("pairs",), {}),
        ("run/iter1/report.json", ("candidates",), {"☃": 10**17}),
        ("run/iter1/report.json", ("rejected",), {"": {"": -5}}),
        ("run/iter1/report.json", ("seconds",), -1),
        ("run/iter1/report.json", ("prompts",), 10**18),
        ("run/iter1/probe.json", ("signal", "hits"), -1),
        ("run/iter1/probe.json", ("signal", "total"), 0),
        ("run/iter1/probe.json", ("signal", "total"), 10**17),
        ("run/iter1/train.json", ("training",), {"dataset": "../../../etc/passwd"}),
        ("run/iter1/train.json", ("training",), {"stage": ["dpo"], "dataset": 5}),
        ("run/iter1/checkpoint/trainer_state.json", ("log_history",), 5),
        ("run/iter1/checkpoint/trainer_state.json", ("log_history",), [1, [], None]),
        (
            "run/iter1/checkpoint/trainer_state.json",
            ("log_history",),
            [{"step": 10**18, "loss": 1e308}, {"step": -1, "loss": "x"}],
        ),
        ("run/iter1/checkpoint/trainer_state.json", ("log_history",), [{"step": 1, "loss": float("nan")}] * 2),
        ("run/iter1/eval/results.json", ("models",), {}),
        ("run/iter1/eval/results.json", ("models",), {"M0": "x" * 5000}),
        ("run/iter1/eval/results.json", ("models",), {"M0": "~nobody/model", "M1": "\0"}),
        (
            "run/iter1/eval/results.json",
            ("results", "M0"),
            {"lm_eval": {"t": {"m": {"value": 1e308, "stderr": -1e308}}}},
        ),
        ("run/iter1/eval/results.json", ("head_to_head", "cost"), -1e308),
        ("run/iter1/eval/results.json", ("head_to_head", "results"), {"M1": {}}),
        ("run/iterate.json", ("1.build",), []),
        ("run/iterate.json", ("1.build",), {}),
        ("run/iterate.json", ("1.build",), {"seed": "x"}),
    ],
)
def test_a_value_that_makes_no_sense_is_named_or_shown(
    file: str, place: tuple[str, ...], value: object, world: Path
) -> None:
    found = json.loads((world / file).read_text())
    below = found
    for key in place[:-1]:
        below = below[key]
    below[place[-1]] = value
    (world / file).write_text(json.dumps(found))
    with within(20):
        done = in_process(*READERS[file])
    assert done.returncode in (0, 1, 2)
    assert not done.returncode or done.stderr.startswith(("error: ", "round 1"))


def test_a_checkpoint_of_any_name_is_looked_at(world: Path) -> None:
    (world / "run/iter1/checkpoint/trainer_state.json").unlink()
    for name in ("checkpoint-x", "checkpoint-1x", "checkpoint-²", "checkpoint-", f"checkpoint-{'9' * 240}"):
        (world / "run/iter1/checkpoint" / name).mkdir()
        (world / "run/iter1/checkpoint" / name / "trainer_state.json").write_text("{}")
    assert in_process(*REPORT).returncode == 0
    done = in_process("train", "lidr.yaml", "--restart")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["fingerprints.json", "envs/train/.lidr-pins"])
@pytest.mark.parametrize("kind", ["folder", "pipe", "loop", "device"])
def test_what_is_only_remembered_is_found_out_again(name: str, kind: str, world: Path) -> None:
    replaced_by(world / "home" / name, kind)
    with within(20):
        done = in_process("doctor", "lidr.yaml")
    assert done.returncode in (0, 1)
    assert "bug" not in done.stderr


@pytest.mark.parametrize("answer", ["", "[]", "{}", '{"template": 5}', "nonsense", NESTED])
@pytest.mark.parametrize("script", ["check", "merge"])
def test_an_environment_that_answers_rubbish_is_named(script: str, answer: str, world: Path) -> None:
    (world / f"home/envs/train/{script}.json").write_text(answer)
    done = in_process("train", "lidr.yaml", "--restart")
    assert done.returncode == 1
    assert f"lidr's {script} in the train environment" in done.stderr


@pytest.mark.parametrize(
    "shape",
    [
        {"hidden_size": 0},
        {"hidden_size": -64},
        {"hidden_size": True},
        {"num_attention_heads": 0},
        {"head_dim": "wide"},
        {"vocab_size": 10**15},
        {"num_hidden_layers": 1.5},
        {"num_key_value_heads": []},
        {"text_config": []},
        {"text_config": None},
        {"quantization_config": "nf4"},
        {"intermediate_size": None},
    ],
)
def test_a_shape_that_makes_no_sense_is_named(shape: dict[str, object], world: Path) -> None:
    path = world / "model/config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **shape}))
    for words in (PLAN, ("train", "lidr.yaml", "--dry-run"), ("doctor", "lidr.yaml")):
        done = in_process(*words)
        assert done.returncode in (0, 1, 2)
        assert "bug" not in done.stderr
    if "quantization_config" not in shape:
        assert "config.json" in in_process(*PLAN).stderr
