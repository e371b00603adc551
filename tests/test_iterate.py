"""Rounds: the loop, its resumption, its gate."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lidr_plugin.config.file import load
from lidr_plugin.errors import RunError
from lidr_plugin.evaluation.intervals import Share
from lidr_plugin.files import write_json
from lidr_plugin.rounds import decisions
from lidr_plugin.rounds import iterate as rounds
from lidr_plugin.run_directory import RunDirectory
from tests.conftest import Lidr, files_of, prompts, write_config, write_prompts
from tests.support.child import killed, started, until
from tests.support.model import poor_in_spanish
from tests.support.server import FakeServer, running
from tests.support.trained import QUICK, SMALL, environment

TRAIN = {
    **SMALL,
    "method": "lora",
    "learning_rate": 1.0e-3,
    "warmup_ratio": 0.0,
    "max_steps": 6,
    "save_steps": 2,
    "global_batch_size": 2,
}


def configured(folder: Path, url: str, model: Path | str) -> Path:
    write_prompts(folder, prompts(14, ["en", "de"]))
    return write_config(
        folder,
        model_name_or_path=str(model),
        template="qwen3_nothink",
        languages=["de"],
        engine__base_url=url,
        engine__concurrency=2,
        max_prompts=4,
        rounds=3,
        train=TRAIN,
        eval={"prompts": "prompts/{language}.jsonl", "limit": 2, "max_tokens": 64},
    )


def served(folder: Path, *names: str) -> list[str]:
    return [*names, *(str(folder / f"run/iter{number}/model") for number in (1, 2, 3))]


def test_rounds_need_new_prompts_and_models_of_their_own(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(3))
    same = lidr("iterate", write_config(tmp_path))
    assert same.returncode == 2
    assert "each round needs new prompts" in same.stderr
    fixed = lidr("iterate", write_config(tmp_path), "max_prompts=1", "engine.model=fake")
    assert fixed.returncode == 2
    assert "rounds have a model each" in fixed.stderr
    assert not (tmp_path / "run").exists()


def test_an_implicit_reward_is_that_against_the_model_which_the_rounds_own_was_trained_from(tmp_path: Path) -> None:
    scorer = {"model_name_or_path": "before/its-dpo", "backend": "vllm"}
    config = load(write_config(tmp_path, rounds=3, max_prompts=1, method="icr", rank={"scorer": scorer}), [])
    top = RunDirectory(tmp_path / "run")
    stages = [stage for stage in rounds._stages(config, top, until="train", only=None) if stage.name == "build"]
    found = [(stage.config.model_name_or_path, stage.config.rank.scorer) for stage in stages]
    assert [(model, reference and reference.name) for model, reference in found] == [
        ("fake", "before/its-dpo"),
        (str(top.round(1).model), "fake"),
        (str(top.round(2).model), str(top.round(1).model)),
    ]


def test_without_held_out_prompts_the_loop_says_that_it_has_no_gate(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(2))
    config = write_config(tmp_path, max_prompts=1)
    assert "no gate: none of eval.prompts" in lidr("iterate", config).stderr
    assert "no gate" not in lidr("iterate", config, "eval.prompts=prompts/{language}.jsonl").stderr
    assert "no gate" not in lidr("iterate", config, 'eval.skills={"sums": "prompts/{language}.jsonl"}').stderr
    assert "no gate" not in lidr("iterate", config, "--until", "build").stderr


def test_a_round_whose_model_is_not_there_is_refused_before_anything_is_written(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(4))
    done = lidr("iterate", write_config(tmp_path, max_prompts=2), "--round", "2")
    assert done.returncode == 2
    assert "round 2 starts from" in done.stderr
    assert "iter1/model, which is not there" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_finished_stage_is_not_repeated_and_a_changed_setting_is_named(tmp_path: Path, lidr: Lidr) -> None:
    server = FakeServer(served=served(tmp_path, "fake"))
    with running(server) as url:
        config = configured(tmp_path, url, "fake")
        done = lidr("iterate", config, "--until", "build")
        assert done.returncode == 0, done.stderr
        asked = len(server.asked)
        again = lidr("iterate", config, "--until", "build", "engine.concurrency=7", "train.learning_rate=1.0")
        assert again.returncode == 0, again.stderr
        assert "build was done before" in again.stderr
        changed = lidr("iterate", config, "--until", "build", "filters.off_target=false")
    assert len(server.asked) == asked
    assert changed.returncode == 2
    assert "filters.off_target: was True, is False" in changed.stderr
    assert (tmp_path / "run/completions.sqlite").exists()
    assert not (tmp_path / "run/iter1/completions.sqlite").exists()
    assert not (tmp_path / "run/iter2").exists(), "without training there is no next round's model"


def test_a_language_whose_translations_lose_too_much_is_left_out_of_a_round_unless_it_is_forced(
    tmp_path: Path, lidr: Lidr
) -> None:
    write_prompts(tmp_path, prompts(24, ["en", "de", "es"]))
    server = FakeServer()
    server.script = lambda body: {"message": {"content": poor_in_spanish(body["messages"][0]["content"])}}
    with running(server) as url:
        two = {"engine__base_url": url, "max_prompts": 24, "rounds": 1}
        config = write_config(tmp_path, languages=["de", "es"], **two)
        done = lidr("iterate", config, "--until", "build")
        assert done.returncode == 0, done.stderr
        assert "round 1: es is left out: its translations lose more than its answers lack" in done.stderr
        assert "what would help: translation.engine" in done.stderr
        again = lidr("iterate", config, "--until", "build", 'force_languages=["es"]')
        assert again.returncode == 2, "the round was built without it"
        assert "languages: was ['de'], is ['de', 'es']" in again.stderr
        forced = lidr("iterate", config, "--until", "build", 'force_languages=["es"]', f"output_dir={tmp_path}/forced")
        assert forced.returncode == 0, forced.stderr
        alone = ("--until", "build", 'languages=["es"]', f"output_dir={tmp_path}/none")
        none = lidr("iterate", config, *alone)
        assert not (tmp_path / "none/iter1/data").exists()
        assert lidr("iterate", config, *alone, 'force_languages=["es"]').returncode == 0
    assert none.returncode == 1
    assert "in no language are pairs worth training on" in none.stderr
    assert "left out" not in forced.stderr
    assert set(json.loads((tmp_path / "run/iter1/report.json").read_text())["pairs"]) == {"en", "de"}
    assert json.loads((tmp_path / "forced/iter1/report.json").read_text())["pairs"]["es"] > 0


def test_a_round_with_little_left_to_learn_is_said_to_be_one(tmp_path: Path) -> None:
    top, lines = RunDirectory(tmp_path), list[str]()
    probed = json.loads((Path(__file__).parent / "golden/evaluation/probe-judged.json").read_bytes())
    for number, kind, hits in ((1, "judge", 70), (2, "judge", 53), (3, "visible", 1)):
        threshold = 0.55 if kind == "judge" else 0.02
        found = {"kind": kind, **Share(hits, 100).json(), "threshold": threshold, "worth_it": hits / 100 >= threshold}
        write_json(top.round(number).probe_json, {**probed, "signal": found})
        decisions.say_signal(top, number, lines.append)
    assert [line for line in lines if "not worth it" in line] == [
        "round 2: the signal is used up: another round is not worth it (Ctrl-C stops here)",
    ]
    assert "round 3: hardly any of it can be seen: whether another round is worth it, eval.judge" in lines[-1]
    learns = {"verdict": "yes", "benefit": [0.3, 0.1], "why": "its answers lack more than its translations lose"}
    shares = {name: Share(6, 10).json() for name in ("lacking", "lossy", "kept")}
    sure = {"de": {**learns, **shares, "round_trip": None, "round_trips": 0}}
    write_json(top.round(4).probe_json, {**probed, "signal": found, "verdicts": sure})
    decisions.say_signal(top, 4, lines.append)
    assert "reward signal: in 1.0" in lines[-1], (
        "a language in which pairs surely help outweighs what can hardly be seen"
    )
    assert "prefers chosen in 70.0 (60-78) %" in lines[0]


def test_an_evaluation_stops_the_loop_by_its_gate_and_is_taken_up_again_where_verdicts_are_missing(
    tmp_path: Path,
) -> None:
    top = RunDirectory(tmp_path)
    found = json.loads((Path(__file__).parent / "golden/evaluation/results.json").read_bytes())
    write_json(top.round(1).eval_results, found)
    decisions.check_model(top, 1)
    assert not rounds._unjudged(top, 1)
    found["head_to_head"]["complete"] = False
    found["results"]["M1"]["prompts"]["de"]["cut"]["hits"] = 15
    write_json(top.round(1).eval_results, found)
    assert rounds._unjudged(top, 1)
    trained = {"modules": 1, "zero": [], "unchanged": [], "shift": 0.83, "error": 0, "lost": 0}
    proof = {**trained, "kl_base_to_trained": 0, "kl_saved_to_trained": 0}
    write_json(top.round(1).train_json, {"status": "done", "training": {}, "merge": proof})
    with pytest.raises(
        RunError, match="its model is not fit to make data:\n  de: 75% of its answers do not end"
    ) as stop:
        decisions.check_model(top, 1)
    assert (
        "fewer steps or a lower train.learning_rate (this one moved the log-probabilities by 0.83)" in stop.value.hint
    )
    assert "try: look at how the chosen texts in de end" in stop.value.hint
    del found["head_to_head"]
    write_json(top.round(1).eval_results, found)
    assert not rounds._unjudged(top, 1)


def kill_when(config: Path, there: Callable[[], bool]) -> None:
    """Starts the loop and ends it by `kill -9` as soon as something is there."""
    child = started(config.parent, "iterate", config, env=environment())
    until(there, child)
    killed(child)


def ended(run: Path) -> dict[str, Any]:
    """What a finished loop leaves of each round; its own place, which the dataset's card names, left out."""
    here = str(run).encode()
    found: dict[str, Any] = {}
    for number in (1, 2, 3):
        folder = run / f"iter{number}"
        found[f"{number} data"] = {name: data.replace(here, b"") for name, data in files_of(folder).items()}
        found[f"{number} model"] = (folder / "model/model.safetensors").read_bytes()
        found[f"{number} probe"] = (folder / "probe.json").read_bytes()
        found[f"{number} eval"] = json.loads((folder / "eval/results.json").read_text())["results"]
        state = json.loads((folder / "checkpoint/trainer_state.json").read_text())
        found[f"{number} steps"] = [(row["step"], row["loss"]) for row in state["log_history"] if "loss" in row]
    return found


