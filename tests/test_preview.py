"""A look before a whole run: a few prompts to their pairs, and what all of them will take."""

import json
from pathlib import Path

import pytest

from lidr_plugin.completions.store import Store
from tests.conftest import Lidr, prompts, write_config, write_prompts
from tests.support.server import FakeServer, running


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()} - {".lock"}


def test_a_preview_shows_pairs_and_leaves_completions_alone(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(12, ("en", "de", "es")))
    with running(FakeServer()) as url:
        config = write_config(tmp_path, languages=["de", "es"], engine__base_url=url)
        shown = lidr("build-pairs", config, "--preview", "3")
        assert shown.returncode == 0, shown.stderr
        assert "3 prompts: " in shown.stdout
        assert "[chosen, translation:en->de]" in shown.stdout
        assert "[rejected, response:de]" in shown.stdout
        assert "\n--- 2 [" in shown.stdout
        assert "\n--- 3 [" not in shown.stdout
        assert names_in(tmp_path / "run") == {"completions.sqlite"}
        with Store(tmp_path / "run/completions.sqlite", read_only=True) as store:
            finished = len(store)
        built = json.loads(lidr("build-pairs", config, "--json").stdout)
        assert built["completions"]["reused"] >= finished


def test_a_run_after_a_preview_is_the_run_without_one(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(12, ("en", "de")))
    with running(FakeServer()) as url:
        for name in ("plain", "looked"):
            config = write_config(tmp_path, languages=["de"], engine__base_url=url, output_dir=name)
            if name == "looked":
                lidr("build-pairs", config, "--preview", "5")
            lidr("build-pairs", config)
    for file in ("data/demo.jsonl", "rejected.jsonl", "data/dataset_info.json"):
        assert (tmp_path / "plain" / file).read_bytes() == (tmp_path / "looked" / file).read_bytes()


def test_a_preview_of_a_finished_run_changes_no_file_of_it(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(6, ("en", "de")))
    with running(FakeServer()) as url:
        config = write_config(tmp_path, languages=["de"], engine__base_url=url)
        lidr("build-pairs", config)
        run = tmp_path / "run"
        before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and "sqlite" not in path.name}
        assert lidr("build-pairs", config, "--preview", "2", "filters.length_ratio=[0.9,1.1]").returncode == 0
    assert {path: path.read_bytes() for path in before} == before
    assert names_in(run) == {path.name for path in run.rglob("*") if path.is_file()} - {".lock"}


def test_its_rows_are_those_of_the_run(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(6, ("en", "de")))
    with running(FakeServer()) as url:
        config = write_config(tmp_path, languages=["de"], engine__base_url=url)
        seen = json.loads(lidr("build-pairs", config, "--preview", "6", "--json").stdout)
        lidr("build-pairs", config)
    lines = (tmp_path / "run/data/demo.jsonl").read_text().splitlines()
    assert seen["rows"] == [json.loads(line) for line in lines]
    dropped = (tmp_path / "run/rejected.jsonl").read_text().splitlines()
    assert seen["rejected"] == [json.loads(line) for line in dropped]


def test_where_nobody_answers_nothing_is_left(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(6, ("en", "de")))
    config = write_config(tmp_path, languages=["de"], engine__max_retries=0)
    done = lidr("build-pairs", config, "--preview", "3")
    assert done.returncode == 1
    assert "vllm serve" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "words", [["--preview", "0"], ["--preview", "3", "--dry-run"], ["--preview", "3", "--shard", "0/2"]]
)
def test_what_makes_no_sense_is_refused(words: list[str], tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(2, ("en", "de")))
    done = lidr("build-pairs", write_config(tmp_path, languages=["de"]), *words)
    assert done.returncode == 2
    assert "--preview" in done.stderr
    assert not (tmp_path / "run").exists()


PRICES = {"engine__prompt_price": 1.0, "engine__completion_price": 2.0}


