"""MGSM, language fidelity, intervals, and `lidr eval` as a whole."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

import lidr_plugin
from lidr_plugin import Question
from lidr_plugin.config.columns import Columns
from lidr_plugin.config.file import load
from lidr_plugin.errors import InputError
from lidr_plugin.evaluation.benchmarks import mgsm
from lidr_plugin.evaluation.benchmarks.base import MarkedAnswer, Marks
from lidr_plugin.evaluation.benchmarks.mgsm import Mgsm
from lidr_plugin.evaluation.benchmarks.prompts import Prompts
from lidr_plugin.evaluation.evaluate import evaluate
from lidr_plugin.evaluation.intervals import Mean, Share, summary
from lidr_plugin.evaluation.results import read_results
from lidr_plugin.methods.base import Text
from lidr_plugin.text.language import Identification
from tests.conftest import Lidr, prompts, rows_of, write_config, write_prompts
from tests.support.command import shown
from tests.support.evaluation import TIGRINYA, write_mgsm
from tests.support.hub import FakeHub, serving
from tests.support.model import prose
from tests.support.server import FakeServer, running

IDENTIFICATION = Identification(["en", "de", "es", "fr"])
MGSM = Mgsm("", None, IDENTIFICATION)
PROMPTS = Prompts("", Columns(), None, IDENTIFICATION)


def test_the_interval_is_wilsons() -> None:
    low, high = Share(8, 10).interval  # Brown, Cai and DasGupta 2001 give the formula; worked out by hand
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert Share(0, 250).interval == pytest.approx((0.0, 0.0151), abs=1e-4)
    assert Share(250, 250).interval == pytest.approx((0.9849, 1.0), abs=1e-4)
    assert Share(0, 0).interval == (0.0, 1.0)


def test_marks_come_to_a_share_a_mean_or_a_mean_with_its_interval() -> None:
    assert summary([True, False, True]) == Share(2, 3)
    assert summary([1, 2]) == 1.5
    assert summary([0.0, 1.0]) == pytest.approx(Mean(0.5, 1.959964 * 0.5), abs=1e-9)


@pytest.mark.parametrize(
    ("language", "answer", "expected", "right"),
    [
        ("en", "16 - 3 - 4 = 9\n9 * 2 = 18\nAnswer: 18", "18", True),
        ("en", "Answer: **18** dollars. Check: 16 - 3 - 4 = 9", "18", True),  # what is checked after it is no answer
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
    assert MGSM.marks(Question("0", language, "", expected), Text(answer))["accuracy"] is right


def test_every_language_of_mgsm_is_asked_in_its_own_words() -> None:
    assert sorted(mgsm.LANGUAGES) == sorted("bn de en es fr ja ru sw te th zh".split())
    asked = {mgsm.turn("2 + 2?", code) for code in mgsm.LANGUAGES}
    assert len(asked) == 11
    assert all(text.endswith("\n\n2 + 2?") for text in asked)
    assert mgsm.turn("{a}", "sw").startswith("Tatua swali hili. ")
    assert mgsm.turn("{a}", "sw").endswith("\nJibu: 42\n\n{a}"), "braces in a question stay as they are"


def test_a_right_number_in_the_wrong_language_counts_apart() -> None:
    question = Question("0", "de", "", "7")
    answers = [
        Text(prose("de", 5, 30) + "\nAntwort: 7"),
        Text(prose("en", 5, 30) + "\nAntwort: 7", cut=True),
        Text(prose("de", 6, 30) + "\nAntwort: 8"),
    ]
    found = [MGSM.marks(question, answer) for answer in answers]
    hits = {name: summary([marks[name] for marks in found]) for name in found[0]}
    assert hits == {
        "accuracy": Share(2, 3),
        "accuracy_in_language": Share(1, 3),
        "off_target": Share(1, 3),
        "cut": Share(1, 3),
    }


def test_one_line_in_another_language_fails_the_line_level_only() -> None:
    pure = "\n".join(prose("de", seed, 30) for seed in range(6))
    mixed = pure + "\n" + prose("en", 3, 12)
    answers = [Text(pure, cut=True), Text(mixed), Text(prose("en", 1, 40)), Text("")]
    found = [PROMPTS.marks(Question("0", "de", ""), answer) for answer in answers]
    assert [marks["response_level"] for marks in found] == [True, True, False, False]
    assert [marks["line_level"] for marks in found] == [True, False, False, False]
    assert [marks["cut"] for marks in found] == [True, False, False, False]
    assert [marks["characters"] for marks in found] == [len(pure), len(mixed), len(answers[2].text), 0]


def test_where_a_language_cannot_be_identified_its_marks_are_left_out() -> None:
    three = Identification(["en", "de", "ti"])
    assert three.notes == (
        "Tigrinya (ti) cannot be identified: whether answers are in the right language is not measured",
    )
    assert three.off_target(prose("en", 1, 30), "de") is True
    assert three.off_target(TIGRINYA, "ti") is None
    assert Identification(["en", "de"]).notes == ()
    question = Question("0", "en", "", "7")
    assert set(Mgsm("", None, Identification(["ti"])).marks(question, Text("Answer: 7"))) == {"accuracy", "cut"}


def test_eval_measures_resumes_and_exports(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(5))
    write_mgsm(tmp_path)
    wanted = {"models": {"first": "fake"}, "mgsm": "mgsm/{language}.jsonl", "prompts": "prompts/{language}.jsonl"}
    server = FakeServer()
    with running(server) as url:
        config = write_config(tmp_path, engine__base_url=url, eval=wanted)
        done = shown("eval", config)
        assert len(server.asked) == 4 * (5 + 6)
        assert shown("eval", config) == done
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
    heads = ["accuracy", "off target", "cut", "repetition", "4-grams", "characters"]
    assert [head for head in heads if head not in done] == []


class Greetings:
    """A benchmark of one's own: a greeting in each language; how long is the answer, and does it repeat the word?"""

    name = "greetings"
    heads: Mapping[str, str] = {"polite": "polite"}

    def questions(self, languages: Sequence[str]) -> Sequence[Question]:
        return [
            Question(str(n), code, f"[{code}] Greet boat number {n}.", "boat") for n in range(2) for code in languages
        ]

    def marks(self, question: Question, answer: Text) -> Marks:
        return {"polite": question.expected in answer.text, "words": len(answer.text.split()), "half": 0.5}

    def export(self, folder: Path, label: str, language: str, answers: Sequence[MarkedAnswer]) -> None:
        (folder / f"{label}.{language}.txt").parent.mkdir(exist_ok=True)
        (folder / f"{label}.{language}.txt").write_text("\n".join(answer.text.text for answer in answers))


