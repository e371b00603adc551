"""Skills of the user's own: questions with final answers, in every language that has a file."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import lidr_plugin
from lidr_plugin.config.file import load
from lidr_plugin.errors import InputError
from lidr_plugin.evaluation.benchmarks.skills import is_right
from lidr_plugin.evaluation.changes import Change
from lidr_plugin.evaluation.intervals import Share
from lidr_plugin.evaluation.results import read_results
from tests.conftest import Lidr, rows_of, write_config
from tests.support.server import FakeServer, running

SORT = {"instruction": "Sort: pear, apple, fig.", "final_answer": "apple, fig, pear"}
ADD = {"instruction": "What is 700 + 300?", "final_answer": "1000"}


def write_skill(folder: Path, name: str, questions: Mapping[str, Sequence[Mapping[str, str]]]) -> None:
    (folder / name).mkdir()
    for code, rows in questions.items():
        lines = [json.dumps({"id": str(n), **row}) for n, row in enumerate(rows)]
        (folder / name / f"{code}.jsonl").write_text("\n".join(lines) + "\n")


def sorts_only_at_first(body: dict[str, Any]) -> dict[str, Any]:
    """The model `old` sorts and adds, `new` has forgotten how to sort."""
    text = str(body["messages"])
    answer = "The sum is 1000." if "700" in text else "Sorted: apple, fig, pear."
    return {"message": {"content": "pear, apple, fig" if "Sort" in text and body["model"] == "new" else answer}}


def test_each_skill_is_measured_by_language_and_what_became_of_it_is_told(tmp_path: Path, lidr: Lidr) -> None:
    write_skill(tmp_path, "sort", {"en": [SORT] * 8, "de": [SORT] * 8})
    write_skill(tmp_path, "add", {"en": [ADD] * 3})
    server = FakeServer(served=["old", "new"])
    server.script = sorts_only_at_first
    with running(server) as url:
        wanted = {
            "models": {"M0": "old", "M1": "new"},
            "skills": {"sort": "sort/{language}.jsonl", "add": "add/{language}.jsonl"},
        }
        config = write_config(tmp_path, languages=["de"], engine__base_url=url, eval=wanted)
        done = lidr("eval", config)
    assert done.returncode == 0, done.stderr
    assert "sort" in done.stdout
    assert [line.split()[:2] for line in done.stdout.splitlines()][4:9] == [
        *(["sort:", "percent,"], ["model", "accuracy"], ["en", "M0"], ["de", "M0"], ["en", "M1"]),
    ]
    found = read_results(tmp_path / "run/eval/results.json")
    accuracy = {
        (label, skill, code): marks["accuracy"]
        for label, of in found.results.items()
        for skill, languages in of.items()
        for code, marks in languages.items()
    }
    assert accuracy == {
        **{("M0", "sort", code): Share(8, 8) for code in ("en", "de")},
        **{("M1", "sort", code): Share(0, 8) for code in ("en", "de")},
        **{(label, "add", "en"): Share(3, 3) for label in ("M0", "M1")},
    }
    assert set(found.changes) == {"M1"}
    assert found.changes["M1"]["sort"]["de"]["accuracy"] == Change(Share(8, 8), Share(0, 8), gained=0, lost=8)
    (row, *_) = rows_of(tmp_path / "run/eval/M1.sort.en.jsonl")
    assert (row["answer"], row["expected"], row["accuracy"]) == ("pear, apple, fig", "apple, fig, pear", False)
    lidr_plugin.report(tmp_path / "run")
    assert "sort" in (tmp_path / "run/report.html").read_text()


@pytest.mark.parametrize(
    ("answer", "expected", "right"),
    [
        ("The order is: Apple,  fig, pear.", "apple, fig, pear", True),
        ("apple, fig, pear", "apple, fig, pear", True),
        ("apple, fig, pear and so on", "apple, fig, pear", False),
        ("pineapple, fig, pear", "apple, fig, pear", False),
        ("That makes 1,000.0.", "1000", True),
        ("That makes 100.", "1000", False),
        ("The numbers are: 4, 17, 9.", "4, 17, 9", True),
        ("The numbers are: 17, 4, 9.", "4, 17, 9", False),
        ("**Ja!**", "ja", True),
        ("Naja", "ja", False),
        ("", "ja", False),
    ],
)
def test_an_answer_is_right_by_its_number_or_its_last_words(answer: str, expected: str, right: bool) -> None:
    assert is_right(answer, expected) is right


@pytest.mark.parametrize(
    ("skills", "says"),
    [
        ({"sort": "sort.jsonl"}, "sort: needs {language}"),
        ({"mgsm": "x/{language}.jsonl"}, "mgsm: is a name of lidr's own"),
        ({"../up": "x/{language}.jsonl"}, "letters, digits, - and _ alone"),
        ({"none": "none/{language}.jsonl"}, "eval.skills.none: "),
        ({"bare": "bare/{language}.jsonl"}, "question '0' has no final answer"),
    ],
)
def test_what_is_wrong_with_a_skill_is_said_before_anything_is_asked(
    skills: dict[str, str], says: str, tmp_path: Path
) -> None:
    write_skill(tmp_path, "bare", {"en": [{"instruction": "Sort."}]})
    with pytest.raises(InputError) as caught:
        lidr_plugin.evaluate(load(write_config(tmp_path, eval={"models": {"M0": "fake"}, "skills": skills}), []))
    assert says in caught.value.message
    assert not (tmp_path / "run").exists()
