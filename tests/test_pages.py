"""The page of a run: what its stages left, as a person meets it in a browser, wide and on a phone, and as files."""

import hashlib
import json
import math
import os
import re
from pathlib import Path
from typing import Any

import pytest

import lidr_plugin
from lidr_plugin.completions.progress import Meter
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.counts import Counts, write_report
from lidr_plugin.errors import InputError
from lidr_plugin.files import write_json
from lidr_plugin.methods.base import Drop, Outcome, Preference, Reason, Row, Sft, Text
from lidr_plugin.methods.filters import REASONS
from lidr_plugin.pages import write_page
from lidr_plugin.prompts.prompt import PromptText
from lidr_plugin.run_directory import RunDirectory
from tests.conftest import Lidr, prompts, write_config, write_prompts
from tests.support.browser import measured
from tests.support.evaluation import Scripted, write_mgsm
from tests.support.server import FakeServer, running
from tests.support.texts import SAMPLES

VALUES = {"model_name_or_path": "m", "languages": ["ar", "ja", "de"], "prompts": "{language}.jsonl"}
HOSTILE = "<script>document.title = 'broken'</script></style></textarea>\u202e & \"quoted\" | `x` \u2069\u2069 [a](b)"
COUNTS = (
    "prompts", "candidates", "pairs", "rejected", "completions", "tokens", "seconds", "tokens_per_second"
)  # fmt: skip
"""What every `report.json` of a build has (contract, section 4)."""


