"""MGSM, language fidelity, intervals, and `lidr eval` as a whole."""

import json
from pathlib import Path

import pytest

from lidr_plugin.evaluation.benchmarks import fidelity, mgsm
from lidr_plugin.evaluation.intervals import Share
from lidr_plugin.text.language import LanguageGate
from tests.conftest import Lidr, prompts, rows_of, write_config, write_prompts
from tests.support.hub import FakeHub, serving
from tests.support.model import prose
from tests.support.server import FakeServer, running

GATE = LanguageGate(["en", "de", "es", "fr"])


def test_the_interval_is_wilsons() -> None:
    low, high = Share(8, 10).interval  # Brown, Cai and DasGupta 2001 give the formula; worked out by hand
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert Share(0, 250).interval == pytest.approx((0.0, 0.0151), abs=1e-4)
    assert Share(250, 250).interval == pytest.approx((0.9849, 1.0), abs=1e-4)
    assert Share(0, 0).interval == (0.0, 1.0)


@pytest.mark.parametrize(
    ("language", "answer", "expected", "right"),
    [
        ("en", "16 - 3 - 4 = 9\n9 * 2 = 18\nAnswer: 18", "18", True),
        ("en", "Answer: **18** dollars. Check: 16 - 3 - 4 = 9", "18", False),  # the last number of that line
        ("en", "Answer: 18\n\nI used 2 steps", "18", True),
        ("en", "The answer is 18.", "18", True),
        ("en", "Answer: eighteen, that is 18", "18", True),
        ("en", "no number at all", "18", False),
        ("de", "Antwort: 1.000", "1000", True),
        ("de", "Das sind 70.000 US-Dollar.", "70,000", True),
        ("fr", "Réponse : 1 000", "1000", True),
        ("bn", "উত্তর: ১৮", "18", True),
        ("th", "คำตอบ: ๑๘", "18", True),
        ("te", "సమాధానం: ౧౮", "18", True),
        ("zh", "答案：18。", "18", True),
        ("ja", "答え：１８", "18", True),
        ("sw", "Jibu: 18", "18", True),
        ("ru", "Ответ: 18,5", "18.5", True),
    ],
)
def test_the_answer_is_the_number_after_the_languages_word(
    language: str, answer: str, expected: str, right: bool
) -> None:
    assert mgsm.judge("0", answer, expected, language, GATE, cut=False).correct is right


def test_every_language_of_mgsm_is_asked_in_its_own_words() -> None:
    assert sorted(mgsm.LANGUAGES) == sorted("bn de en es fr ja ru sw te th zh".split())
    asked = {mgsm.question("2 + 2?", code) for code in mgsm.LANGUAGES}
    assert len(asked) == 11
    assert all(text.endswith("\n\n2 + 2?") for text in asked)


def test_a_right_number_in_the_wrong_language_counts_apart() -> None:
    items = [
        mgsm.judge("0", prose("de", 5, 30) + "\nAntwort: 7", "7", "de", GATE, cut=False),
        mgsm.judge("1", prose("en", 5, 30) + "\nAntwort: 7", "7", "de", GATE, cut=True),
        mgsm.judge("2", prose("de", 6, 30) + "\nAntwort: 8", "7", "de", GATE, cut=False),
    ]
    found = mgsm.score(items)
    assert [share.hits for share in found] == [2, 1, 1, 1]


def test_one_line_in_another_language_fails_the_line_level_only() -> None:
    pure = "\n".join(prose("de", seed, 30) for seed in range(6))
    mixed = pure + "\n" + prose("en", 3, 12)
    found = fidelity.measure([pure, mixed, prose("en", 1, 40), ""], "de", GATE, cut=1)
    assert found.response_level.hits == 2
    assert found.line_level.hits == 1
    assert found.cut == Share(1, 4)


