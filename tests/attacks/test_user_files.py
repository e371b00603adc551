"""Files of the user's in lidr's way

Promised: lidr removes and replaces what it wrote, and nothing else. A training or a model made by hand, a dataset that somebody
else wrote or edited, pages and recipes of others, folders behind links: each is refused before anything is asked or written, by its
name and with the way out. Rounds without prompts, keys of a wrong type and languages that a benchmark lacks are told before the
first request.

Not promised: that a file is known as the user's if it was made to look like lidr's; that a recipe or a page which lidr wrote and
somebody edited is kept.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lidr_plugin import files
from lidr_plugin.config.file import load
from lidr_plugin.dataset.ownership import check_own, note
from lidr_plugin.dataset.writer import DatasetWriter, undated
from lidr_plugin.errors import InputError
from lidr_plugin.evaluation.benchmarks.mgsm import lacking
from lidr_plugin.machine.environments import create
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training.state import TrainingState, write_state
from lidr_plugin.training.state import check_own as check_training
from tests.conftest import Lidr, prompts, rows_of, write_config, write_prompts
from tests.support.server import FakeServer, running
from tests.support.trained import pretend


def tree(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def adapter(folder: Path) -> None:
    """What a finished training of LLaMA-Factory leaves, without checkpoints."""
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    (folder / "all_results.json").write_text('{"train_loss": 0.5, "train_runtime": 7.0}')


def with_checkpoints(folder: Path) -> None:
    """The same, stopped on the way."""
    adapter(folder)
    (folder / "checkpoint-10").mkdir()
    (folder / "checkpoint-10/trainer_state.json").write_text("{}")


def notes(folder: Path) -> None:
    """A folder with something of the user's."""
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")


def link(folder: Path) -> None:
    """A link to a folder with something in it."""
    notes(folder.parent.parent / "elsewhere" / folder.name)
    folder.parent.mkdir(exist_ok=True)
    folder.symlink_to(folder.parent.parent / "elsewhere" / folder.name)


def begun(run: Path, **state: Any) -> None:
    write_state(RunDirectory(run), TrainingState(training={}, **state))


@pytest.mark.parametrize("made", [adapter, with_checkpoints, notes, link])
@pytest.mark.parametrize("name", ["checkpoint", "model"])
@pytest.mark.parametrize("options", [(), ("--restart",), ("--dry-run",)], ids=str)
def test_a_training_or_a_model_made_by_hand_is_refused(
    made: Callable[[Path], None], name: str, options: tuple[str, ...], tmp_path: Path, lidr: Lidr
) -> None:
    env = pretend(tmp_path, tmp_path / "home")
    made(tmp_path / "run" / name)
    before = tree(tmp_path)
    done = lidr("train", write_config(tmp_path), *options, env=env)
    assert done.returncode == 2, done.stdout
    assert str(tmp_path / "run" / name) in done.stderr
    assert "lidr did not make" in done.stderr or "a link" in done.stderr
    assert {name: text for name, text in tree(tmp_path).items() if name != "lidr.yaml"} == before


@pytest.mark.parametrize("status", ["begun", "trained"])
def test_a_model_made_by_hand_beside_a_training_of_lidrs_is_refused(status: str, tmp_path: Path) -> None:
    adapter(tmp_path / "model")
    begun(tmp_path, status=status)
    with pytest.raises(InputError, match="lidr did not make"):
        check_training(RunDirectory(tmp_path), restart=True)


def test_a_training_by_hand_in_the_place_of_lidrs_is_refused(tmp_path: Path) -> None:
    adapter(tmp_path / "checkpoint")
    begun(tmp_path, status="trained", result={"train_loss": 0.25, "train_runtime": 9.0})
    with pytest.raises(InputError, match="lidr did not make"):
        check_training(RunDirectory(tmp_path), restart=True)
    begun(tmp_path, status="trained", result={"train_loss": 0.5, "train_runtime": 7.0})
    check_training(RunDirectory(tmp_path), restart=True)


