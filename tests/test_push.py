"""`lidr push`: what of a run comes to a Hub, and what is read from there."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet
import pytest
import yaml

from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training.state import MergeProof, TrainingState, TrainResult, write_state
from tests.conftest import Lidr, prompts, write_config, write_prompts
from tests.support.server import FakeServer, running
from tests.support.trained import in_train
from tests.support.writable_hub import Repository, WritableHub, serving

Push = Callable[..., object]


@pytest.fixture
def run(tmp_path: Path, lidr: Lidr) -> Path:
    """A finished run, whose policy is a directory that is nobody's business."""
    write_prompts(tmp_path, prompts(24, ("en", "de", "es")))
    with running(FakeServer()) as url:
        config = write_config(tmp_path, languages=["de", "es"], engine__base_url=url, engine__model="fake")
        done = lidr("build-pairs", config, "model_name_or_path=/home/someone/secret-model")
    assert done.returncode == 0, done.stderr
    return tmp_path / "run"


@pytest.fixture
def hub() -> Iterator[WritableHub]:
    served = WritableHub()
    with serving(served):
        yield served


def env_of(hub: WritableHub, folder: Path, token: str = "secret") -> dict[str, str]:
    told = {"HF_ENDPOINT": hub.address, "HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "0", "HF_TOKEN": token}
    return {**told, "HF_HUB_DISABLE_XET": "1"}  # whose protocol is that of another server


def rows_of(run: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (run / "data/demo.jsonl").read_text().splitlines()]


def test_the_dataset_arrives_in_both_forms_with_its_card(
    run: Path, hub: WritableHub, tmp_path: Path, command: Lidr
) -> None:
    done = command("push", run, "user/pairs", env=env_of(hub, tmp_path))
    assert done.returncode == 0, done.stderr
    assert "dataset user/pairs (private)" in done.stdout
    assert not done.stderr, "no bar where there is no terminal"
    assert "dataset_dir=REMOTE:user/pairs dataset=demo" in done.stdout
    pushed = hub.repositories["datasets/user/pairs"]
    assert pushed.private
    parquet = "train-00000-of-00001.parquet"
    assert set(pushed.files) == {"README.md", "dataset_info.json", f"data/{parquet}", f"messages/{parquet}"}
    for name in pushed.files:
        (tmp_path / "got" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "got" / name).write_bytes(pushed.files[name])
    rows = rows_of(run)
    assert pyarrow.parquet.read_table(tmp_path / "got/data" / parquet).to_pylist() == rows
    turns = pyarrow.parquet.read_table(tmp_path / "got/messages" / parquet).to_pylist()
    assert [row["chosen"][-1]["content"] for row in turns] == [row["chosen"] for row in rows]
    entry = json.loads(pushed.files["dataset_info.json"])["demo"]
    assert (entry["hf_hub_url"], entry["ranking"]) == ("user/pairs", True)
    assert "file_name" not in entry


def test_the_card_tells_counts_filters_languages_a_sample_and_no_path(
    run: Path, hub: WritableHub, tmp_path: Path, command: Lidr
) -> None:
    command("push", run, "user/pairs", "--license", "cc-by-4.0", env=env_of(hub, tmp_path))
    card = hub.repositories["datasets/user/pairs"].files["README.md"].decode()
    head = yaml.safe_load(card.split("---\n")[1])
    assert head["language"] == ["en", "de", "es"]
    assert head["license"] == "cc-by-4.0"
    assert [x["config_name"] for x in head["configs"]] == ["default", "messages"]
    report = json.loads((run / "report.json").read_text())
    assert f"| German (`de`) | {report['candidates']['de']} | {report['pairs']['de']} |" in card
    for part in ("`off_target`", "`length_ratio`", "2410.08964", rows_of(run)[0]["chosen"][:100], "`imbalance`"):
        assert part in card
    assert "secret-model" in card
    assert "/home/someone" not in card + repr(hub.repositories["datasets/user/pairs"].files)


def test_a_dry_run_shows_the_files_and_asks_nobody(run: Path, tmp_path: Path, lidr: Lidr) -> None:
    before = sorted(path for path in run.rglob("*"))
    done = lidr("push", run, "user/pairs", "--dry-run", env={"HF_ENDPOINT": "http://127.0.0.1:9"})
    assert done.returncode == 0, done.stderr
    assert "data/train-00000-of-00001.parquet" in done.stdout
    assert "nothing was pushed" in done.stdout
    told = json.loads(lidr("push", run, "user/pairs", "--dry-run", "--json").stdout)
    assert told["visibility"] == "private"
    assert told["files"]["README.md"] > 500
    assert sorted(path for path in run.rglob("*")) == before


def test_a_public_repository_is_pushed_to_only_if_that_is_said(
    run: Path, hub: WritableHub, tmp_path: Path, command: Lidr
) -> None:
    hub.repositories["datasets/user/pairs"] = Repository(private=False)
    refused = command("push", run, "user/pairs", env=env_of(hub, tmp_path))
    assert refused.returncode == 2
    assert "--public" in refused.stderr
    assert not hub.repositories["datasets/user/pairs"].files
    assert command("push", run, "user/pairs", "--public", env=env_of(hub, tmp_path)).returncode == 0
    assert hub.repositories["datasets/user/pairs"].files


def test_without_a_token_it_says_how_to_log_in(run: Path, hub: WritableHub, tmp_path: Path, command: Lidr) -> None:
    for token in ("", "wrong"):
        done = command("push", run, "user/pairs", env=env_of(hub, tmp_path, token))
        assert done.returncode == 2
        assert "hf auth login" in done.stderr
        assert "Traceback" not in done.stderr
    assert not hub.repositories


def test_what_is_no_finished_run_is_told_what_makes_it(run: Path, tmp_path: Path, lidr: Lidr) -> None:
    (tmp_path / "empty").mkdir()
    assert "lidr build-pairs" in lidr("push", "empty", "user/x", "--dry-run").stderr
    assert "lidr train makes it" in lidr("push", run, "user/x", "--model", "--dry-run").stderr
    (tmp_path / "rounds").mkdir()
    os.rename(run, tmp_path / "rounds/iter1")
    assert "rounds/iter1" in lidr("push", "rounds", "user/x", "--dry-run").stderr


def test_a_name_that_is_none_is_refused(run: Path, hub: WritableHub, tmp_path: Path, command: Lidr) -> None:
    done = command("push", run, "no/such/name", env=env_of(hub, tmp_path))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_texts_that_end_a_fence_or_a_table_stay_in_their_place(run: Path, tmp_path: Path, lidr: Lidr) -> None:
    from lidr_plugin.rounds.push import dataset_of

    rows = rows_of(run)
    rows[0]["chosen"] = "```\n# Heading\n<script>alert(1)</script>\n````"
    (run / "data/demo.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "made").mkdir()
    card = dataset_of(RunDirectory(run), "user/x", tmp_path / "made", license="other").files["README.md"]
    assert isinstance(card, bytes)
    assert "`````text\n```\n# Heading" in card.decode()


def trained(run: Path) -> None:
    model = run / "model"
    model.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "training_args.bin"):
        (model / name).write_bytes(b"{}")
    proof = MergeProof(
        modules=4,
        zero=[],
        unchanged=[],
        shift=0.1,
        error=0.001,
        lost=0.01,
        kl_base_to_trained=0.1,
        kl_saved_to_trained=0.0,
    )
    settings = {
        "stage": "dpo",
        "learning_rate": 5e-7,
        "pref_beta": 0.1,
        "lora_rank": 8,
        "output_dir": "/home/someone/run",
    }
    result = TrainResult(train_loss=0.69, train_runtime=120.0)
    write_state(RunDirectory(run), TrainingState(status="done", training=settings, result=result, merge=proof))
    (run / "eval").mkdir()
    share = {"hits": 3, "total": 10, "share": 0.3, "interval": [0.1, 0.6]}
    results = {"results": {"M1": {"mgsm": {"de": {"accuracy": share}}}}, "models": {"M1": "run/model"}, "weights": {}}
    (run / "eval/results.json").write_text(json.dumps(results))


def test_the_model_arrives_with_a_card_of_its_training_and_evaluation(
    run: Path, hub: WritableHub, tmp_path: Path, command: Lidr
) -> None:
    trained(run)
    done = command("push", run, "user/model", "--model", env=env_of(hub, tmp_path))
    assert done.returncode == 0, done.stderr
    pushed = hub.repositories["models/user/model"]
    assert pushed.private
    assert set(pushed.files) == {"README.md", "config.json", "model.safetensors", "tokenizer.json"}
    card = pushed.files["README.md"].decode()
    for part in (
        "| `learning_rate` | `5e-07` |",
        "0.69",
        "| `M1` | mgsm | `de` | accuracy | 30.0",
        "library_name: transformers",
    ):
        assert part in card
    assert "/home/someone" not in card


@pytest.mark.train
def test_llamafactory_reads_it_from_the_hub_by_its_own_code(
    run: Path, hub: WritableHub, tmp_path: Path, command: Lidr, tiny: Path, train_python: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    env = env_of(hub, tmp_path)
    assert command("push", run, "user/pairs", env=env).returncode == 0
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    found = in_train(train_python, "read_remote", tiny, "user/pairs", "demo", "dpo", tmp_path / "out")
    rows = rows_of(run)
    assert len(found["rows"]) == found["encoded"] == len(rows)
    for seen, row in zip(found["rows"], rows, strict=True):
        assert [turn["content"] for turn in seen["_response"]] == [row["chosen"], row["rejected"]]
    assert "chosen_input_ids" in found["keys"]