def test_a_benchmark_of_ones_own_is_a_plain_object(tmp_path: Path) -> None:
    server = FakeServer()
    server.script = lambda body: {"message": {"content": "Good day, boat" if "[en]" in str(body) else "Guten Tag"}}
    with running(server) as url:
        config = load(
            write_config(tmp_path, languages=["de"], engine__base_url=url, eval={"models": {"M0": "fake"}}), []
        )
        found = lidr_plugin.evaluate(config, benchmarks=[Greetings()])
    assert found.results["M0"] == {
        "greetings": {
            "en": {"polite": Share(2, 2), "words": 3.0, "half": Mean(0.5, 0.0)},
            "de": {"polite": Share(0, 2), "words": 2.0, "half": Mean(0.5, 0.0)},
        }
    }
    assert (tmp_path / "run/eval/M0.de.txt").read_text() == "Guten Tag\nGuten Tag"
    assert read_results(tmp_path / "run/eval/results.json") == found


def refused(tmp_path: Path, config: Path, *overrides: str) -> str:
    """Why `lidr eval` does not begin."""
    with pytest.raises(InputError) as caught:
        evaluate(load(config, overrides))
    assert caught.value.exit_status == 2
    assert not (tmp_path / "run").exists()
    return f"{caught.value.message}\n{caught.value.hint}"


def test_eval_says_what_is_missing_before_anything_is_asked(tmp_path: Path) -> None:
    assert "eval.mgsm" in refused(tmp_path, write_config(tmp_path))
    absent = write_config(tmp_path, eval={"mgsm": "mgsm/{language}.jsonl"})
    assert "mgsm/de.jsonl: no such file" in refused(tmp_path, absent)
    assert "needs {language}" in refused(tmp_path, absent, "eval.mgsm=mgsm.jsonl")
    none = refused(tmp_path, absent, "dominant_language=pt", 'languages=["it"]')
    assert "nothing to measure" in none, "MGSM has neither language"
    write_mgsm(tmp_path)
    (tmp_path / "mgsm/en.jsonl").write_text('{"query": "And two?"}\n' * 6)
    assert "mgsm/en.jsonl: question 0, counted from 0, has no response" in refused(tmp_path, absent, 'languages=["de"]')


def test_eval_names_the_model_that_is_not_there(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(2))
    wanted = {"prompts": "prompts/{language}.jsonl", "models": {"M0": "fake", "M7": "not/there/model"}}
    config = write_config(tmp_path, engine={"backend": "vllm"}, eval=wanted)
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake/config.json").write_text("{}")
    here = f"eval.models.M0={tmp_path / 'fake'}"
    assert "eval.models: M7: not/there/model: no such directory" in refused(tmp_path, config, here)