def test_what_lidr_made_is_its_own(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    check_training(run, restart=False)
    (tmp_path / "checkpoint").mkdir()
    check_training(run, restart=True)
    with_checkpoints(tmp_path / "again/checkpoint")
    begun(tmp_path / "again", status="begun")
    check_training(RunDirectory(tmp_path / "again"), restart=False)


def test_a_damaged_train_json_is_lidrs_for_a_restart_alone(tmp_path: Path) -> None:
    adapter(tmp_path / "checkpoint")
    (tmp_path / "train.json").write_text("{")
    with pytest.raises(InputError, match=r"train\.json"):
        check_training(RunDirectory(tmp_path), restart=False)
    check_training(RunDirectory(tmp_path), restart=True)


FOREIGN = {
    "config.json": '{"architectures": ["LlamaForCausalLM"]}',
    "report.json": '{"mine": 1}',
    "report.html": "<html><title>Thesis</title></html>",
    "report.md": "# Thesis",
    "train.yaml": "stage: sft\n",
    "rejected.jsonl": '{"id": 1}\n',
    "data/README.md": "# My data",
    "data/demo.jsonl": '{"instruction": "a", "input": "", "output": "b"}\n',
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("options", [(), ("--dry-run",)], ids=str)
def test_a_file_of_somebody_elses_is_refused_before_anything_is_asked(
    name: str, options: tuple[str, ...], tmp_path: Path, lidr: Lidr
) -> None:
    write_prompts(tmp_path, prompts(2))
    files.write_text(tmp_path / "run" / name, FOREIGN[name])
    server = FakeServer()
    with running(server) as url:
        config = write_config(tmp_path, engine__base_url=url)
        before = tree(tmp_path)
        done = lidr("build-pairs", config, *options)
    assert done.returncode == 2, done.stdout
    assert str(tmp_path / "run" / name) in done.stderr
    assert "lidr did not write this file" in done.stderr
    assert tree(tmp_path) == before
    assert not server.asked


def built(tmp_path: Path, lidr: Lidr, url: str, **changes: Any) -> Any:
    return lidr("build-pairs", write_config(tmp_path, engine__base_url=url, **changes))


def test_a_project_folder_keeps_its_other_files_and_its_other_datasets(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(2))
    kept = {
        "README.md": "# Project",
        ".download.part": "half",
        "data/.alpaca.jsonl.part": "half",
        "data/alpaca.jsonl": '{"instruction": "a", "output": "b"}\n',
        "model.py": "print(1)",
        ".env": "A=1",
    }
    for name, text in kept.items():
        files.write_text(tmp_path / name, text)
    files.write_json(tmp_path / "data/dataset_info.json", {"alpaca": {"file_name": "alpaca.jsonl"}})
    (tmp_path / ".folder.0123456789abcdef.part").mkdir()
    with running(FakeServer()) as url:
        done = built(tmp_path, lidr, url, output_dir=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert {name: (tmp_path / name).read_text() for name in kept} == kept
    assert set(json.loads((tmp_path / "data/dataset_info.json").read_text())) == {"alpaca", "demo"}


def test_a_dataset_that_was_edited_is_refused_and_made_anew_once_it_is_away(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(3))
    dataset = tmp_path / "run/data/demo.jsonl"
    with running(FakeServer()) as url:
        assert built(tmp_path, lidr, url).returncode == 0
        assert built(tmp_path, lidr, url).returncode == 0, "what lidr wrote is replaced"
        whole = dataset.read_bytes()
        dataset.write_bytes(whole.partition(b"\n")[2])
        done = built(tmp_path, lidr, url)
        assert done.returncode == 2
        assert "edited since lidr wrote it" in done.stderr
        assert dataset.read_bytes() == whole.partition(b"\n")[2]
        dataset.rename(tmp_path / "mine.jsonl")
        assert built(tmp_path, lidr, url).returncode == 0
    assert dataset.read_bytes() == whole


def test_a_kill_between_the_note_and_the_rename_leaves_both_datasets_lidrs(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    with files.replacing(run.dataset("demo")) as file:
        writer = DatasetWriter(file)
        writer.add({"id": "1", "instruction": "a", "input": "", "chosen_source": "response:en"})
        note(run, "demo", writer.close())
    note(run, "demo", "0" * 128)  # killed before the second came to its place
    check_own(run, "demo")
    note(run, "demo", "1" * 128)
    check_own(run, "demo")


def test_an_environment_made_by_hand_is_not_installed_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIDR_HOME", str(tmp_path))
    notes(tmp_path / "envs/train/bin")
    with pytest.raises(InputError, match="lidr did not make what is there"):
        create("train", gpu=False, say=print)
    assert tree(tmp_path) == {"envs/train/bin/notes.txt": b"mine"}


@pytest.mark.parametrize("name", ["lidr.yaml", "prompts/en.jsonl"])
@pytest.mark.parametrize("dangling", [True, False])
def test_init_replaces_neither_files_nor_links(name: str, dangling: bool, tmp_path: Path, lidr: Lidr) -> None:
    place = tmp_path / "new" / name
    place.parent.mkdir(parents=True)
    if dangling:
        place.symlink_to(tmp_path / "nowhere")
    else:
        place.write_text("mine")
    done = lidr("init", tmp_path / "new")
    assert done.returncode == 2
    assert "is there already" in done.stderr
    assert os.path.lexists(place)
    assert not (tmp_path / "nowhere").exists()


def test_recipes_cp_writes_through_no_link(tmp_path: Path, lidr: Lidr) -> None:
    name = lidr("recipes", "ls").stdout.split()[0]
    (tmp_path / "mine.yaml").symlink_to(tmp_path / "nowhere")
    assert lidr("recipes", "cp", name, tmp_path / "mine.yaml").returncode == 2
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        "learning_rate=abc",
        "learning_rate='1e-5'",
        "learning_rate=[1]",
        "num_train_epochs=[1]",
        "num_train_epochs=many",
        "bf16=maybe",
        "bf16=1",
        "fp16='true'",
        "lora_rank=eight",
        "lora_rank=8.5",
        "lora_alpha=true",
        "warmup_steps=no",
        "logging_steps={a: 1}",
        "pref_loss=dpo",
        "pref_beta=strong",
        "gradient_checkpointing=often",
        "quantization_bit=four",
        "flash_attn=fa9",
        "max_steps=1.5",
        "packing=auto",
    ],
)
def test_a_key_of_llamafactorys_with_a_value_of_a_wrong_kind_is_told_at_load(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"train.{wrong.partition('=')[0]}: expected"):
        load(write_config(tmp_path), [f"train.{wrong}"])


@pytest.mark.parametrize(
    "right",
    [
        "learning_rate=5e-7",
        "learning_rate=1",
        "bf16=true",
        "save_steps=0.1",
        "save_steps=50",
        "lora_target=all",
        "report_to=none",
        "pref_loss=simpo",
        "deepspeed=null",
        "packing=false",
        "flash_attn=fa2",
        "quantization_bit=4",
        "save_only_model=true",
    ],
)
def test_values_that_llamafactory_takes_are_taken(right: str, tmp_path: Path) -> None:
    assert right.partition("=")[0] in load(write_config(tmp_path), [f"train.{right}"]).train.llamafactory


@pytest.mark.parametrize(
    ("count", "changes", "said"),
    [
        (4, {"rounds": 2, "max_prompts": 4}, "round 2: skip_prompts: 4"),
        (4, {"rounds": 3, "max_prompts": 2}, "round 3: skip_prompts: 4"),
        (4, {"rounds": 2, "prompts": "prompts/{language}-{round}.jsonl"}, "no such file"),
        (4, {"rounds": 2, "max_prompts": 1, "skip_prompts": 9}, "round 1: skip_prompts: 9"),
    ],
)
def test_a_round_without_prompts_is_told_before_the_first(
    count: int, changes: dict[str, Any], said: str, tmp_path: Path, lidr: Lidr
) -> None:
    write_prompts(tmp_path, prompts(count))
    server = FakeServer()
    with running(server) as url:
        done = lidr("iterate", write_config(tmp_path, engine__base_url=url, **changes))
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert not server.asked
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("join", ["id", "row"])
def test_skipping_past_the_last_prompt_is_told(join: str, tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(3))
    done = lidr("build-pairs", write_config(tmp_path, skip_prompts=3, join_on=join))
    assert done.returncode == 2
    assert "skip_prompts: 3" in done.stderr
    assert "has 3 prompts" in done.stderr
    assert not (tmp_path / "run").exists()


def test_languages_that_mgsm_lacks_are_named(tmp_path: Path) -> None:
    config = load(write_config(tmp_path, languages=["de", "ko", "it"], eval={"mgsm": "mgsm/{language}.jsonl"}))
    assert [note.partition(":")[0] for note in lacking(config)] == [
        "MGSM has no Korean (ko)",
        "MGSM has no Italian (it)",
    ]
    assert lacking(load(write_config(tmp_path, languages=["ko"]))) == []


def row(number: int, **texts: str) -> dict[str, str]:
    return {
        "id": str(number),
        "instruction": f"Which day? {number}",
        "input": "",
        "chosen": "a",
        "rejected": "b",
        **texts,
    }


@pytest.mark.parametrize("key", ["instruction", "input", "chosen", "rejected"])
@pytest.mark.parametrize("date", ["2024-01-31", "2024-01-31T10:00:00", "2024-01-31 10:00", "2024-01-31T10:00:00.5Z"])
def test_no_column_of_dates_is_written(key: str, date: str, tmp_path: Path) -> None:
    rows = [row(n, **{key: date}) for n in range(1200)]
    with files.replacing(tmp_path / "x.jsonl") as file:
        writer = DatasetWriter(file)
        for item in rows:
            writer.add(item)
        writer.close()
    written = rows_of(tmp_path / "x.jsonl")
    assert len(written) == len(rows)
    for start in range(0, 1200, 600):
        assert any(item[key] != date for item in written[start : start + 600]), "each chunk of the loader has some text"
    changed = [(new, old) for new, old in zip(written, rows, strict=True) if new != old]
    assert len(changed) == 2
    for new, old in changed:
        joined = ["\n".join(filter(None, (x["instruction"], x["input"]))) for x in (new, old)]
        assert joined[0].rstrip() == joined[1]


def test_a_date_among_texts_stays_as_it_is(tmp_path: Path) -> None:
    rows = [row(1), row(2, chosen="2024-01-31", input="2024-01-31"), row(3), row(4, chosen="2024-01-31")]
    with files.replacing(tmp_path / "x.jsonl") as file:
        writer = DatasetWriter(file)
        for item in rows:
            writer.add(item)
        writer.close()
    assert rows_of(tmp_path / "x.jsonl") == rows


def test_the_input_joins_the_instruction_as_in_the_prompt() -> None:
    assert undated(row(1, input="2024-01-31"), "input")["instruction"] == "Which day? 1\n2024-01-31"
    assert undated(row(1, instruction="", input="2024-01-31"), "input")["input"] == "2024-01-31 "
    assert undated(row(1, chosen="2024-01-31"), "chosen")["chosen"] == "2024-01-31 "