def pair(language: str, number: int, text: str) -> Preference:
    return Preference(
        id=f"p{number}",
        language=language,
        prompt=PromptText(text[:40], HOSTILE),
        chosen=Text(text),
        rejected=Text(text[: len(text) // 2]),
        chosen_source=f"translation:en->{language}",
        rejected_source=f"response:{language}",
        source=Text(text),
    )


def answer(language: str, number: int, text: str) -> Sft:
    return Sft(f"p{number}", language, PromptText(text[:40]), Text(text), f"translation:en->{language}", Text(text))


def built(run: RunDirectory, outcomes: list[Outcome], model: str = "m") -> dict[str, Any]:
    """What a build leaves for the page."""
    counts, meter = Counts(), Meter()
    for outcome in outcomes:
        counts.add(outcome)
    meter.add(100, 2000)
    config = Config.model_validate({**VALUES, "model_name_or_path": model})
    write_json(run.config, {"lidr": "0.1.0", **config.model_dump(mode="json")})
    return write_report(run, config, counts, meter, REASONS)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """Forty prompts: pairs in three languages, and in the fourth every reason there is, one of them a user's own."""
    outcomes = []
    reasons = [*Reason, "<b>own</b>\u2069\u202e"]
    for number in range(40):
        rows: tuple[Row, ...] = tuple(pair(code, number, SAMPLES[code]) for code in ("ar", "ja", "en"))
        lost = Drop(pair("de", number, HOSTILE), reasons[number % len(reasons)])
        outcomes.append(Outcome(number, rows, (lost,)))
    run = RunDirectory(tmp_path / "lidr")
    report = built(run, outcomes)
    write_page(run)
    found = json.loads(run.report_json.read_text())
    assert {key: found[key] for key in report} == report, "what the build wrote stays as it is"
    assert report["candidates"] == {"en": 40, "ar": 40, "ja": 40, "de": 40}
    return run


def inert(text: str, scripts: int = 1) -> None:
    """Asserts that a page loads nothing, and that of its texts nothing runs or leaves its place."""
    assert not re.search(r'(src|href)="(?!#)', text)
    assert "url(" not in text
    assert "default-src 'none'" in text
    assert text.count("<script") == scripts
    assert text.count("</style>") == 1


def test_the_page_is_one_file_and_loads_nothing(run: RunDirectory) -> None:
    text = run.report_html.read_text()
    inert(text)
    assert 'dir="rtl" lang="ar"' in text


@pytest.mark.parametrize("width", [1280, 390])
def test_it_opens_in_a_browser_without_overflow_and_shows_all_of_it(run: RunDirectory, width: int) -> None:
    found = measured(
        run.report_html,
        width,
        "{wide: document.documentElement.scrollWidth, view: innerWidth, title: document.title,"
        "bars: [...document.querySelectorAll('.bar')].map(b => Math.round([...b.children]"
        ".reduce((s, c) => s + c.getBoundingClientRect().width, 0) / b.getBoundingClientRect().width * 100)),"
        "arabic: getComputedStyle(document.querySelector('[lang=ar]')).direction,"
        "contents: [...document.querySelectorAll('nav a')].map(a => document.getElementById(a.hash.slice(1)).textContent),"
        "sticky: getComputedStyle(document.querySelector('nav')).position,"
        "nameless: [...document.querySelectorAll('[role=img], nav')].filter(e => !e.ariaLabel.trim()).length,"
        "smallest: Math.min(...[...document.querySelectorAll('svg text')].map(t => t.getBoundingClientRect().height)),"
        "pairs: document.querySelectorAll('details:has(.text)').length}",
    )
    assert found["title"] == "lidr: lidr"
    assert found["wide"] <= found["view"] == width
    assert found["arabic"] == "rtl"
    assert found["pairs"] == 36
    assert len(found["bars"]) == 4
    assert all(98 <= share <= 101 for share in found["bars"])
    assert found["contents"] == ["Kept and rejected", "Lengths", "Throughput", "A sample of the pairs", "Settings"]
    assert found["sticky"] == "sticky"
    assert found["nameless"] == 0
    assert found["smallest"] >= 9, "text stays legible"


def test_a_bidi_control_in_a_name_turns_nothing_beside_it(run: RunDirectory) -> None:
    found = measured(
        run.report_html,
        1280,
        "(() => { const own = [...document.querySelectorAll('tbody bdi')].find(b => b.textContent.startsWith('<b>own'));"
        "own.insertAdjacentHTML('afterend', '<span>one </span><span>two</span>');"
        "return {lefts: [own, ...own.parentElement.querySelectorAll('span')].map(e => e.getBoundingClientRect().left)}; })()",
    )
    assert len(found["lefts"]) == 3
    assert found["lefts"] == sorted(found["lefts"])


def test_a_reason_has_its_words_and_a_users_own_its_name(run: RunDirectory) -> None:
    text = run.report_html.read_text()
    assert "the chosen text, or its source, was cut at max_tokens" in text
    assert "&lt;b&gt;own&lt;/b&gt;" in text
    own = len(range(len(Reason), 40, len(Reason) + 1))  # the reasons take turns, and it is the last of them
    assert rf"| \<b\>own\</b\> | 0 | 0 | 0 | {own} |" in run.report_md.read_text(), (
        "and no control survives in Markdown"
    )


def test_rows_with_one_text_are_shown_too(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    rows = [answer(code, 0, SAMPLES[code]) for code in ("ar", "ja")]
    built(run, [Outcome(0, tuple(rows), ())])
    write_page(run)
    text = run.report_html.read_text()
    assert "A sample of the rows" in text
    assert text.count('class="text output"') == 2
    assert "rejected</bdi>" not in text
    assert "| rows | 0 | 1 | 1 | 0 |" in run.report_md.read_text()


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
    settings = {
        "stage": "dpo",
        "finetuning_type": "lora",
        "learning_rate": 5e-6,
        "model_name_or_path": "old",
        "dataset": "demo",
        "dataset_sha256": "ab12",
    }
    numbers = dict.fromkeys(("shift", "error", "lost", "kl_base_to_trained", "kl_saved_to_trained"), 0.1)
    merge = {"modules": 7, "zero": [], "unchanged": [], "weights_changed": 0.4, **numbers}
    write_json(run.train_json, {"status": "done", "training": settings, "merge": merge})


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rounds of the fake model, built, probed and evaluated with a judge; their training is made up."""
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
            config = lidr_plugin.load(write_config(folder, engine__base_url=url, eval=wanted, output_dir=output))
            lidr_plugin.build_pairs(config)
            lidr_plugin.evaluate(config)
            if number == 1:
                plain = lidr_plugin.load(write_config(folder, engine__base_url=url, output_dir=output))
                lidr_plugin.probe(plain, sample=8)
            trained(RunDirectory(Path(output)), 20 * number)
    path = folder / "run/iter2/eval/results.json"
    results = json.loads(path.read_text())
    results["results"]["M2"]["lm_eval"] = {"belebele_deu_Latn": {"acc": {"value": 0.375, "stderr": 0.02}}}
    write_json(path, results)
    return folder / "run"


def test_the_numbers_of_all_rounds_come_together(rounds: Path, lidr: Lidr) -> None:
    done = lidr("report", rounds)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(rounds / f"report.{kind}") for kind in ("html", "md", "json")]
    found = json.loads((rounds / "report.json").read_text())
    assert list(found["models"]) == ["M0", "M1", "M2"]
    results = json.loads((rounds / "iter2/eval/results.json").read_text())["results"]
    assert found["models"]["M2"] == {"path": "new", "weights": "new", "results": results["M2"]}
    builds = [json.loads((rounds / f"iter{number}/report.json").read_text()) for number in (1, 2)]
    for key in COUNTS:
        assert [x["build"][key] for x in found["rounds"]] == [build[key] for build in builds]
    assert found["pairs"] == {code: n + builds[1]["pairs"][code] for code, n in builds[0]["pairs"].items()}
    assert found["prompts"] == 40
    assert found["tokens"]["completion"] == sum(build["tokens"]["completion"] for build in builds)
    training = found["rounds"][1]["training"]
    assert len(training["curve"]) == 40
    assert training["held_out"][-1] == {"step": 40, "loss": 1.5, "accuracy": 0.8, "margin": 1.0}
    assert [x["round"] for x in found["head_to_head"]] == [1, 2]
    assert found["rounds"][0]["signal"]["kind"] == "visible"
    assert found["rounds"][1]["signal"] is None
    (first, *_) = found["answers"]
    assert list(first["answers"]) == ["M0", "M1", "M2"]
    assert len(found["answers"]) == 4 * 4
    assert found["rounds"][0]["versions"] == {"PEFT": "0.18.1", "Pytorch": "2.14.1+cu130"}
    assert found["rounds"][0]["configuration"]["languages"] == ["de", "es", "fr"]
    assert training["settings"]["dataset_sha256"] == "ab12"
    text = (rounds / "report.md").read_text()
    assert "| de | M2 |" in text
    assert "| de | M1 | 60.0 (39-78) | 20.0 (8-42) | 20.0 (8-42) | 80.0 (58-92) | 60.0 (45-74) | 70.0 |" in text
    assert "| belebele_deu_Latn | acc |  |  | 37.5 ± 2.0 |" in text
    assert "| held out 40 | 1.500 | 1.000 | 0.800 |" in text


def test_the_page_of_rounds_loads_nothing_and_runs_nothing_of_the_texts(rounds: Path) -> None:
    write_page(RunDirectory(rounds))
    page = (rounds / "report.html").read_text()
    inert(page)
    assert "&lt;script&gt;document.title" in page


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_of_rounds_fits_a_screen_and_a_phone_and_its_tables_sort(rounds: Path, width: int) -> None:
    write_page(RunDirectory(rounds))
    found = measured(
        rounds / "report.html",
        width,
        "(() => { const column = () => [...document.querySelectorAll('table.sortable')[0].tBodies[0].rows]"
        ".map(r => +r.cells[2].dataset.value);"
        "const head = document.querySelectorAll('table.sortable')[0].tHead.rows[0].cells[2];"
        "head.click(); const up = column(); head.click(); const down = column();"
        "const small = [...document.querySelectorAll('svg text')].filter(t => t.textContent.trim())"
        ".map(t => t.getBoundingClientRect().height);"
        "return {wide: document.documentElement.scrollWidth, view: innerWidth, title: document.title, up, down,"
        "smallest: Math.min(...small), figures: document.querySelectorAll('figure').length,"
        "bars: [...document.querySelectorAll('.bar')].map(b => [...b.children]"
        ".reduce((n, c) => n + c.getBoundingClientRect().width, 0) / b.getBoundingClientRect().width)}; })()",
    )
    assert found["title"] == "lidr: run"
    assert found["wide"] <= found["view"] == width
    assert found["up"] == sorted(found["up"])
    assert found["down"] == sorted(found["up"], reverse=True)
    assert found["smallest"] >= 9, "text stays legible"
    plots, lengths, curves = 3 * 4, 2 * 4, 2 * 3
    assert found["figures"] == plots + lengths + curves
    judged, rows = 2 * 4, 2 * 4
    assert found["bars"] == pytest.approx([1.0] * (judged + rows), abs=0.01), "what is in a bar fills it"


def test_a_dip_that_cannot_be_seen_gives_no_curve_a_long_label(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    settings = {"stage": "dpo", "finetuning_type": "full", "model_name_or_path": "old", "dataset": "demo"}
    write_json(run.train_json, {"status": "begun", "training": settings})
    log = [{"step": n, "loss": 1.0, "rewards/margins": y} for n, y in enumerate((-9.26e-05, 0.5), 1)]
    path = run.checkpoint / "checkpoint-2/trainer_state.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"log_history": log}))
    write_page(run)
    text = run.report_html.read_text()
    assert "reward margin, from 0 to 0.5 over 2 steps" in text
    assert "e-05" not in text


def test_a_training_under_way_has_the_curves_of_its_last_checkpoint(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    settings = {"stage": "sft", "finetuning_type": "full", "model_name_or_path": "old", "dataset": "demo"}
    write_json(run.train_json, {"status": "begun", "training": settings})
    for last in (2, 10):
        log = [{"step": step, "loss": 2.0 - step / 10} for step in range(1, last)] + [{"step": last, "loss": math.nan}]
        path = run.checkpoint / f"checkpoint-{last}/trainer_state.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"log_history": log}))
    write_page(run)
    found = json.loads(run.report_json.read_text())["rounds"][0]["training"]
    assert [point["step"] for point in found["curve"]] == list(range(1, 11))
    text = run.report_html.read_text()
    assert "not finished: begun" in text
    assert "at the end nan" in text, "a loss that is no number is not passed over"
    assert len(re.findall(r'<polyline points="([^"]*)"', text)) == 1
    assert "nan" not in re.findall(r'<polyline points="([^"]*)"', text)[0]
    assert "reward accuracy" not in text


def test_a_run_that_was_only_built_has_a_page_too(rounds: Path, tmp_path: Path, lidr: Lidr) -> None:
    write_json(tmp_path / "only/report.json", json.loads((rounds / "iter1/report.json").read_text()))
    done = lidr("report", tmp_path / "only")
    assert done.returncode == 0, done.stderr
    assert "## Pairs" in (tmp_path / "only/report.md").read_text()


def test_a_report_of_version_0_1_has_a_page(tmp_path: Path) -> None:
    golden = json.loads((Path(__file__).parent / "golden/report.json").read_text())
    rest = {"completions": {"generated": 0, "reused": 320, "failed": 0}, "tokens": {"prompt": 0, "completion": 0}}
    run = RunDirectory(tmp_path)
    write_json(run.report_json, {**golden, **rest, "seconds": 0.6, "tokens_per_second": 0.0})
    write_page(run)
    assert "| truncated | 18 | 6 | 6 | 6 |" in run.report_md.read_text()


def test_a_run_that_was_only_evaluated_has_one_too(rounds: Path, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    write_json(run.eval_results, json.loads((rounds / "iter1/eval/results.json").read_text()))
    for _ in range(2):  # its own report.json is no build
        write_page(run)
        assert "| de | M1 | 60.0 (39-78)" in run.report_md.read_text()
        assert "pairs" not in json.loads(run.report_json.read_text())


def test_the_right_answers_to_a_skills_questions_are_drawn_first(tmp_path: Path) -> None:
    run, share = RunDirectory(tmp_path), {"hits": 1, "total": 4, "share": 0.25, "low": 0.05, "high": 0.7}
    results = {"M0": {"sums": {"de": {"accuracy": share, "off_target": share, "cut": share}}}}
    write_json(run.eval_results, {"models": {"M0": ""}, "weights": {"M0": "w"}, "results": results})
    write_page(run)
    drawn = re.findall(r'aria-label="([\w ]+), German: M0', run.report_html.read_text())
    assert drawn == ["accuracy", "off target"]


RESULTS = '{"models": {}, "weights": {}, "results": {"M0": {"mgsm": {"de": {"cut": "x"}}}}}'


def notes(run: RunDirectory) -> list[str]:
    write_page(run)
    found: list[str] = json.loads(run.report_json.read_text())["notes"]
    text = run.report_html.read_text()
    assert text.count('class="note"') == len(found) == run.report_md.read_text().count("\n> ")
    return found


def test_results_of_another_model_and_of_other_rows_are_said_to_be(rounds: Path, tmp_path: Path) -> None:
    run, model = RunDirectory(tmp_path / "run"), tmp_path / "new"
    outcome = Outcome(0, (pair("ja", 0, SAMPLES["ja"]),), ())
    built(run, [outcome], model="old")
    run.dataset("demo").parent.mkdir()
    run.dataset("demo").write_bytes(b"rows")
    trained(run, 4)
    state = json.loads(run.train_json.read_text())
    state["training"]["dataset_sha256"] = hashlib.sha256(b"rows").hexdigest()
    write_json(run.train_json, state)
    model.mkdir()
    (model / "model.safetensors").write_bytes(b"weights")
    results = json.loads((rounds / "iter1/eval/results.json").read_text())
    results["models"]["M1"] = str(model)
    write_json(run.eval_results, results)
    assert notes(run) == []
    text = run.report_html.read_text()
    assert f'<td class="long">{model}</td><td class="long">{results["weights"]["M1"]}</td>' in text, "whose they are"

    run.dataset("demo").write_bytes(b"other rows")
    built(run, [outcome], model="another/model")
    after = run.eval_results.stat().st_mtime + 5
    os.utime(model / "model.safetensors", (after, after))
    assert notes(run) == [
        "The rows were made anew after the training: its curves and its model belong to the rows before.",
        f"The rows are another/model's, which was not measured; the results are of M0 (old), M1 ({model}).",
        f"M1 ({model}) was written anew after it was measured.",
    ]


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("report.json", '{"prompts": "many"}', "prompts: Input should be a valid integer"),
        ("probe.json", "{}", "damaged at prompts: Field required"),
        ("train.json", '{"status": "done", "training": []}', "damaged at training: Input should be"),
        ("eval/results.json", "[1]", "results.json: damaged"),
        ("eval/results.json", RESULTS, "damaged at results.M0.mgsm.de.cut"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_named_with_the_place(tmp_path: Path, name: str, damage: str, said: str) -> None:
    run = RunDirectory(tmp_path)
    built(run, [Outcome(0, (pair("ja", 0, SAMPLES["ja"]),), ())])
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(damage)
    with pytest.raises(InputError) as caught:
        write_page(run)
    assert str(tmp_path / name) in caught.value.message
    assert said in caught.value.message
    assert not run.report_html.exists()


def test_a_folder_without_a_run_and_a_broken_file_are_refused(tmp_path: Path, lidr: Lidr) -> None:
    empty = lidr("report", tmp_path)
    assert empty.returncode == 2
    assert "no run of lidr there" in empty.stderr
    (tmp_path / "report.json").write_text("{")
    broken = lidr("report", tmp_path)
    assert broken.returncode == 2
    assert "report.json:1: not valid JSON" in broken.stderr
    assert not list(tmp_path.glob("report.[hm]*"))
