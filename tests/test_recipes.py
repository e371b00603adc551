"""Recipes, the split of the batch, the plan, and what `lidr train` refuses before anything is loaded."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import lidr_plugin
from lidr_plugin.config.methods import FAMILIES
from lidr_plugin.config.presets import PRESETS
from lidr_plugin.doctor import conflict
from lidr_plugin.errors import InputError
from lidr_plugin.machine.environments import llamafactory_names
from lidr_plugin.training.llamafactory_cli import cause_of, sweep_checkpoints
from lidr_plugin.training.memory import estimate, shape_of
from lidr_plugin.training.plan import Plan, parse_gpus
from lidr_plugin.training.processes import possible, read_launch, split
from lidr_plugin.training.recipe import compose, layers, propose_template
from recipes.generate import recipes
from tests.conftest import Lidr, prompts, write_config, write_prompts
from tests.support.hub import cached
from tests.support.trained import pretend

ROOT = Path(__file__).resolve().parents[1]


def test_the_shipped_recipes_are_those_that_the_layers_make() -> None:
    made = dict(recipes())
    there = {str(path.relative_to(ROOT / "recipes")) for path in (ROOT / "recipes").glob("*/*.yaml")}
    assert there == set(made)
    for path, text in made.items():
        assert (ROOT / "recipes" / path).read_text() == text, "run python -m recipes.generate"


def test_each_recipe_says_what_it_is_and_starts_where_the_last_round_ended() -> None:
    for path, text in recipes():
        for word in (
            "# Hardware  ",
            "# Memory    about ",
            "# Paper     " if path.startswith("methods/") else "# Time      about ",
            f"# Command   llamafactory-cli train recipes/{path}",
        ):
            assert word in text
        loaded = yaml.safe_load(text)
        if "round2" in path:
            assert loaded["model_name_or_path"] == loaded["output_dir"].replace("iter2/checkpoint", "iter1/model")


@given(st.integers(1, 512), st.integers(1, 64), st.integers(1, 16))
def test_every_split_makes_the_global_batch(batch: int, world: int, preferred: int) -> None:
    for way in possible(batch, world):
        assert way.per_device * way.accumulation * world == batch
        assert split(batch, world, per_device=way.per_device, accumulation=None) == way
        assert split(batch, world, per_device=way.per_device, accumulation=way.accumulation) == way
    if batch % world == 0:
        chosen = split(batch, world, per_device=None, accumulation=None, preferred=preferred)
        assert 1 <= chosen.per_device <= max(preferred, 1)
    else:
        with pytest.raises(InputError, match="cannot be split"):
            split(batch, world, per_device=None, accumulation=None)


def test_an_impossible_split_names_the_possible_ones() -> None:
    with pytest.raises(InputError) as caught:
        split(16, 2, per_device=3, accumulation=None)
    assert "1 x 8, 2 x 4, 4 x 2, 8 x 1" in caught.value.hint
    with pytest.raises(InputError) as caught:
        split(16, 3, per_device=None, accumulation=None)
    assert "use 2 of them" in caught.value.hint
    assert "train.global_batch_size=18" in caught.value.hint


def test_processes_are_counted_as_llamafactory_counts_them() -> None:
    def world(**env: str) -> int:
        return read_launch({"CUDA_VISIBLE_DEVICES": "", **env}).world

    assert world() == 1
    assert world(FORCE_TORCHRUN="1", NPROC_PER_NODE="4", NNODES="2") == 8
    assert read_launch({"CUDA_VISIBLE_DEVICES": "", "USE_RAY": "1"}, ray_workers=6).world == 6
    with pytest.raises(InputError, match="without torchrun"):
        world(NPROC_PER_NODE="2")
    with pytest.raises(InputError, match="no number"):
        world(FORCE_TORCHRUN="1", NPROC_PER_NODE="gpu")


@pytest.mark.parametrize(
    ("model", "template"),
    [
        ("meta-llama/Meta-Llama-3-8B-Instruct", "llama3"),
        ("Qwen/Qwen2-7B-Instruct", "qwen"),
        ("Qwen/Qwen3-4B-Instruct-2507", "qwen3_nothink"),
        ("Qwen/Qwen3-8B", "qwen3"),
        ("google/gemma-2-9b-it", "gemma2"),
        ("mistralai/Mistral-7B-Instruct-v0.3", "mistral"),
        ("somebody/merged", None),
    ],
)
def test_the_template_of_a_common_family_is_known(model: str, template: str | None) -> None:
    assert propose_template(model) == template


@pytest.mark.parametrize(
    ("log", "status", "cause"),
    [
        ("step\ntorch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", 1, "out of memory"),
        ("RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate memory", 1, "out of memory"),
        ("Killed", 137, "out of memory"),
        ("safetensors_rust.SafetensorError: I/O error: No space left on device (os error 28)", 1, "the disk is full"),
        ("ValueError: Template lama3 does not exist.", 1, "the template"),
        ("OSError: We couldn't connect to 'https://huggingface.co'", 1, "cannot be read"),
        ("torch.distributed.DistNetworkError: EADDRINUSE, address already in use", 1, "did not find each other"),
        ("ValueError: nothing that lidr knows", 1, None),
    ],
)
def test_the_likely_cause_of_a_failure_is_told_from_its_log(log: str, status: int, cause: str | None) -> None:
    found = cause_of(log, status)
    assert (found is None) if cause is None else (found is not None and cause in found.what)


def test_a_half_written_checkpoint_is_removed_and_the_last_whole_one_counts(tmp_path: Path) -> None:
    for step, text in ((2, "{}"), (10, "{}"), (12, '{"cut')):
        (tmp_path / f"run/checkpoint-{step}").mkdir(parents=True)
        (tmp_path / f"run/checkpoint-{step}/trainer_state.json").write_text(text)
    (tmp_path / "run/checkpoint-14").mkdir()
    assert sweep_checkpoints(tmp_path / "run") == "checkpoint-10"
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["checkpoint-10", "checkpoint-2"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other/adapter_model.safetensors").write_text("of a training that did not end")
    assert sweep_checkpoints(tmp_path / "other") is None
    assert not (tmp_path / "other").exists()


def test_parameters_are_counted_from_the_shape_alone() -> None:
    known = {"llama3-8b": 8.030e9, "qwen2-7b": 7.615e9, "qwen3-4b": 4.022e9}
    for family, count in known.items():
        shape = shape_of(layers()["models"][family]["ARCHITECTURE"], family)
        assert shape.parameters == pytest.approx(count, rel=1e-3)
    with pytest.raises(InputError, match="mixture of experts"):
        shape_of({**layers()["models"]["qwen3-4b"]["ARCHITECTURE"], "num_experts": 64}, "config.json")


def test_what_needs_more_memory_is_planned_with_more() -> None:
    shape = shape_of(layers()["models"]["llama3-8b"]["ARCHITECTURE"], "")

    def total(method: str, zero: str = "", world: int = 1, **changes: int) -> int:
        settings = {**compose("dpo", method, "instruction").settings, "gradient_accumulation_steps": 16, **changes}
        return estimate(shape, settings, world=world, zero=zero).total

    assert total("qlora") < total("lora") < total("full", "zero3", 8) < total("full", "zero2", 8) < total("full")
    assert total("lora", cutoff_len=1024) < total("lora", cutoff_len=2048)
    assert total("lora", lora_rank=8) < total("lora", lora_rank=64)
    assert total("qlora") < 16 << 30
    assert total("lora") < 24 << 30
    assert total("full", "zero3", 8) < 80 << 30


@pytest.mark.parametrize("how", ["full", "lora", "qlora"])
@pytest.mark.parametrize("method", PRESETS)
def test_every_method_has_a_layer_that_goes_with_every_way_of_training(method: str, how: str) -> None:
    stage = FAMILIES[PRESETS[method].family]
    plain, composed = compose(stage, how, "instruction"), compose(stage, how, "instruction", method)
    assert composed.settings.keys() <= llamafactory_names("keys")
    own = layers()["presets"][method]
    assert own or composed == plain
    assert composed.global_batch == own.get("GLOBAL_BATCH", plain.global_batch)
    assert composed.settings["learning_rate"] == own.get("LEARNING_RATE", {}).get(how, plain.settings["learning_rate"])
    for key, value in own.get("ADAPTER", {}).items():
        assert composed.settings.get(key) == (value if how != "full" else plain.settings.get(key)), key
    for key, value in own.items():
        assert key.isupper() or composed.settings[key] == value
    assert not own.get("load_best_model_at_end") or own["eval_steps"] % composed.settings["save_steps"] == 0


def test_the_layers_hold_what_the_papers_say() -> None:
    def of(method: str, how: str = "full") -> tuple[dict[str, Any], int]:
        return compose(FAMILIES[PRESETS[method].family], how, "instruction", method)

    scpo, batch = of("scpo")
    assert (scpo["pref_beta"], scpo["pref_ftx"], scpo["learning_rate"], batch) == (0.5, 1.0, 5e-6, 16)
    mapo, batch = of("mapo", "lora")
    assert (mapo["pref_beta"], mapo["pref_ftx"], mapo["lora_target"], batch) == (0.1, 0.0, "q_proj,v_proj,o_proj", 256)
    assert of("mapo")[0]["learning_rate"] == 1e-6
    croco, batch = of("croco", "lora")
    assert (croco["learning_rate"], croco["lora_dropout"], croco["weight_decay"], batch) == (5e-6, 0.05, 0.01, 64)
    sao, batch = of("sao")
    assert (sao["pref_loss"], sao["pref_beta"], sao["simpo_gamma"], batch) == ("simpo", 10.0, 3.0, 128)
    qalign, batch = of("qalign")
    assert (qalign["stage"], qalign["learning_rate"], qalign["num_train_epochs"], batch) == ("sft", 2e-5, 3.0, 128)
    question_only, batch = of("question_only", "lora")
    assert (question_only["lora_target"], question_only["learning_rate"], batch) == ("q_proj,v_proj", 5e-5, 16)


def test_a_loss_without_a_reference_model_is_planned_without_one(tmp_path: Path, lidr: Lidr) -> None:
    def planned(**values: Any) -> Plan:
        config = write_config(tmp_path, model_name_or_path="Qwen/Qwen2-7B-Instruct", **values)
        return lidr_plugin.plan(lidr_plugin.load(config), gpus="8x80")

    pairs = planned(method="imbalance")
    for other in (planned(train={"method": "lora", "pref_loss": "simpo"}), planned(method="sao")):
        assert not any(row.memory.reference for row in other.rows)
        without = {(row.method, row.sharding): row.memory.total for row in other.rows}
        assert without[("full", "")] < pairs.rows[0].memory.total - (14 << 30)
    assert pairs.rows[0].unreferenced < pairs.rows[0].memory.total
    done = lidr("plan", write_config(tmp_path, model_name_or_path="Qwen/Qwen2-7B-Instruct"), "--gpus", "8x80")
    assert f"full {pairs.rows[0].unreferenced / 2**30:.1f}" in done.stdout
    assert "pref_loss=simpo" in done.stdout


def test_a_trained_embedding_is_planned_for() -> None:
    shape = shape_of(layers()["models"]["llama3-8b"]["ARCHITECTURE"], "")
    settings = compose("sft", "lora", "instruction", "crossin").settings
    assert shape.adapter(settings) - shape.adapter({"lora_rank": 64}) == 2 * 128256 * 4096


@pytest.mark.parametrize("task", ["instruction", "math"])
@pytest.mark.parametrize("how", ["full", "lora", "qlora"])
def test_what_is_made_and_how_it_is_trained_are_put_together_freely(how: str, task: str) -> None:
    pairs, rows = compose("dpo", how, task), compose("sft", how, task)
    factor = 1 if how == "full" else 10
    assert pairs.global_batch == {"instruction": 16, "math": 64}[task]
    assert pairs.settings["learning_rate"] == pytest.approx({"instruction": 5e-7, "math": 5e-6}[task] * factor)
    assert (pairs.settings["stage"], pairs.settings["pref_ftx"], pairs.settings["num_train_epochs"]) == (
        "dpo",
        1.0,
        1.0,
    )
    assert rows.global_batch == 128
    assert rows.settings["learning_rate"] == pytest.approx(1e-5 * factor)
    assert (rows.settings["stage"], rows.settings["num_train_epochs"]) == ("sft", 3.0)
    assert not [key for key in rows.settings if key.startswith("pref_")]
    for composed in (pairs, rows):
        assert composed.settings["finetuning_type"] == ("full" if how == "full" else "lora")
        assert ("quantization_bit" in composed.settings) == (how == "qlora")
        assert not [key for key in composed.settings if key.isupper()]


def test_the_plan_is_for_what_the_method_makes(tmp_path: Path) -> None:
    def planned(method: str) -> Plan:
        return lidr_plugin.plan(
            lidr_plugin.load(write_config(tmp_path, model_name_or_path="Qwen/Qwen2-7B-Instruct", method=method)),
            gpus="8x80",
        )

    pairs, rows = planned("imbalance"), planned("alignment")
    ways = ["full ", "full zero2", "full zero3", "full zero3_offload", "lora ", "qlora "]
    assert [f"{row.method} {row.sharding}" for row in pairs.rows] == ways
    assert [f"{row.method} {row.sharding}" for row in rows.rows] == ways
    assert all(row.memory.reference for row in pairs.rows if row.sharding in ("zero2", "zero3"))
    assert not any(row.memory.reference for row in rows.rows)
    assert {row.settings["stage"] for row in rows.rows} == {"sft"}


def test_plan_shows_what_fits_without_weights(tmp_path: Path, lidr: Lidr) -> None:
    config = write_config(tmp_path, model_name_or_path="Qwen/Qwen2-7B-Instruct")
    done = lidr("plan", config, "--gpus", "1x24")
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line[:1].islower()}
    assert " yes " in rows["qlora"]
    assert "7.6" in done.stdout
    assert " no " in rows["full"]
    assert all(len(line) <= 80 for name, line in rows.items() if name not in ("build:", "what"))  # which name files
    assert parse_gpus("8x80")[0].memory == 80 << 30
    assert lidr("plan", config, "--gpus", "many").returncode == 2


def test_recipes_are_listed_and_copied_and_nothing_is_overwritten(tmp_path: Path, lidr: Lidr) -> None:
    listed = lidr("recipes", "ls").stdout.splitlines()
    assert len(listed) == len(list(recipes()))
    name = "llama3-8b/instruction-full-round1"
    assert any(line.startswith(name) for line in listed)
    done = lidr("recipes", "cp", name, "mine/first.yaml")
    assert done.returncode == 0, done.stderr
    copied = yaml.safe_load((tmp_path / "mine/first.yaml").read_text())
    assert json.loads((tmp_path / copied["deepspeed"]).read_text())["zero_optimization"]["stage"] == 3
    again = lidr("recipes", "cp", name, "mine/first.yaml")
    assert again.returncode == 2
    assert "exists" in again.stderr
    assert lidr("recipes", "cp", "no/such").returncode == 2


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("train.learning_ratee=1", "did you mean learning_rate?"),
        ("train.adapter_name_or_path=x", "a round starts from merged weights"),
        ("train={method: full, quantization_bit: 4}", "full training needs unquantised weights"),
        ("train.output_dir=x", "set output_dir at the top"),
        ("train={env: {WANDB_API_KEY: abc}}", "secrets come from"),
    ],
)
def test_a_wrong_training_key_is_an_error_before_anything_is_loaded(
    override: str, says: str, tmp_path: Path, lidr: Lidr
) -> None:
    for command in ("train", "build-pairs"):
        done = lidr(command, write_config(tmp_path), override)
        assert done.returncode == 2
        assert says in done.stderr
        assert "command line" in done.stderr
        assert not (tmp_path / "run").exists()


def test_training_without_a_dataset_or_an_environment_says_which_command_comes_first(
    tmp_path: Path, lidr: Lidr
) -> None:
    nowhere = lidr("train", write_config(tmp_path), env={"LIDR_HOME": str(tmp_path)})
    assert nowhere.returncode == 2
    assert "lidr env create train" in nowhere.stderr
    cli = tmp_path / "envs/train/bin/llamafactory-cli"
    cli.parent.mkdir(parents=True)
    for path in (cli, cli.with_name("python")):
        path.write_text("#!/bin/sh\nexit 3\n")
        path.chmod(0o755)
    unbuilt = lidr("train", write_config(tmp_path), env={"LIDR_HOME": str(tmp_path)})
    assert unbuilt.returncode == 2
    assert "lidr build-pairs" in unbuilt.stderr


@pytest.fixture
def built(tmp_path: Path) -> dict[str, str]:
    """A run with a dataset, and an environment whose LLaMA-Factory does nothing."""
    return pretend(tmp_path, tmp_path)


@pytest.mark.parametrize("name", ["zero3", "own/stage3.json"])
def test_qlora_under_zero3_is_refused_with_the_fix(
    name: str, built: dict[str, str], tmp_path: Path, lidr: Lidr
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/stage3.json").write_text('{"zero_optimization": {"stage": 3}}')
    done = lidr("train", write_config(tmp_path), f"train={{method: qlora, deepspeed: {name}}}", env=built)
    assert done.returncode == 2
    assert "QLoRA does not work under ZeRO-3" in done.stderr
    assert "zero2" in done.stderr


def test_several_processes_from_a_path_with_spaces_are_refused_with_the_reason(tmp_path: Path, lidr: Lidr) -> None:
    env = pretend(tmp_path, tmp_path / "my home")
    done = lidr("train", write_config(tmp_path), "train.env={FORCE_TORCHRUN: 1, NPROC_PER_NODE: 2}", env=env)
    assert done.returncode == 2
    assert "splits torchrun's command" in done.stderr


def test_packages_that_do_not_go_together_are_recognised(tmp_path: Path) -> None:
    site = tmp_path / "lib/python3.11/site-packages"
    for package, version in (("torch", "2.15.0+cu132"), ("torchaudio", "2.11.0+cu130")):
        (site / package).mkdir(parents=True)
        (site / package / "version.py").write_text(f"__version__ = '{version}'\n")
    assert "torch for cu132, torchaudio for cu130" in conflict(tmp_path, {"llamafactory": "0.9.5"})
    assert conflict(tmp_path, {"vllm": "0.33.0"}) == ""
    assert "two torches" in conflict(tmp_path, {"llamafactory": "0.9.5", "vllm": "0.33.0"})
    (site / "torch/version.py").write_text("__version__ = '2.14.1+cu130'\n")
    assert conflict(tmp_path, {"llamafactory": "0.9.5"}) == ""


@pytest.mark.parametrize("where", ["directory", "cache"])
def test_a_quantised_base_is_refused(where: str, built: dict[str, str], tmp_path: Path, command: Lidr) -> None:
    quantised = '{"quantization_config": {"quant_method": "gptq"}}'
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text(quantised)
    cached(tmp_path / "hub", "ns/model", {"config.json": quantised})
    config = write_config(tmp_path, model_name_or_path="model" if where == "directory" else "ns/model")
    env = {**built, "HF_HOME": str(tmp_path)}
    done = command("train", config, env=env)
    assert done.returncode == 2
    assert "quantised (gptq)" in done.stderr
    write_prompts(tmp_path, prompts(1))
    assert "is quantised (gptq)" in " ".join(command("doctor", config, env=env).stdout.split())


def test_checks_that_need_an_unknown_model_are_not_left_out_in_silence(
    built: dict[str, str], tmp_path: Path, command: Lidr
) -> None:
    config = write_config(tmp_path, model_name_or_path="ns/unknown")
    env = {**built, "HF_HOME": str(tmp_path)}
    said = command("train", config, env=env).stderr
    assert "warning: whether it is quantised and fits on the disk is not known: model_name_or_path: ns/unknown" in said
    write_prompts(tmp_path, prompts(1))
    shown = " ".join(command("doctor", config, env=env).stdout.split())
    assert "model_name_or_path: ns/unknown: config.json could not be loaded" in shown
    absent = command("train", config, "model_name_or_path=./nowhere", env=env)
    assert absent.returncode == 2
    assert "no directory with a config.json" in absent.stderr