def test_what_a_dry_run_tells_is_what_the_run_takes(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(60, ("en", "de", "es")))
    with running(FakeServer()) as url:
        config = write_config(tmp_path, languages=["de", "es"], engine__base_url=url, **PRICES)
        first = json.loads(lidr("build-pairs", config, "--dry-run", "--json").stdout)["estimate"]
        assert (first["known"], first["hours"]) == (0, None)
        lidr("build-pairs", config, "--preview", "10")
        told = json.loads(lidr("build-pairs", config, "--dry-run", "--json").stdout)["estimate"]
        assert told["known"] > 40
        tokens = json.loads(lidr("build-pairs", config, "--json").stdout)["tokens"]
        with Store(tmp_path / "run/completions.sqlite", read_only=True) as store:
            entries = [entry.completion for entry in store.entries()]
        assert tokens["completion"] < sum(entry.completion_tokens for entry in entries)
        for name, wanted in (("prompt_tokens", "prompt_tokens"), ("completion_tokens", "completion_tokens")):
            assert told[name] == pytest.approx(sum(getattr(entry, wanted) for entry in entries), rel=0.25)
        assert told["cost"] == pytest.approx((told["prompt_tokens"] + 2 * told["completion_tokens"]) / 1e6, rel=0.01)
        timed = json.loads(lidr("build-pairs", config, "--dry-run", "--json").stdout)["estimate"]
        assert timed["speed"]["source"] == "as the last build measured"
        assert timed["hours"] > 0


def test_max_cost_ends_the_run_before_it_is_passed_and_a_higher_one_goes_on(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(40, ("en", "de")))
    server = FakeServer()
    with running(server) as url:
        config = write_config(tmp_path, languages=["de"], engine__base_url=url, **PRICES, generation__max_tokens=512)
        cap = "engine.max_cost=0.02"
        warned = lidr("build-pairs", config, "engine.max_cost=0.0001", "--dry-run")
        assert "engine.max_cost would end the run after about" in warned.stdout
        stopped = lidr("build-pairs", config, cap, "translation.max_tokens=512")
        assert stopped.returncode == 1
        assert "engine.max_cost" in stopped.stderr
        with Store(tmp_path / "run/completions.sqlite", read_only=True) as store:
            done = [entry.completion for entry in store.entries()]
        assert done
        spent = sum(x.prompt_tokens * 1e-6 + x.completion_tokens * 2e-6 for x in done)
        assert 0 < spent <= 0.02
        asked = len(server.asked)
        again = lidr("build-pairs", config, cap, "translation.max_tokens=512")
        assert again.returncode == 1, "what is in the store counts"
        with Store(tmp_path / "run/completions.sqlite", read_only=True) as store:
            entries = [entry.completion for entry in store.entries()]
        assert sum(x.prompt_tokens * 1e-6 + x.completion_tokens * 2e-6 for x in entries) <= 0.02
        assert len(server.asked) >= asked
        assert lidr("build-pairs", config, "engine.max_cost=5", "translation.max_tokens=512").returncode == 0


def test_a_cap_without_prices_is_refused(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(2, ("en", "de")))
    done = lidr("build-pairs", write_config(tmp_path, languages=["de"], engine__max_cost=5.0))
    assert done.returncode == 2
    assert "engine.max_cost: needs prompt_price and completion_price" in done.stderr


def test_the_plan_tells_what_the_build_takes(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(6, ("en", "de")))
    config = write_config(
        tmp_path, languages=["de"], model_name_or_path="meta-llama/Meta-Llama-3-8B-Instruct", **PRICES
    )
    found = lidr("plan", config, "--gpus", "1x24", "engine.model=fake")
    assert found.returncode == 0, found.stderr
    assert "build: about " in found.stdout
    assert "by the prices of the engines" in found.stdout
    assert json.loads(lidr("plan", config, "--gpus", "1x24", "engine.model=fake", "--json").stdout)["build"]["cost"] > 0
    (tmp_path / "prompts/de.jsonl").unlink()
    without = lidr("plan", config, "--gpus", "1x24", "engine.model=fake")
    assert without.returncode == 0
    assert "what the build takes is told when its input is there: " in without.stdout
