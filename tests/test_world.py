"""The small world: its texts are parallel and true, and what makes it makes a model that can be asked."""

import importlib
import importlib.util
import itertools
import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from lidr_plugin.methods.judging import comparison, grading
from tests.support.child import PATIENCE
from tests.support.trained import ROOT, environment

WORLD = ROOT / "examples/world"


@pytest.fixture(scope="module")
def tasks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("world_tasks", WORLD / "tasks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["world_tasks"] = module
    spec.loader.exec_module(module)
    return module


def test_a_problem_has_the_same_numbers_in_every_language_and_its_answer_is_right(tasks: ModuleType) -> None:
    chance = random.Random(3)
    for _ in range(300):
        problem = tasks.Problem.drawn(chance, 3)
        numbers = {tuple(re.findall(r"\d+", problem.question(code))) for code in tasks.LANGUAGES}
        assert len(numbers) == 1
        for code in tasks.LANGUAGES:
            *sums, (final,) = (list(map(int, re.findall(r"\d+", part))) for part in problem.answer(code).split(". "))
            assert final == int(problem.final(code)) == sums[-1][2]
            for (_, _, came), (goes, _, _) in itertools.pairwise(sums):
                assert came == goes
            for a, k, b in sums:
                assert b in (a + k, a - k, a * k)
                assert 0 < b <= tasks.LARGEST


def test_a_list_is_written_again_as_it_was(tasks: ModuleType) -> None:
    task = tasks.Copy.drawn(random.Random(1))
    for code in tasks.LANGUAGES:
        asked = task.question(code).partition(": ")[2].removesuffix(".")
        assert task.final(code) == asked
        assert task.answer(code).endswith(f"{task.final(code)}.")


@pytest.fixture
def noise(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module of that name, which imports its neighbours."""
    monkeypatch.syspath_prepend(WORLD)
    before = set(sys.modules)
    yield importlib.import_module("noise")
    for name in set(sys.modules) - before:
        if str(WORLD) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.mark.parametrize("mistaken", [0.0, 0.2])
def test_the_judge_errs_about_as_many_answers_as_it_should_the_same_each_time(
    mistaken: float, noise: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "prompts").mkdir()
    for code in ("en", "de", "es"):
        rows = [{"instruction": f"{code} {n}?", "final_answer": str(n)} for n in range(200)]
        (tmp_path / f"prompts/{code}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    judge = importlib.import_module("judge").Judge(tmp_path, mistaken)
    grades = [judge.reply(grading(f"de {n}?", f"Die Antwort ist {n}.").content) for n in range(200)]
    assert 200 * mistaken * 0.6 <= grades.count("3") <= 200 * mistaken * 1.4
    assert set(grades) <= {"3", "8"}
    for n in range(200):
        right, wrong = f"Die Antwort ist {n}.", f"Die Antwort ist {n + 1}."
        first, second = (
            judge.reply(comparison(f"de {n}?", *pair).content) for pair in ((right, wrong), (wrong, right))
        )
        assert {first, second} == {"A", "B"}, "whatever it says, it does not go by the place"
        assert mistaken or first == "A"


@pytest.mark.parametrize("kind", ["slips", "mistakes", "garbled"])
def test_a_translators_fault_is_in_as_many_texts_as_asked_for_and_the_same_each_time(
    kind: str, noise: ModuleType, tasks: ModuleType
) -> None:
    chance = random.Random(5)
    texts = [tasks.Problem.drawn(chance, 2).answer("de") for _ in range(400)]
    shares = {}
    for share in (0.0, 0.3, 1.0):
        told = [noise.FAULTS[kind](text, share) for text in texts]
        assert told == [noise.FAULTS[kind](text, share) for text in texts]
        shares[share] = sum(x != y for x, y in zip(told, texts, strict=True)) / len(texts)
    assert shares[0.0] == 0
    assert shares[1.0] > 0.9
    # Of words that are another word, some are in nearly every text.
    assert 0.15 < shares[0.3] < 0.45 if kind != "garbled" else shares[0.3] > 0.9


def test_a_mistake_is_the_result_one_too_high_and_made_wherever_that_result_stands(noise: ModuleType) -> None:
    assert noise.mistake("6 minus 3 ist 3. Die Antwort ist 3.", 1.0) == "6 minus 3 ist 3. Die Antwort ist 4."
    wrong = {n for n in range(1, 31) if noise.mistake(f"Die Antwort ist {n}.", 0.5).endswith(f" {n + 1}.")}
    assert len(wrong) == 15
    assert wrong == {n for n in range(1, 31) if noise.mistake(f"Quedan {n}.", 0.5) != f"Quedan {n}."}


def test_of_an_exported_store_the_translations_are_spoilt_and_nothing_else(noise: ModuleType) -> None:
    fault = noise.Fault("mistakes", 1.0)
    turn = {"messages": [{"role": "user", "content": "x"}], "temperature": 0}
    answer = json.dumps({"request": turn, "text": "Die Antwort ist 3."})
    told = "Die Antwort ist 3.\n</translated>"
    translation = json.dumps({"request": {**turn, "prefill": "<translated>\n"}, "text": told})
    assert fault.line(answer) == answer
    assert json.loads(fault.line(translation))["text"] == "Die Antwort ist 4.\n</translated>"


def made(world: Path, *options: str) -> str:
    """What `make_world.py` says."""
    command = [sys.executable, str(WORLD / "make_world.py"), str(world), *options]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_usual_world_has_the_m0_that_is_shipped_with_its_measured_imbalance(tmp_path: Path) -> None:
    made(tmp_path / "world", "--prompts", "30", "--held-out", "20")
    for name in ("model.safetensors", "tokenizer.json"):
        assert (tmp_path / "world/m0" / name).read_bytes() == (WORLD / "m0" / name).read_bytes()
    right = json.loads((tmp_path / "world/m0.json").read_text())["right"]
    assert right["problems"]["en"] > 97
    assert all(50 < right["problems"][code] < 85 for code in ("de", "es"))
    assert all(share > 95 for kind in ("translations", "lists") for share in right[kind].values())


@pytest.mark.train
def test_it_is_made_once_with_files_that_join_and_qwen2s_own_tokenizer(train_python: Path, tmp_path: Path) -> None:
    options = ("--updates", "2", "--prompts", "30", "--held-out", "20")
    assert "held-out questions, and M0 in" in made(tmp_path / "world", *options)
    files = {code: (tmp_path / f"world/prompts/{code}.jsonl").read_text().splitlines() for code in ("en", "de", "es")}
    rows = {code: [json.loads(line) for line in lines] for code, lines in files.items()}
    assert [[row["final_answer"] for row in rows[code]] for code in rows] == [
        [row["final_answer"] for row in rows["en"]]
    ] * 3
    held = [json.loads(line)["instruction"] for line in (tmp_path / "world/held_out/en.jsonl").read_text().splitlines()]
    assert not {row["instruction"] for row in rows["en"]} & set(held)
    settings = json.loads((tmp_path / "world/m0/tokenizer_config.json").read_text())
    assert settings["tokenizer_class"].startswith("Qwen2Tokenizer")
    assert (tmp_path / "world/m0/model.safetensors").exists()
    assert (tmp_path / "world/m0.json").exists()
    assert "made before" in made(tmp_path / "world", *options)