def test_a_judge_that_is_not_there_is_named_before_anything_is_asked(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(2))
    server = FakeServer()
    with running(server) as url:
        judge = {"backend": "vllm", "model": str(tmp_path / "judge")}
        wanted = {"prompts": "prompts/{language}.jsonl", "models": {"M0": "fake"}, "judge": judge}
        assert "eval.judge: " in refused(tmp_path, write_config(tmp_path, engine__base_url=url, eval=wanted))
    assert not server.asked


def test_mgsm_comes_from_the_hub_once(tmp_path: Path, command: Lidr) -> None:
    tables = {
        f"datasets/juletxara/mgsm/mgsm_{code}.tsv": f'[{code}] He said "two". And two?\t4\n[{code}] And 500 more?\t1,000\n'
        for code in ("en", "de")
    }
    # In children, for huggingface_hub reads its variables once.
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


def test_held_out_prompts_come_from_the_hub_with_columns_of_their_own(tmp_path: Path, command: Lidr) -> None:
    rows = "".join(
        json.dumps({"question_id": f"q{n}", "prompt": f"Tell me about boat number {n}."}) + "\n" for n in (1, 2)
    )
    hub = FakeHub({"datasets/ns/arena/en/test.jsonl": rows, "datasets/ns/arena/de/test.jsonl": rows})
    wanted = {
        "prompts": "hub:ns/arena/{language}/test.jsonl",
        "columns": {"id": "question_id", "instruction": "prompt"},
    }
    with running(FakeServer()) as url, serving(hub) as address:
        config = write_config(
            tmp_path, languages=["de"], engine__base_url=url, eval={"models": {"M0": "fake"}, **wanted}
        )
        env = {"HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "hf")}
        done = command("eval", config, env=env)
        assert done.returncode == 0, done.stderr
        asked = len(hub.asked)
        assert command("eval", config, env={**env, "HF_HUB_OFFLINE": "1"}).returncode == 0
        assert len(hub.asked) == asked
        absent = command("eval", config, "eval.prompts=hub:ns/arena/{language}/other.jsonl", env=env)
    assert absent.returncode == 2
    assert "eval.prompts: ns/arena: en/other.jsonl" in absent.stderr
    assert [x["instruction"] for x in json.loads((tmp_path / "run/eval/M0.alpaca_eval.de.json").read_text())] == [
        "Tell me about boat number 1.",
        "Tell me about boat number 2.",
    ]


@pytest.mark.parametrize("path", ["hub:ns/arena", "hub:ns/{language}", "hub:ns/arena/test.jsonl"])
def test_a_file_of_the_hub_is_named_with_owner_name_and_language(path: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"hub:OWNER/NAME/FILE|needs {language}"):
        load(write_config(tmp_path, eval={"prompts": path}), [])


def test_answers_that_others_gave_are_measured_beside_the_models(tmp_path: Path) -> None:
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
        evaluate(load(config, []))
        found = read_results(tmp_path / "run/eval/results.json").results["theirs"]["prompts"]
        hits = {code: found[code]["response_level"] for code in found}
        assert hits == {**dict.fromkeys(("en", "de", "es"), Share(4, 4)), "fr": Share(0, 4)}
        (tmp_path / "theirs/de.json").write_text("[]")
        with pytest.raises(InputError, match=r"4 prompts have no output, the first is 0 \[de\]"):
            evaluate(load(config, []))
        with pytest.raises(InputError, match=r"other/en.json: no such file"):
            evaluate(load(config, ["eval.outputs.theirs=other/{language}.json"]))


def test_a_language_that_cannot_be_identified_is_measured_as_far_as_it_can_be(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(4, ("en", "de", "ti")))
    server = FakeServer()
    server.script = lambda body: {"message": {"content": TIGRINYA if "[ti]" in str(body) else prose("de", 1, 30)}}
    with running(server) as url:
        wanted = {"models": {"M0": "fake"}, "prompts": "prompts/{language}.jsonl"}
        config = write_config(
            tmp_path, languages=["de", "ti"], filters__off_target=False, engine__base_url=url, eval=wanted
        )
        done = shown("eval", config)
    assert "Tigrinya (ti) cannot be identified" in done
    found = read_results(tmp_path / "run/eval/results.json")
    assert found.notes[0].startswith("Tigrinya (ti) cannot be identified")
    marks = found.results["M0"]["prompts"]
    assert marks["en"]["response_level"] == Share(0, 4)
    assert marks["de"]["response_level"] == Share(4, 4)
    assert set(marks["ti"]) == {"word_level", "degenerate", "cut", "repeated", "characters"}
    assert marks["ti"]["cut"] == Share(0, 4)
