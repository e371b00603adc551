"""The lm-evaluation-harness: its tasks by language, a real run, and its scorer against ours on the same outputs."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from lidr_plugin.config.file import load
from lidr_plugin.errors import InputError, RunError
from lidr_plugin.evaluation import lm_eval
from lidr_plugin.evaluation.evaluate import evaluate
from lidr_plugin.evaluation.intervals import Estimate, Share
from lidr_plugin.evaluation.lm_eval import Harness
from tests.conftest import Lidr, rows_of, write_config
from tests.support.child import killed, started, until
from tests.support.command import shown
from tests.support.server import FakeServer, running


def test_a_family_is_run_in_the_languages_that_it_has() -> None:
    found = lm_eval.tasks_of(
        ["m_mmlu", "arc", "truthfulqa", "belebele", "mgsm", "xnli_{language}", "wikitext"], ["en", "de", "ja"]
    )
    assert found.names == [
        *("m_mmlu_en", "m_mmlu_de", "arc_challenge", "arc_de", "truthfulqa_mc1", "truthfulqa_de_mc1"),
        *(
            "belebele_eng_Latn",
            "belebele_deu_Latn",
            "belebele_jpn_Jpan",
            "lidr_mgsm_en",
            "lidr_mgsm_de",
            "lidr_mgsm_ja",
        ),
        *("xnli_en", "xnli_de", "xnli_ja", "wikitext"),
    ]
    assert found.skipped == [f"{name}: not in Japanese" for name in ("m_mmlu", "arc", "truthfulqa")]


def test_the_families_tasks_are_those_of_the_real_harness(eval_python: Path) -> None:
    (package,) = eval_python.parents[1].glob("lib/python3*/site-packages/lm_eval/tasks")
    there = {path.stem for path in package.rglob("*.yaml")}
    assert set(lm_eval.FAMILIES) == {"m_mmlu", "arc", "hellaswag", "truthfulqa", "belebele"}
    codes = sorted({code for family in lm_eval.FAMILIES.values() for code in family})
    wanted = lm_eval.tasks_of(list(lm_eval.FAMILIES), codes).names
    assert len(wanted) > 150
    assert [name for name in wanted if name not in there] == []


class Case(NamedTuple):
    """An answer, what is right, and who says that it is; where the two differ, why."""

    answer: str
    expected: str
    ours: bool
    theirs: bool
    why: str = ""


CASES = [
    Case("16 - 7 = 9\n9 * 2 = 18\nAnswer: 18", "18", ours=True, theirs=True),
    Case("Answer: 18.", "18", ours=True, theirs=True),
    Case("The answer is 18.", "18", ours=True, theirs=True),
    Case("Answer: $18", "18", ours=True, theirs=True),
    Case("Answer: **18** dollars", "18", ours=True, theirs=True),
    Case("Answer: 5", "5", ours=True, theirs=True),
    Case("Answer: -3", "-3", ours=True, theirs=True),
    Case("Answer: 3", "-3", ours=False, theirs=True, why="punctuation is taken away, the sign too"),
    Case("Answer: 70,000", "70000", ours=True, theirs=True),
    Case("Antwort: 1.000", "1000", ours=True, theirs=True),
    Case("First 12, then 30", "12", ours=False, theirs=False),
    Case("I cannot say.", "7", ours=False, theirs=False),
    Case("Answer: 18\n\nI took 2 steps.", "18", ours=True, theirs=False, why="a number after the answer's line"),
    Case("Answer: 18.0", "18", ours=True, theirs=False, why="numbers are compared as text: 18.0 becomes 180"),
    Case("Answer: 18.5", "185", ours=False, theirs=True, why="numbers are compared as text: 18.5 becomes 185"),
    Case("Answer: 1 000", "1000", ours=True, theirs=False, why="a space between thousands"),
    Case("Answer: ১৮", "18", ours=True, theirs=False, why="native digits"),
    Case("The answer is 18. (See steps 1 to 3.)", "18", ours=True, theirs=False, why="a remark in parentheses"),
    Case("The answer is 18, not 17.", "18", ours=True, theirs=False, why="what is denied"),
    Case("Answer: 18 cm^2", "18", ours=True, theirs=False, why="a unit with an exponent"),
    Case("Answer: 1.5 million", "1500000", ours=True, theirs=False, why="a word of scale"),
    Case("Answer: 18 ...", "18", ours=True, theirs=False, why="points alone match its pattern"),
]


def answers(body: dict[str, Any]) -> dict[str, Any]:
    number = int(str(body["messages"]).partition("case number ")[2].partition("?")[0])
    return {"message": {"role": "assistant", "content": CASES[number].answer}}


def write_case(folder: Path, url: str) -> Path:
    (folder / "mgsm").mkdir()
    for code in ("en", "de"):
        rows = [{"query": f"What is case number {n}?", "response": x.expected} for n, x in enumerate(CASES)]
        (folder / f"mgsm/{code}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tasks = {
        "tasks": ["mgsm", "arc"],
        "model": "local-chat-completions",
        "model_args": {"base_url": f"{url}/chat/completions", "max_retries": 1},
        "args": {"apply_chat_template": True},
    }
    return write_config(
        folder,
        languages=["de"],
        engine__base_url=url,
        eval={"models": {"M0": "fake"}, "mgsm": "mgsm/{language}.jsonl", "lm_eval": {**tasks, "tasks": ["mgsm"]}},
    )


@pytest.mark.eval
def test_our_scorer_agrees_with_flexible_extract_but_for_what_is_listed(tmp_path: Path, eval_python: Path) -> None:
    server = FakeServer()
    server.script = answers
    with running(server) as url:
        config = write_case(tmp_path, url)
        done = shown("eval", config)
        asked = len(server.asked)
        assert shown("eval", config) == done
        assert len(server.asked) == asked, "neither is repeated"
    folder = tmp_path / "run/eval"
    for code in ("en", "de"):
        ours = [item["correct"] for item in rows_of(folder / f"M0.mgsm.{code}.jsonl")]
        (path,) = (folder / "lm_eval/M0").rglob(f"samples_lidr_mgsm_{code}_*.jsonl")
        samples = sorted(rows_of(path), key=lambda row: row["doc_id"])
        assert [sample["resps"][0][0] for sample in samples] == [x.answer for x in CASES], "the same outputs"
        theirs = [sample["exact_match"] == 1.0 for sample in samples]
        wanted = [x._replace(answer=x.answer.replace("Answer", "Antwort")) for x in CASES] if code == "de" else CASES
        assert theirs == [x.theirs for x in wanted]
        if code == "en":  # in German the word before the answer is another
            assert ours == [x.ours for x in CASES]
            assert [x.answer for x, a, b in zip(CASES, ours, theirs, strict=True) if a != b] == [
                x.answer for x in CASES if x.why
            ]
    found = json.loads((folder / "results.json").read_text())["results"]["M0"]["lm_eval"]
    value = found["lidr_mgsm_en"]["exact_match (flexible-extract)"]["value"]
    assert value == pytest.approx(sum(x.theirs for x in CASES) / len(CASES))
    assert "lidr_mgsm_en" in done


def test_what_the_harness_needs_is_said_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*overrides: str) -> str:
        with pytest.raises(InputError) as caught:
            evaluate(load(config, overrides))
        assert caught.value.exit_status == 2
        assert not (tmp_path / "run").exists()
        return f"{caught.value.message}\n{caught.value.hint}"

    monkeypatch.setenv("LIDR_HOME", str(tmp_path))
    config = write_config(tmp_path, languages=["de"], eval={"lm_eval": {"tasks": ["mgsm"], "python": "/none"}})
    assert "mgsm needs eval.mgsm" in refused()
    none = refused('eval.lm_eval.tasks=["arc"]', 'languages=["ja"]', "dominant_language=sw")
    assert "arc: not in Swahili; arc: not in Japanese" in none
    assert "own: no such folder" in refused('eval.lm_eval.tasks=["wikitext"]', "eval.lm_eval.include_path=own")
    absent = refused('eval.lm_eval.tasks=["wikitext"]', "eval.lm_eval.python=null")
    assert "lidr env create eval" in absent


def test_a_damaged_file_of_what_was_run_before_is_named(tmp_path: Path) -> None:
    config = load(write_config(tmp_path, eval={"lm_eval": {"tasks": ["wikitext"], "python": "/none"}}), [])
    (tmp_path / "M0.json").write_text('{"settings": {}, "results": 5}')
    with pytest.raises(InputError, match=r"M0.json: damaged at results: .*") as caught:
        Harness(config, tmp_path).run("M0", "fake", "fake")
    assert "remove it" in caught.value.hint


@pytest.mark.eval
@pytest.mark.train
def test_a_model_on_disk_is_measured_on_tasks_of_ones_own(tmp_path: Path, eval_python: Path, tiny: Path) -> None:
    rows = [{"question": f"{n} + 1 =", "right": n % 2} for n in range(8)]
    (tmp_path / "own").mkdir()
    (tmp_path / "own/data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = {
        "task": "own_choice_de",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(tmp_path / "own/data.jsonl")}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "doc_to_choice": ["one", "two"],
        "doc_to_target": "{{right}}",
        "metric_list": [{"metric": "acc"}],
    }
    (tmp_path / "own/own_choice_de.yaml").write_text(yaml.safe_dump(task))
    wanted = {
        "tasks": ["own_choice_{language}"],
        "include_path": "own",
        "model_args": {"dtype": "float32"},
        "args": {"device": "cpu", "batch_size": 4},
    }
    changes = {"dominant_language": "de", "languages": ["en"]}
    config = write_config(
        tmp_path, eval={"models": {"M0": str(tiny), "again": str(tiny)}, "lm_eval": wanted}, **changes
    )
    measured = evaluate(load(config, ['eval.lm_eval.tasks=["own_choice_de"]']))
    found = measured.results
    assert found["M0"] == found["again"]
    accuracy = found["M0"]["lm_eval"]["own_choice_de"]["acc"]
    assert isinstance(accuracy, Estimate)
    assert accuracy.value in {n / 8 for n in range(9)}
    assert accuracy.total == 8
    change = measured.changes["again"]["lm_eval"]["own_choice_de"]["acc"]
    assert (change.before, change.gained, change.lost) == (Share(round(8 * accuracy.value), 8), 0, 0), "by its samples"
    with pytest.raises(RunError, match="own_choice_en"):
        evaluate(load(config, []))


@pytest.mark.eval
def test_a_killed_harness_goes_on_where_it_was(tmp_path: Path, lidr: Lidr, eval_python: Path) -> None:
    server = FakeServer(delay=0.1)
    server.script = answers
    asked = lambda: sum("stop" in body for body in server.asked)  # noqa: E731 (the harness's requests, not lidr's)
    with running(server) as url:
        config = write_case(tmp_path, url)
        child = started(tmp_path, "eval", config)
        until(lambda: asked() >= 10, child)
        killed(child)
        done = lidr("eval", config)
        assert done.returncode == 0, done.stderr
    assert asked() <= 2 * len(CASES) + 2, "what was answered is not asked again"
