"""Training for real, on the CPU: llamafactory-cli, peft, bitsandbytes, DeepSpeed, on what build-pairs made."""

import json
import math
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import lidr_plugin
from lidr_plugin.machine.environments import llamafactory_kinds, llamafactory_names
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training.checks import merge
from lidr_plugin.training.recipe import recipe_for
from tests.conftest import Lidr, rows_of
from tests.support.child import PATIENCE, killed, started, until
from tests.support.trained import (
    LOUD,
    QUICK,
    ROOT,
    SMALL,
    anywhere,
    build,
    environment,
    in_train,
    losses,
    once,
    recipe,
    same_data,
    state,
    train,
)

pytestmark = pytest.mark.train
TWO_RANKS = {"FORCE_TORCHRUN": 1, "NPROC_PER_NODE": 2, "DS_ACCELERATOR": "cpu"}
ONE_RANK = {"FORCE_TORCHRUN": 1, "NPROC_PER_NODE": 1, "DS_ACCELERATOR": "cpu"}
LONG = {"method": "lora", **LOUD, "max_steps": 12, "save_steps": 4}
"""Long enough to be killed between two checkpoints."""


@pytest.fixture(scope="module")
def undisturbed(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was trained with `LONG`, with its configuration."""

    def make(folder: Path) -> None:
        config = build(folder, anywhere, tiny)
        (folder / "said").write_text(train(anywhere, config, **LONG))

    return once(tmp_path_factory, "undisturbed", make)


@pytest.fixture(scope="module")
def llamafactory_itself(train_python: Path, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What it knows, and how it reads the shipped recipes."""

    def make(folder: Path) -> None:
        found = in_train(train_python, "parse_recipes", tiny, *recipes())
        (folder / "found.json").write_text(json.dumps(found))

    found: dict[str, Any] = json.loads((once(tmp_path_factory, "parsed", make) / "found.json").read_text())
    return found


def recipes() -> list[Path]:
    return sorted((ROOT / "recipes").glob("*/*.yaml"))


def test_lidr_knows_the_keys_and_templates_of_the_installed_llamafactory(llamafactory_itself: dict[str, Any]) -> None:
    assert set(llamafactory_itself["keys"]) == llamafactory_names("keys")
    assert {key: kind for key, kind in llamafactory_itself["keys"].items() if kind} == llamafactory_kinds()
    assert set(llamafactory_itself["templates"]) == llamafactory_names("templates")


def test_every_recipe_is_taken_by_llamafactorys_parser(llamafactory_itself: dict[str, Any]) -> None:
    assert len(recipes()) >= 39
    found = llamafactory_itself["recipes"]
    assert set(found) == {str(path) for path in recipes()}
    for path in recipes():
        seen, name = found[str(path)], path.stem
        if path.parent.name == "methods":
            wanted = yaml.safe_load(path.read_text())
            assert (seen["stage"], seen["type"], seen["lr"]) == (wanted["stage"], "lora", wanted["learning_rate"])
            assert seen["stage"] == "sft" or (seen["beta"], seen["ftx"]) == (wanted["pref_beta"], wanted["pref_ftx"])
            continue
        task = "math" if name.startswith("math") else "instruction"
        if name.startswith("sft-baseline"):
            assert (seen["stage"], seen["lr"], seen["zero"], seen["accumulation"] * 8) == ("sft", 1e-5, 3, 128)
            continue
        assert (seen["stage"], seen["beta"], seen["ftx"]) == ("dpo", 0.1, 1.0)
        full = "-full-" in name
        gpus = 8 if full else 1
        assert seen["type"] == ("full" if full else "lora")
        assert seen["zero"] == (3 if full else 0)
        assert seen["accumulation"] * gpus == {"instruction": 16, "math": 64}[task]
        assert seen["lr"] == pytest.approx({"instruction": 5e-7, "math": 5e-6}[task] * (1 if full else 10))


def llamafactory(python: Path, recipe: Path, *overrides: str) -> None:
    """The bare command, from another folder."""
    command = [str(python.parent / "llamafactory-cli"), "train", str(recipe), *overrides]
    done = subprocess.run(
        command, cwd="/", env=environment(), capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr[-2000:]


METHODS: dict[str, dict[str, Any]] = {
    "qlora": {"method": "qlora"},
    "full": {"method": "full"},
    "full, ZeRO-2 on two ranks": {
        "method": "full",
        "deepspeed": "zero2",
        "env": TWO_RANKS,
        "ddp_backend": "gloo",
    },
    "full, ZeRO-3 on one": {"method": "full", "deepspeed": "zero3", "env": ONE_RANK, "ddp_backend": "gloo"},
    "sft_baseline": {"method": "sft_baseline"},
    "kto": {"method": "lora", "stage": "kto"},
}


@pytest.mark.parametrize("name", METHODS)
def test_each_method_trains_and_ends_in_a_verified_model(name: str, tiny: Path, tmp_path: Path, lidr: Lidr) -> None:
    settings = {**METHODS[name]}
    words = settings.pop("env", {})
    config = build(tmp_path, lidr, tiny, train={"method": settings["method"]})
    run = same_data(tmp_path / "run", tmp_path / "a run")
    said = train(lidr, config, run, **LOUD, **settings, **{f"env.{k}": v for k, v in words.items()})
    assert_verified(run, said, tiny, steps=2, world=words.get("NPROC_PER_NODE", 1))
    if name == "sft_baseline":
        rows = rows_of(run / "data/demo.jsonl")
        assert {row["language"] for row in rows} == {"de", "es", "fr"}
        assert {row["output_source"].partition(":")[0] for row in rows} == {"translation"}


def test_lora_trains_and_ends_in_a_verified_model(undisturbed: Path, tiny: Path) -> None:
    assert_verified(undisturbed / "run", (undisturbed / "said").read_text(), tiny, steps=12, world=1)


def assert_verified(run: Path, said: str, base: Path, *, steps: int, world: int) -> None:
    assert "agrees with the chat template" in said
    written = recipe(run)
    assert written["per_device_train_batch_size"] * written["gradient_accumulation_steps"] * world == 4
    merged = state(run)["merge"]
    assert state(run)["status"] == "done"
    assert merged["broken"] == ""
    assert merged["shift"] > 0
    assert merged["lost"] < 1
    assert merged["zero"] == []
    assert (run / "model/chat_template.jinja").read_bytes() == (base / "chat_template.jinja").read_bytes()
    assert len(losses(run)) == steps
    assert all(math.isfinite(loss) for loss in losses(run))


JOBS = [("imbalance", how, number) for how in ("full", "lora", "qlora") for number in (1, 2, 3)]
JOBS += [("alignment", how, 1) for how in ("full", "lora", "qlora")]
"""What is made, how it is trained, and the round."""
EXACT = {**SMALL, **LOUD, "bf16": False, "cutoff_len": 2048, "disable_shuffling": True}


@pytest.fixture(scope="module")
def chains(train_python: Path, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The jobs, done in one process: to start LLaMA-Factory takes longer than to train a tiny model."""

    def make(folder: Path) -> None:
        files, model = [], tiny
        for method in ("imbalance", "alignment"):
            build(folder / method, anywhere, tiny, count=4, method=method)
        count = len(rows_of(folder / "imbalance/run/data/demo.jsonl"))
        for method, how, number in JOBS:
            run = same_data(folder / method / "run", folder / f"{method} {how} {number}")
            model = tiny if number == 1 else model
            wanted = json.dumps({**EXACT, "method": how, "global_batch_size": count})
            places = f"model_name_or_path={json.dumps(str(model))}", f"output_dir={json.dumps(str(run))}"
            config = lidr_plugin.load(folder / method / "lidr.yaml", f"train={wanted}", *places)
            (run / "train.yaml").write_text(recipe_for(config, RunDirectory(run), config.stage))
            files.append(run / "train.yaml")
            model = run / "model"
            model.mkdir()  # the next round's recipe names it before it is made
        (folder / "found.json").write_text(json.dumps(in_train(train_python, "chains", *files)))

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CUDA_VISIBLE_DEVICES", "")
        found: list[dict[str, Any]] = json.loads((once(tmp_path_factory, "chains", make) / "found.json").read_text())
    return found


@pytest.mark.parametrize("how", ["full", "lora", "qlora"])
def test_in_every_round_the_reference_is_the_model_that_the_round_starts_from(
    how: str, chains: list[dict[str, Any]]
) -> None:
    rounds = [found for job, found in zip(JOBS, chains, strict=True) if job[:2] == ("imbalance", how)]
    assert len(rounds) == 3
    for number, found in enumerate(rounds, 1):
        assert found["alone"] == pytest.approx(math.log(2), abs=2e-4), f"round {number}"
        assert found["losses"][0] == pytest.approx(math.log(2) + found["nll"], abs=2e-3), f"round {number}"
        assert found["losses"][1] < found["losses"][0]
        assert found["rows_a_step"] == found["rows"]
        assert found["proof"]["broken"] == ""


@pytest.mark.parametrize("how", ["full", "lora", "qlora"])
def test_rows_to_imitate_are_trained_with_every_method(how: str, chains: list[dict[str, Any]]) -> None:
    found = chains[JOBS.index(("alignment", how, 1))]
    assert found["losses"][1] < found["losses"][0]
    assert found["proof"]["broken"] == ""
    assert found["proof"]["lost"] < 0.01


def test_a_killed_training_goes_on_from_its_checkpoint_and_a_finished_one_is_not_repeated(
    undisturbed: Path, tiny: Path, tmp_path: Path, lidr: Lidr
) -> None:
    other, run = undisturbed / "run", tmp_path / "run"
    config = build(tmp_path, lidr, tiny)
    overrides = [f"train.{key}={json.dumps(value)}" for key, value in {**SMALL, **LONG}.items()]
    child = started(tmp_path, "train", config, *overrides, env=environment())
    written = run / "checkpoint/checkpoint-4/trainer_state.json"
    # It is there, empty, before it is whole; a kill between the two leaves no checkpoint to go on from, and rightly so.
    until(lambda: written.exists() and written.read_bytes().endswith(b"}\n"), child)
    killed(child)
    assert not (run / "model").exists()
    said = train(lidr, config, **LONG)
    assert "going on from checkpoint-" in said
    assert state(run)["training"] == {
        **state(other)["training"],
        "output_dir": str(run / "checkpoint"),
        "dataset_dir": str(run / "data"),
    }
    finals = [json.loads((folder / "checkpoint/trainer_state.json").read_text()) for folder in (run, other)]
    assert [final["global_step"] for final in finals] == [12, 12]
    assert losses(run)[-1] == pytest.approx(losses(other)[-1], abs=1e-3)
    log = (run / "train.log").stat().st_size
    again = lidr("train", config, *overrides, env=QUICK)
    assert "trained before" in again.stdout
    assert (run / "train.log").stat().st_size == log
    changed = lidr("train", config, *overrides, "train.learning_rate=0.5", env=QUICK)
    assert changed.returncode == 2
    assert "learning_rate: was 0.001, is 0.5" in changed.stderr


def test_a_training_ends_where_the_model_has_moved_far_enough_though_it_was_killed_on_the_way(
    undisturbed: Path, tiny: Path, tmp_path: Path, lidr: Lidr
) -> None:
    target, run = state(undisturbed / "run")["merge"]["shift"] / 2, tmp_path / "run"
    config = build(tmp_path, lidr, tiny)
    watched = {**LONG, "save_steps": 2, "stop_at_shift": target}
    overrides = [f"train.{key}={json.dumps(value)}" for key, value in {**SMALL, **watched}.items()]
    child = started(tmp_path, "train", config, *overrides, env=environment())
    written = run / "checkpoint/checkpoint-2/trainer_state.json"
    until(lambda: written.exists() and written.read_bytes().endswith(b"}\n"), child)
    killed(child)
    before = {row["step"]: row["shift"] for row in rows_of(run / "checkpoint/shift.jsonl")}
    assert losses(run)[:2] == losses(undisturbed / "run")[:2], "to look changes nothing"
    said = train(lidr, config, **watched)
    assert "going on from checkpoint-" in said
    lines = rows_of(run / "checkpoint/shift.jsonl")
    last = lines[-1]
    assert f"stopped at step {last['step']}: the log-probabilities moved by {last['shift']:.3g}" in said
    assert 2 < last["step"] < 12
    assert [row["stopped"] for row in lines] == [False] * (len(lines) - 1) + [True]
    assert lines[-2]["shift"] < target <= last["shift"]
    again = {row["step"]: row["shift"] for row in lines[len(before) :]}
    for step in before.keys() & again.keys():
        assert again[step] == pytest.approx(before[step], rel=0.05), "it is measured against the same base"
    assert min(again) > 2
    final = json.loads((run / "checkpoint/trainer_state.json").read_text())
    assert final["global_step"] == last["step"]
    assert state(run)["shift"] == last
    assert state(run)["training"]["stop_at_shift"] == target
    assert state(run)["merge"]["shift"] == pytest.approx(last["shift"], rel=0.15), "what is watched is what is told"
    assert f"train.stop_at_shift: {target:g}; llamafactory-cli alone does not" in (run / "train.yaml").read_text()
    other = [f"train.{key}={json.dumps(value)}" for key, value in {**SMALL, **LONG, "save_steps": 2}.items()]
    changed = lidr("train", config, *other, env=QUICK)
    assert changed.returncode == 2
    assert "stop_at_shift: was" in changed.stderr


def test_the_recipe_alone_gives_the_same_losses(undisturbed: Path, train_python: Path, tmp_path: Path) -> None:
    llamafactory(train_python, undisturbed / "run/train.yaml", f"output_dir={tmp_path}/checkpoint")
    assert losses(tmp_path) == losses(undisturbed / "run")
    assert len(losses(tmp_path)) == 12


FIXED = {"template": "qwen", "default_system": ""}
"""What the refusal of `template: qwen` proposes for the tiny model."""


def test_a_wrong_template_is_refused_in_tokens_with_the_fix_before_anything_is_started(
    tiny: Path, tmp_path: Path, lidr: Lidr
) -> None:
    config = build(tmp_path, lidr, tiny)
    shown = lidr("doctor", config, "template=qwen", env=QUICK)
    assert "<|im_start|>" in shown.stdout + shown.stderr
    assert "default_system" in shown.stdout + shown.stderr
    refused = lidr("train", config, "template=qwen", "train.preprocessing_num_workers=1", env=QUICK)
    assert refused.returncode == 2
    assert "LLaMA-Factory  <|im_start|>" in refused.stderr
    assert f"default_system: {FIXED['default_system']!r}" in refused.stderr
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert not left & {"checkpoint", "model", "train.log", "train.json"}


def test_rows_over_cutoff_len_are_counted_and_dropped_when_wanted_and_the_fixed_template_trains(
    tiny: Path, tmp_path: Path, lidr: Lidr
) -> None:
    config = build(tmp_path, lidr, tiny, template=FIXED["template"])
    path = tmp_path / "run/data/demo.jsonl"
    rows = rows_of(path)
    rows[3]["chosen"] = "long " * 400
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = train(lidr, config, **LOUD, drop_over_cutoff=True, default_system=FIXED["default_system"])
    assert "qwen agrees with the chat template" in said
    assert f"1 of {len(rows)} rows are dropped" in said
    assert "train.cutoff_len=2" in said
    dropped = rows_of(tmp_path / "run/data/demo_dropped.jsonl")
    assert [(row["id"], row["reason"]) for row in dropped] == [(rows[3]["id"], "cutoff_len")]
    kept = rows_of(tmp_path / "run/data/demo_fitting.jsonl")
    assert kept == [row for number, row in enumerate(rows) if number != 3]
    assert recipe(tmp_path / "run")["dataset"] == "demo_fitting"


def test_a_failing_training_shows_the_end_of_its_log(tiny: Path, tmp_path: Path, lidr: Lidr) -> None:
    said = train(lidr, build(tmp_path, lidr, tiny), status=1, lora_target="no_such_layer", **LOUD)
    assert "llamafactory-cli ended with status 1" in said
    assert "no_such_layer" in said
    assert not (tmp_path / "run/model").exists()


def test_a_learning_rate_of_zero_does_not_pass_for_a_trained_model(tiny: Path, tmp_path: Path, lidr: Lidr) -> None:
    said = train(lidr, build(tmp_path, lidr, tiny), status=1, **{**LOUD, "learning_rate": 0.0})
    assert "the adapter is zero" in said
    assert not (tmp_path / "run/model").exists()


def test_an_update_that_rounds_away_is_measured_and_float32_keeps_it(
    tiny: Path, train_python: Path, tmp_path: Path, lidr: Lidr
) -> None:
    config = build(tmp_path, lidr, tiny)
    lossy = train(lidr, config, **{**LOUD, "learning_rate": 1.0e-5})
    assert state(tmp_path / "run")["merge"]["lost"] > 0.25
    assert "train.merge_dtype=float32" in lossy
    kept = merge(recipe(tmp_path / "run"), RunDirectory(tmp_path / "run"), train_python, dtype="float32")
    assert kept.lost < 0.01


@pytest.fixture(scope="module")
def dry(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe as `lidr train --dry-run` shows it."""

    def make(folder: Path) -> None:
        config = build(folder, anywhere, tiny)
        wanted = ("train.cutoff_len=512", "train.preprocessing_num_workers=1")
        shown = anywhere("train", config, "--dry-run", *wanted, env=QUICK)
        assert shown.returncode == 0, shown.stderr
        assert not (folder / "run/train.json").exists()
        (folder / "recipe.yaml").write_text(shown.stdout)

    return once(tmp_path_factory, "dry", make) / "recipe.yaml"


@pytest.mark.parametrize("changes", [{}, {"finetuning_type": "full"}, {"quantization_bit": 4}], ids=str)
def test_the_plan_is_within_15_percent_of_the_peak_of_a_real_step(
    changes: dict[str, Any], dry: Path, train_python: Path, tmp_path: Path
) -> None:
    command = [str(train_python), str(ROOT / "benchmarks/peak_memory.py"), str(dry)]
    command += [f"{key}={value}" for key, value in changes.items()]
    env = {**environment(), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr[-2000:]
    assert 0.85 < float(done.stdout.rsplit("ratio ", maxsplit=1)[1]) < 1.15, done.stdout[-200:]


@pytest.mark.vllm
def test_the_merged_model_is_served_by_vllm(checkpoint: Path, tmp_path: Path, lidr: Lidr, train_python: Path) -> None:
    config = build(tmp_path, lidr, checkpoint, count=4)
    # In 32 bits: a CPU without instructions for bf16 takes minutes over a step that it has to emulate.
    loud = {**LOUD, "learning_rate": 1.0e-4, "max_steps": 1, "global_batch_size": 2, "cutoff_len": 128, "bf16": False}
    overrides = [f"train.{key}={json.dumps(value)}" for key, value in {**SMALL, **loud}.items()]
    done = lidr("train", config, "template=qwen", *overrides, env={**QUICK, "OMP_NUM_THREADS": "2"})
    assert done.returncode == 0, done.stderr
    engine = {"backend": "vllm", "args": {"max_num_seqs": 8, "enforce_eager": True, "max_model_len": 1024}}
    served = lidr(
        "build-pairs",
        config,
        "model_name_or_path=run/model",
        f"engine={json.dumps(engine)}",
        "output_dir=round2",
        "max_prompts=1",
        "generation.max_tokens=16",
        "translation={max_tokens: 24, retries: 0}",
    )
    assert served.returncode == 0, served.stderr
    assert json.loads((tmp_path / "round2/report.json").read_text())["completions"]["generated"] >= 4