def write_mgsm(folder: Path) -> None:
    (folder / "mgsm").mkdir()
    for code in ("en", "de", "es", "fr"):
        rows = [{"query": f"[{code}] How many boats are {i} and {i}?", "response": str(2 * i)} for i in range(6)]
        (folder / f"mgsm/{code}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_eval_measures_resumes_and_exports(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(5))
    write_mgsm(tmp_path)
    wanted = {"models": {"first": "fake"}, "mgsm": "mgsm/{language}.jsonl", "prompts": "prompts/{language}.jsonl"}
    server = FakeServer()
    with running(server) as url:
        config = write_config(tmp_path, engine__base_url=url, eval=wanted)
        done = lidr("eval", config)
        assert done.returncode == 0, done.stderr
        assert len(server.asked) == 4 * (5 + 6)
        again = lidr("eval", config)
        assert again.stdout == done.stdout
        assert len(server.asked) == 4 * (5 + 6), "nothing is asked twice"
    folder = tmp_path / "run/eval"
    results = json.loads((folder / "results.json").read_text())["results"]["first"]
    assert set(results["mgsm"]) == {"en", "de", "es", "fr"}
    items = rows_of(folder / "first.mgsm.de.jsonl")
    assert len(items) == results["mgsm"]["de"]["accuracy"]["total"] == 6
    assert sum(item["correct"] for item in items) == results["mgsm"]["de"]["accuracy"]["hits"]
    exported = json.loads((folder / "first.alpaca_eval.fr.json").read_text())
    assert [set(row) for row in exported] == [{"instruction", "output", "generator"}] * 5
    assert {row["generator"] for row in exported} == {"first"}
    assert exported[0]["instruction"] == "[fr] Tell me about boat number 0."


def test_eval_says_what_is_missing_before_anything_is_asked(tmp_path: Path, lidr: Lidr) -> None:
    nothing = lidr("eval", write_config(tmp_path))
    assert nothing.returncode == 2
    assert "eval.mgsm" in nothing.stderr
    absent = lidr("eval", write_config(tmp_path, eval={"mgsm": "mgsm/{language}.jsonl"}))
    assert absent.returncode == 2
    assert "mgsm/de.jsonl: no such file" in absent.stderr
    without = lidr("eval", write_config(tmp_path, eval={"mgsm": "mgsm.jsonl"}))
    assert "needs {language}" in without.stderr
    assert not (tmp_path / "run").exists()


def test_eval_names_the_model_that_is_not_there(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(2))
    wanted = {"prompts": "prompts/{language}.jsonl", "models": {"M0": "fake", "M7": "not/there/model"}}
    config = write_config(tmp_path, engine={"backend": "vllm"}, eval=wanted)
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake/config.json").write_text("{}")
    done = lidr("eval", config, f"eval.models.M0={tmp_path / 'fake'}")
    assert done.returncode == 2
    assert "eval.models: M7: not/there/model: no such directory" in done.stderr
    assert not (tmp_path / "run").exists()


def test_mgsm_comes_from_the_hub_once(tmp_path: Path, command: Lidr) -> None:
    tables = {
        f"datasets/juletxara/mgsm/mgsm_{code}.tsv": f'[{code}] He said "two". And two?\t4\n[{code}] And 500 more?\t1,000\n'
        for code in ("en", "de")
    }
    home = {"LIDR_HOME": str(tmp_path / "home"), "HF_HOME": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "0"}
    with running(FakeServer()) as url, serving(FakeHub(tables)) as hub:
        config = write_config(
            tmp_path,
            languages=["de"],
            engine__base_url=url,
            eval={"models": {"M0": "fake"}, "mgsm": "hub:juletxara/mgsm"},
        )
        done = command("eval", config, env={**home, "HF_ENDPOINT": hub})
        assert done.returncode == 0, done.stderr
        again = command("eval", config, env={**home, "HF_ENDPOINT": "http://127.0.0.1:9"})
        assert again.stdout == done.stdout
        other = command("eval", config, 'languages=["fr"]', env={**home, "HF_ENDPOINT": "http://127.0.0.1:9"})
    assert [item["expected"] for item in rows_of(tmp_path / "run/eval/M0.mgsm.de.jsonl")] == ["4", "1,000"]
    assert other.returncode == 2
    assert "mgsm_fr.tsv could not be loaded" in other.stderr
    assert "eval.mgsm=mgsm/{language}.jsonl" in other.stderr


def test_answers_that_others_gave_are_measured_beside_the_models(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(4))
    (tmp_path / "theirs").mkdir()
    for code in ("en", "de", "es", "fr"):
        told = "en" if code == "fr" else code
        rows = [
            {"instruction": f"[{code}] Tell me about boat number {n}.", "output": prose(told, n, 30)} for n in range(4)
        ]
        (tmp_path / f"theirs/{code}.json").write_text(json.dumps(rows))
    wanted = {
        "models": {"M0": "fake"},
        "outputs": {"theirs": "theirs/{language}.json"},
        "prompts": "prompts/{language}.jsonl",
    }
    with running(FakeServer()) as url:
        config = write_config(tmp_path, engine__base_url=url, eval=wanted)
        done = lidr("eval", config)
        assert done.returncode == 0, done.stderr
        (tmp_path / "theirs/de.json").write_text("[]")
        lacking = lidr("eval", config)
        none = lidr("eval", config, "eval.outputs.theirs=other/{language}.json")
    results = json.loads((tmp_path / "run/eval/results.json").read_text())["results"]
    assert {code: x["response_level"]["hits"] for code, x in results["theirs"]["prompts"].items()} == {
        **dict.fromkeys(("en", "de", "es"), 4),
        "fr": 0,
    }
    assert lacking.returncode == none.returncode == 2
    assert "4 prompts have no output, the first is 0 [de]" in lacking.stderr
    assert "other/en.json: no JSON list" in none.stderr
