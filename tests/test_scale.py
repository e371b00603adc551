"""What `lidr plan` tells of a build on many GPUs, and of the disk of any build."""

import json
from pathlib import Path
from typing import Any

import pytest

import lidr_plugin as lidr_api
from lidr_plugin.dataset.estimate import Disk, Estimate, in_bytes
from lidr_plugin.machine.gpus import Gpu
from lidr_plugin.rounds.scale import Spread, spread, words
from lidr_plugin.training.plan import parse_gpus
from tests.conftest import Lidr, prompts, write_config, write_prompts
from tests.support.server import FakeServer, running

LLAMA = "meta-llama/Meta-Llama-3-8B-Instruct"
BUILD = Estimate(
    prompts=100_000_000,
    requests=300_000_000,
    prompt_tokens=60_000_000_000,
    completion_tokens=90_000_000_000,
    known=0,
    answer_tokens=300,
    speed=None,
    hours=None,
    cost=None,
    max_cost=None,
    candidates=200_000_000,
    disk=Disk(store=600_000_000_000, dataset=500_000_000_000),
)
"""Three requests a prompt, of which each has 300 new tokens."""


def spread_on(gpus: str | list[Gpu], **values: Any) -> Spread | None:
    base = {"engine": {"backend": "vllm"}, **values}
    config = lidr_api.configure(
        model_name_or_path=LLAMA, template="llama3", languages=["de"], prompts="{language}", **base
    )
    return spread(config, BUILD, parse_gpus(gpus) if isinstance(gpus, str) else gpus)


def test_a_plan_for_64_gpus_is_the_sum_that_a_person_does() -> None:
    found = spread_on("64x80")
    assert found is not None
    # 15 % of an A100's 312 TFLOP/s, by 2 FLOP for each of 8.03 billion parameters.
    assert found.speed.tokens_per_second == pytest.approx(0.15 * 312e12 / (2 * 8.03e9), rel=0.01)
    assert found.gpu_hours == pytest.approx(90e9 / found.speed.tokens_per_second / 3600)
    assert found.hours == pytest.approx(found.gpu_hours / 64)
    assert (found.workers, found.shards, found.prompts) == (64, 256, 390_625)
    assert found.shard == Disk(600_000_000_000 // 256, 500_000_000_000 // 256)
    assert found.disk == 1_600_000_000_000
    assert found.requests_per_second == pytest.approx(300e6 / found.hours / 3600)
    told = "\n".join(words(found))
    assert "by arithmetic for 1 x A100 at 15% of its 312 TFLOP/s, which is what a GPU of 80 GB is taken for" in told
    assert "an engine makes" not in "\n".join(words(found, found.speed))
    assert "256 shards of 390,625 prompts, 4.3 GB each" in told


def test_a_worker_with_several_gpus_is_as_much_faster_and_there_are_fewer() -> None:
    one, four = spread_on("64x80"), spread_on("64x80", engine={"backend": "vllm", "args": {"tensor-parallel-size": 4}})
    assert one
    assert four
    assert (four.workers, four.shards) == (16, 64)
    assert four.speed.tokens_per_second == pytest.approx(4 * one.speed.tokens_per_second)
    assert four.gpu_hours == pytest.approx(one.gpu_hours)
    few = spread_on("64x80", cluster={"workers": 8, "shards": 1000})
    assert few
    assert (few.workers, few.gpus, few.shards) == (8, 8, 1000)
    assert few.gpu_hours == pytest.approx(one.gpu_hours)
    assert few.hours == pytest.approx(8 * one.hours)


@pytest.mark.parametrize(
    ("memory", "name", "taken_for"),
    [(80, "", "A100"), (48, "", "A6000"), (24, "", "L4"), (16, "Some Card", "T4"), (80, "NVIDIA H100 80GB HBM3", None)],
)
def test_a_gpu_that_is_not_known_is_taken_for_one_that_is_and_that_is_said(
    memory: int, name: str, taken_for: str | None
) -> None:
    found = spread_on([Gpu(name, memory << 30)] * 2)
    assert found
    assert f"by arithmetic for 1 x {taken_for or name} at " in found.speed.source
    assert ("is taken for" in found.speed.source) == bool(taken_for)


def test_without_gpus_or_without_the_models_shape_nothing_is_told() -> None:
    assert spread_on([]) is None
    config = lidr_api.configure(
        model_name_or_path="./none",
        template="llama3",
        languages=["de"],
        prompts="{language}",
        engine={"backend": "vllm"},
    )
    assert spread(config, BUILD, parse_gpus("8x80")) is None


def size_of(run: Path) -> tuple[int, int]:
    dataset = [run / "data/demo.jsonl", run / "rejected.jsonl"]
    return (run / "completions.sqlite").stat().st_size, sum(path.stat().st_size for path in dataset)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"languages": ["de"], "dominant_pairs": "all", "generation__system": "Be brief."},
        {"method": "rank", "rank": {"by": "reward", "samples": 4, "scorer": {"model": "fake", "base_url": "URL"}}},
    ],
    ids=["pairs", "dominant pairs", "ranked"],
)
def test_requests_tokens_and_disk_are_told_within_a_fifth(values: dict[str, Any], tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(120))
    with running(FakeServer()) as url:
        config = write_config(tmp_path, engine__base_url=url, **values)
        config.write_text(config.read_text().replace("URL", url))
        assert lidr("build-pairs", config, "--preview", "10").returncode == 0
        told = json.loads(lidr("build-pairs", config, "--dry-run", "--json").stdout)["estimate"]
        done = lidr("build-pairs", config)
        assert done.returncode == 0, done.stderr
    store, dataset = size_of(tmp_path / "run")
    report = json.loads((tmp_path / "run/report.json").read_text())
    assert told["requests"] == pytest.approx(report["completions"]["generated"], rel=0.2)
    assert told["completion_tokens"] == pytest.approx(report["tokens"]["completion"], rel=0.2)
    assert told["disk"]["store"] == pytest.approx(store, rel=0.2)
    assert told["disk"]["dataset"] == pytest.approx(dataset, rel=0.2)


def test_the_plan_prints_the_spread_with_what_it_assumes(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(6, ("en", "de")))
    config = write_config(tmp_path, languages=["de"], model_name_or_path=LLAMA, engine__model="fake")
    told = lidr("plan", config, "--gpus", "64x80")
    assert told.returncode == 0, told.stderr
    assert " of completions, " in told.stdout
    assert "build on 64 GPUs: about " in told.stdout
    assert "GPU hours" in told.stdout
    assert "is taken for" in told.stdout
    found = json.loads(lidr("plan", config, "--gpus", "64x80", "--json").stdout)["spread"]
    assert (found["gpus"], found["shards"]) == (64, 6)
    (tmp_path / "prompts/de.jsonl").unlink()
    assert json.loads(lidr("plan", config, "--gpus", "64x80", "--json").stdout)["spread"] is None


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0.0 kB"), (99_949, "99.9 kB"), (999_600, "1.0 MB"), (640e9, "640 GB"), (1.6e12, "1.6 TB")]
)
def test_bytes_are_written_as_people_write_them(size: float, text: str) -> None:
    assert in_bytes(size) == text
