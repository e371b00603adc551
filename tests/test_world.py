"""The small world: its texts are parallel and true, and what makes it makes a model that can be asked."""

import importlib.util
import itertools
import json
import random
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

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


def test_a_list_is_told_from_its_end(tasks: ModuleType) -> None:
    task = tasks.Backwards.drawn(random.Random(1))
    for code in tasks.LANGUAGES:
        asked = task.question(code).partition(": ")[2].removesuffix(".").split(", ")
        assert task.final(code).split(", ") == asked[::-1]
        assert task.answer(code).endswith(f"{task.final(code)}.")


@pytest.mark.train
def test_it_is_made_once_with_files_that_join_and_qwen2s_own_tokenizer(train_python: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(WORLD / "make_world.py"), str(tmp_path / "world")]
    command += ["--updates", "2", "--prompts", "30", "--held-out", "20"]

    def made() -> str:
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    assert "held-out questions, and M0 in" in made()
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
    assert "made before" in made()