@pytest.mark.train
def test_three_rounds_killed_in_every_stage_end_as_undisturbed_ones(tiny: Path, tmp_path: Path, lidr: Lidr) -> None:
    calm, torn = tmp_path / "calm", tmp_path / "torn"
    server = FakeServer(served=[*served(calm, str(tiny)), *served(torn)], delay=0.05)
    with running(server) as url:
        config = configured(calm, url, tiny)
        done = lidr("iterate", config, env=QUICK)
        assert done.returncode == 0, done.stderr
        config, run = configured(torn, url, tiny), torn / "run"
        kill_when(config, (run / "completions.sqlite-wal").exists)
        kill_when(config, (run / "iter1/checkpoint/checkpoint-2/trainer_state.json").exists)
        kill_when(config, (run / "iter2/.model.unproved").exists)
        kill_when(config, (run / "iter2/eval").exists)
        last = lidr("iterate", config, env=QUICK)
        assert last.returncode == 0, last.stderr
    assert "round 1: train was done before" in last.stderr
    assert last.stderr.count("reward signal: in ") == 3
    undisturbed, resumed = ended(calm / "run"), ended(run)
    assert [name for name in undisturbed if undisturbed[name] != resumed[name]] == []
    assert len({undisturbed[f"{number} model"] for number in (1, 2, 3)}) == 3


