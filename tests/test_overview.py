"""`lidr report`: what the stages left, on one page."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from lidr_plugin.files import write_json
from lidr_plugin.run_directory import RunDirectory
from tests.conftest import Lidr, prompts, write_config, write_prompts
from tests.support.browser import measured
from tests.support.evaluation import Scripted, write_mgsm
from tests.support.server import FakeServer, running

HOSTILE = "<script>document.title = 'broken'</script>"


def trained(run: RunDirectory, steps: int) -> None:
    """What a training leaves: LLaMA-Factory's names, and lidr's state."""
    log: list[dict[str, Any]] = [
        {"step": 0, "eval_loss": 2.0, "eval_rewards/accuracies": 0.0, "eval_rewards/margins": 0.0}
    ]
    for step in range(1, steps + 1):
        values = {"loss": 2 - step / steps, "rewards/accuracies": step / steps, "rewards/margins": step / 10}
        log.append({"step": step, **values})
    log.append({"step": steps, "eval_loss": 1.5, "eval_rewards/accuracies": 0.8, "eval_rewards/margins": 1.0})
    write_json(run.checkpoint / "trainer_state.json", {"log_history": log})
    card = "### Framework versions\n\n- PEFT 0.18.1\n- Pytorch 2.14.1+cu130\n"
    (run.checkpoint / "README.md").write_text(card)
    settings = {"stage": "dpo", "finetuning_type": "lora", "learning_rate": 5e-6, "dataset_sha256": "ab12"}
    write_json(run.train_json, {"status": "done", "training": settings, "merge": {"weights_changed": 0.4}})


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rounds of the fake model, built, probed and evaluated with a judge; their training is made up."""
    from lidr_plugin.config.file import load
    from lidr_plugin.dataset.build import build_pairs
    from lidr_plugin.evaluation.evaluate import evaluate
    from lidr_plugin.evaluation.probe import probe

    folder = tmp_path_factory.mktemp("rounds")
    write_prompts(folder, [{code: f"{text} {HOSTILE}" for code, text in row.items()} for row in prompts(20)])
    write_mgsm(folder)
    server = FakeServer(served=["fake", "old", "new", "judge"])
    script = Scripted(logprobs=True)
    server.script = lambda body: None if body["model"] == "fake" or "How many" in str(body) else script(body)
    with running(server) as url:
        for number in (1, 2):
            wanted = {
                "models": {f"M{number - 1}": "old", f"M{number}": "new"},
                "prompts": "prompts/{language}.jsonl",
                "mgsm": "mgsm/{language}.jsonl",
                "judge": {"base_url": url, "model": "judge"},
            }
            output = str(folder / f"run/iter{number}")
            loaded = load(write_config(folder, engine__base_url=url, eval=wanted, output_dir=output), [])
            build_pairs(loaded)
            evaluate(loaded)
            if number == 1:
                plain = load(write_config(folder, engine__base_url=url, output_dir=output), [])
                probe(plain, sample=8)
            trained(RunDirectory(Path(output)), 20 * number)
    path = folder / "run/iter2/eval/results.json"
    results = json.loads(path.read_text())
    results["results"]["M2"]["lm_eval"] = {"belebele_deu_Latn": {"acc": {"value": 0.375, "stderr": 0.02}}}
    write_json(path, results)
    return folder / "run"


