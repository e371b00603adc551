"""The real thing, on the CPU: LLaMA-Factory's loader and the transformers engine."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import prompts, write_config, write_prompts
from tests.support.server import FakeServer, running
from tests.support.trained import anywhere, assert_read_back, in_train, loaded, once

SYSTEMS = ["", "Be brief.\nAlways."]
LOOKS: dict[str, list[str]] = {
    "dates": ["2024-01-31", "1999-12-01", "2020-02-29"],
    "times": ["2024-01-31T10:00:00", "2024-02-01 11:30:00", "2024-02-01T10:00:00Z"],
    "numbers": ["1", "2.50", "007"],
    "nothing": ["null", "NaN", "None"],
    "kinds": ["true", "2024-01-31", "-1e5"],
    "json": ['{"a": 1}', "[1, 2]", "{}"],
}


@pytest.fixture(scope="module")
def written_and_read(train_python: Path, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run for each system prompt and each of `LOOKS`; `read.json`: what LLaMA-Factory, started once, reads of all."""

    def make(folder: Path) -> None:
        for place, system in enumerate(SYSTEMS):
            build_with_system(folder / f"system {place}", system)
        for kind, looks in LOOKS.items():
            for second in (True, False):
                build_looks(folder / f"{kind} {second}", looks, second)
        runs = [path.parent for path in sorted(folder.glob("*/run/train.yaml"))]
        read = dict(zip((run.parent.name for run in runs), loaded(train_python, tiny, *runs), strict=True))
        (folder / "read.json").write_text(json.dumps(read))

    return once(tmp_path_factory, "written", make)


def build_with_system(folder: Path, system: str) -> None:
    """A dataset of signs that a file or a parser may change."""
    rows = prompts(40)
    for number in range(10):
        rows[number]["de"] = f'[de] {number} Anführung "x" \\ Zeile\nzwei \u2028 drei\t☃ \u0000?'
    write_prompts(folder, rows, input="and\nmore")
    with running(FakeServer()) as url:
        done = anywhere("build-pairs", write_config(folder, engine__base_url=url, generation__system=system or None))
    assert done.returncode == 0, done.stderr


def build_looks(folder: Path, looks: Sequence[str], second: bool) -> None:
    """A dataset of texts that look like something else."""
    rows = [dict.fromkeys(("en", "de"), looks[n % 3]) for n in range(12)]
    write_prompts(folder, rows, **({"input": looks[0]} if second else {}))
    server = FakeServer()

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        user = body["messages"][0]["content"]
        said = looks[1] if "into" in user else looks[2]
        return {"message": {"content": f"{said}\n</translated>" if "into" in user else said}}

    server.script = answer
    with running(server) as url:
        off = dict.fromkeys(("off_target", "identical", "repetition", "length_ratio"), False)
        done = anywhere("build-pairs", write_config(folder, engine__base_url=url, languages=["de"], filters=off))
    assert done.returncode == 0, done.stderr


@pytest.mark.train
@pytest.mark.parametrize("system", SYSTEMS)
def test_llamafactory_reads_back_what_was_written(system: str, written_and_read: Path) -> None:
    name = f"system {SYSTEMS.index(system)}"
    found = json.loads((written_and_read / "read.json").read_text())[name]
    assert_read_back(found, written_and_read / name / "run", "demo", system)


@pytest.mark.train
@pytest.mark.parametrize("kind", LOOKS)
@pytest.mark.parametrize("second", [True, False])
def test_texts_that_look_like_something_else_stay_texts(kind: str, second: bool, written_and_read: Path) -> None:
    name = f"{kind} {second}"
    found = json.loads((written_and_read / "read.json").read_text())[name]
    assert_read_back(found, written_and_read / name / "run", "demo")


@pytest.mark.train
def test_the_transformers_engine_gives_in_batches_what_it_gives_alone(train_python: Path, tiny: Path) -> None:
    found = in_train(train_python, "generate", tiny)
    assert found["same"]
    assert found["differ"], "the prefill changes the answer"
    assert "/no/such/model" in found["refused"]
    for first, again in found["sampled"].values():
        assert len(set(first)) == len(first) == 4, "samples of one request are drawn apart"
        assert again == first, "and the same batch is drawn the same"