def test_a_round_is_built_on_ray_and_its_other_stages_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began: list[tuple[str, ...]] = []
    monkeypatch.setattr(rounds, "_run", lambda top, stage, *options: began.append((stage.name, *options)))
    for name in ("say_signal", "check_languages", "renew_page"):
        monkeypatch.setattr(rounds, name, lambda *_: None)
    config = load(configured(tmp_path, "http://127.0.0.1:9/v1", "base"), ["rounds=2"])
    rounds.iterate(config, until="train", only=None, ray="head:6379", say=lambda _: None)
    assert began == [("probe",), ("build", "--ray", "head:6379"), ("train",)] * 2


@pytest.mark.parametrize(
    ("address", "told"), [("head:6379", "head:6379"), ("auto", None), ("local", None), (None, None)]
)
def test_a_training_is_told_the_cluster_that_ray_would_not_find_by_itself(
    address: str | None, told: str | None, tmp_path: Path
) -> None:
    config = load(configured(tmp_path, "http://127.0.0.1:9/v1", "base"), ['train.env={"USE_RAY": 1}'])
    of = {name: rounds._on_ray(rounds.Stage(1, name, config), address).config.train.env for name in ("build", "train")}
    assert of["train"].get("RAY_ADDRESS") == told
    assert of["build"] == {"USE_RAY": 1}
    own = load(tmp_path / "lidr.yaml", ['train.env={"RAY_ADDRESS": "mine:1"}'])
    assert rounds._on_ray(rounds.Stage(1, "train", own), address).config.train.env == {"RAY_ADDRESS": "mine:1"}


@pytest.mark.parametrize(("words", "address"), [(["--ray"], "auto"), (["--ray", "head:6379"], "head:6379"), ([], None)])
def test_the_command_takes_a_cluster_with_an_address_or_without(
    words: list[str], address: str | None, tmp_path: Path, lidr: Lidr, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("lidr_plugin.iterate", lambda config, **given: asked.append(given["ray"]) or {})
    done = lidr("iterate", configured(tmp_path, "http://127.0.0.1:9/v1", "base"), *words)
    assert done.returncode == 0, done.stderr
    assert asked == [address]