def test_the_numbers_of_all_rounds_come_together(rounds: Path, lidr: Lidr) -> None:
    done = lidr("report", rounds)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(rounds / f"overview.{kind}") for kind in ("html", "md", "json")]
    found = json.loads((rounds / "overview.json").read_text())
    assert list(found["models"]) == ["M0", "M1", "M2"]
    results = json.loads((rounds / "iter2/eval/results.json").read_text())["results"]
    assert {"path": "new", "weights": "new", **results["M2"]} == found["models"]["M2"]
    assert [x["build"] for x in found["rounds"]] == [
        json.loads((rounds / f"iter{number}/report.json").read_text()) for number in (1, 2)
    ]
    training = found["rounds"][1]["training"]
    assert len(training["curve"]) == 40
    assert training["held_out"][-1] == {"step": 40, "loss": 1.5, "accuracy": 0.8, "margin": 1.0}
    assert [x["round"] for x in found["head_to_head"]] == [1, 2]
    assert found["rounds"][0]["signal"]["kind"] == "visible"
    assert found["rounds"][1]["signal"] is None
    (first, *_) = found["samples"]
    assert list(first["answers"]) == ["M0", "M1", "M2"]
    assert len(found["samples"]) == 4 * 4
    manifest = found["manifest"]["round 1"]
    assert (manifest["PEFT version"], manifest["Pytorch version"]) == ("0.18.1", "2.14.1+cu130")
    assert manifest["dataset_sha256"] == "ab12"
    text = (rounds / "overview.md").read_text()
    assert "| de | M2 |" in text
    assert "| de | M1 | 60.0 (39-78) | 20.0 (8-42) | 20.0 (8-42) | 80.0 (58-92) | 60.0 (45-74) | 70.0 |" in text
    assert "| belebele_deu_Latn | acc |  |  | 37.5 ± 2.0 |" in text
    assert "| held out 40 | 1.500 | 1.000 | 0.800 |" in text


def test_the_page_loads_nothing_and_runs_nothing_of_the_texts(rounds: Path, lidr: Lidr) -> None:
    lidr("report", rounds)
    page = (rounds / "overview.html").read_text()
    assert not re.search(r'(src|href)="', page)
    assert "url(" not in page
    assert page.count("<script") == 1
    assert "&lt;script&gt;document.title" in page


@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_a_screen_and_a_phone_and_its_tables_sort(rounds: Path, lidr: Lidr, width: int) -> None:
    lidr("report", rounds)
    found = measured(
        rounds / "overview.html",
        width,
        "(() => { const column = () => [...document.querySelectorAll('table.sortable')[0].tBodies[0].rows]"
        ".map(r => +r.cells[2].dataset.value);"
        "const head = document.querySelectorAll('table.sortable')[0].tHead.rows[0].cells[2];"
        "head.click(); const up = column(); head.click(); const down = column();"
        "const small = [...document.querySelectorAll('svg text')].filter(t => t.textContent.trim())"
        ".map(t => t.getBoundingClientRect().height);"
        "return {wide: document.documentElement.scrollWidth, view: innerWidth, title: document.title, up, down,"
        "smallest: Math.min(...small), figures: document.querySelectorAll('figure').length,"
        "bars: [...document.querySelectorAll('figure > svg')].filter(s => s.querySelector('rect'))"
        ".map(s => [...s.querySelectorAll('rect')].reduce((n, r) => n + r.width.baseVal.value, 0) / 4)}; })()",
    )
    assert found["title"] == "lidr: run"
    assert found["wide"] <= found["view"] == width
    assert found["up"] == sorted(found["up"])
    assert found["down"] == sorted(found["up"], reverse=True)
    assert found["smallest"] >= 9, "text stays legible"
    assert found["figures"] == 3 * 4 + 2 + 2 + 2 * 3
    assert found["bars"] == pytest.approx([292.0] * 4, abs=0.5), "what is in a bar fills it"


def test_a_run_that_was_only_built_has_a_page_too(rounds: Path, tmp_path: Path, lidr: Lidr) -> None:
    write_json(tmp_path / "only/report.json", json.loads((rounds / "iter1/report.json").read_text()))
    done = lidr("report", tmp_path / "only")
    assert done.returncode == 0, done.stderr
    assert "## Round 1: pairs" in (tmp_path / "only/overview.md").read_text()


def test_a_folder_without_a_run_and_a_broken_file_are_refused(tmp_path: Path, lidr: Lidr) -> None:
    empty = lidr("report", tmp_path)
    assert empty.returncode == 2
    assert "no run of lidr there" in empty.stderr
    (tmp_path / "report.json").write_text("{")
    broken = lidr("report", tmp_path)
    assert broken.returncode == 2
    assert "report.json: cannot be read" in broken.stderr
    assert not list(tmp_path.glob("overview.*"))
