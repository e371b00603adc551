"""Other ways to ask the model that is there, and what `lidr eval` makes of them."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lidr_plugin
from lidr_plugin.completions.requests import Chat, Completion
from lidr_plugin.completions.steps import Course
from lidr_plugin.evaluation.baselines import baselines_of
from lidr_plugin.evaluation.baselines.base import Reached
from lidr_plugin.evaluation.baselines.vote import voted
from lidr_plugin.evaluation.benchmarks.base import Question
from lidr_plugin.evaluation.intervals import Share
from lidr_plugin.methods.base import Ask, Text
from tests.conftest import Lidr, prompts, rows_of, write_config, write_prompts
from tests.support.evaluation import write_mgsm
from tests.support.scripted import config_of
from tests.support.server import FakeServer, running

APPLES = Question("7", "de", "Löse: Tom hat 3 Äpfel.", "12", "Tom hat 3 Äpfel.")
GREETING = Question("8", "de", "Grüß mich.")


def taken(name: str, question: Question, reply: Callable[[Chat], str]) -> tuple[Reached, list[Chat]]:
    """What a baseline comes to, and what it asked."""
    config = config_of(languages=["de", "fr", "es"], eval={"baselines": [name]}, filters={"fidelity": False})
    course = Course(baselines_of(config)[name].steps(question, Ask({"policy": "m", "translator": "m"})))
    asked = []
    while course.wanted:
        wanted, course.wanted = course.wanted, []
        for branch, request in wanted:
            assert isinstance(request, Chat)
            asked.append(request)
            course.answer(branch, Completion(reply(request), "stop", 1, 1, bool(request.prefill)))
    return course.result, asked


def words(request: Chat) -> str:
    return request.messages[-1].content


def test_votes_are_even_and_that_of_the_dominant_language_wins() -> None:
    """The worked example of the method: de 12, en 7, fr 12, es 7."""
    said = {"en": "7", "de": "12", "fr": "12", "es": "7"}
    answers = [Reached(Text(f"So it is {number}."), code) for code, number in said.items()]
    assert voted(answers) == answers[0]
    assert voted([*answers[:3], Reached(Text("Nada."), "es")]) == answers[1]
    cut = [answers[0]._replace(text=answers[0].text._replace(cut=True)), *answers[1:]]
    assert voted(cut) == answers[1], "an answer that did not end is no vote"
    none = [Reached(Text("I do not know."), "en"), Reached(Text("Ich auch nicht."), "de")]
    assert voted(none) == none[0]


def test_a_vote_asks_the_question_as_it_is_once_in_each_language() -> None:
    found, asked = taken("vote", APPLES, lambda request: "12" if "German" in words(request) else "It is 7.")
    languages = [re.findall(r"in (\w+), and", words(request)) for request in asked]
    assert languages == [["English"], ["German"], ["French"], ["Spanish"]]
    assert all(words(request).startswith("Tom hat 3 Äpfel.\n\n") for request in asked)
    assert found == Reached(Text("It is 7."), "en")


def test_xlt_is_one_request_and_clp_a_conversation_of_two() -> None:
    found, asked = taken("xlt", APPLES, lambda _: "Tom has 3 apples.\nAnswer: 12")
    assert found == Reached(Text("Tom has 3 apples.\nAnswer: 12"), "en")
    assert len(asked) == 1
    assert all(part in words(asked[0]) for part in ("German", "English", "Tom hat 3 Äpfel.", "Answer: [result]"))
    assert "Löse" not in words(asked[0]), "the benchmark's own wording would contradict it"
    found, asked = taken("clp", APPLES, lambda request: "Answer: 12" if len(request.messages) == 3 else "Three apples.")
    assert found == Reached(Text("Answer: 12"), "en")
    assert [turn.role for turn in asked[1].messages] == ["user", "assistant", "user"]
    assert asked[1].messages[1].content == "Three apples."
    found, asked = taken("clp", APPLES, lambda _: "")
    assert len(asked) == 1, "nothing is solved that was not taken in"


def test_self_translate_goes_there_and_an_open_answer_comes_back() -> None:
    def reply(request: Chat) -> str:
        if "into English" in words(request):
            return "Tom: has 3 apples.</translated>" if "Tom" in words(request) else "Greet me.</translated>"
        return "Guten Tag.</translated>" if "into German" in words(request) else f"({words(request)})"

    found, asked = taken("self_translate", APPLES, reply)
    assert len(asked) == 2
    assert words(asked[1]).startswith("Tom: has 3 apples.\n\nReason step by step in English"), "a colon cuts nothing"
    assert found.language == "en"
    found, asked = taken("self_translate", GREETING, reply)
    assert len(asked) == 3
    assert words(asked[1]) == "Greet me."
    assert found == Reached(Text("Guten Tag."), "de")
    found, asked = taken("self_translate", GREETING._replace(language="en", text="Greet me."), reply)
    assert len(asked) == 1
    assert found == Reached(Text("(Greet me.)"), "en")


def test_a_question_that_cannot_be_translated_has_no_answer() -> None:
    found, asked = taken("self_translate", GREETING, lambda _: "")
    assert found.text.text == ""
    assert all("into English" in words(request) for request in asked)


def says(body: dict[str, Any]) -> dict[str, Any]:
    """A model that adds in English alone; it translates a question by its tag."""
    user = [turn["content"] for turn in body["messages"] if turn["role"] == "user"][-1]
    number = re.findall(r"are (\d) and", f"{body['messages']}") or re.findall(r"boat number (\d)", user) or ["0"]
    if "<sentence>" in user:
        code = "en" if "into English" in user else "de"
        kind = f"How many boats are {number[0]} and {number[0]}?" if "How many" in user else f"Boat number {number[0]}."
        return {"message": {"content": f"<translated>\n[{code}] {kind}\n</translated>"}}
    right = "in English" in user or "[en]" in user
    return {"message": {"content": f"Answer: {2 * int(number[0]) if right else 99}"}}


def test_baselines_stand_beside_the_first_model_and_are_asked_once(tmp_path: Path, lidr: Lidr) -> None:
    write_mgsm(tmp_path)
    write_prompts(tmp_path, prompts(2, ("en", "de")))
    wanted = {
        "mgsm": "mgsm/{language}.jsonl",
        "prompts": "prompts/{language}.jsonl",
        "models": {"M0": "fake", "M1": "new"},
        "baselines": ["self_translate", "xlt", "clp", "vote"],
    }
    server = FakeServer(served=["fake", "new"])
    server.script = says
    with running(server) as url:
        config = write_config(tmp_path, languages=["de"], engine__base_url=url, eval=wanted)
        done = lidr("eval", config)
        assert done.returncode == 0, done.stderr
        asked = len(server.asked)
        again = lidr_plugin.evaluate(lidr_plugin.load(config))
    assert len(server.asked) == asked
    results = json.loads((tmp_path / "run/eval/results.json").read_text())["results"]
    assert list(results) == ["M0", "M0+self_translate", "M0+xlt", "M0+clp", "M0+vote", "M1"]
    german = {label: found["mgsm"]["de"]["accuracy"] for label, found in again.results.items()}
    assert german["M0"] == german["M1"] == Share(0, 6)
    assert german["M0+self_translate"] == german["M0+xlt"] == german["M0+clp"] == Share(6, 6)
    assert set(results["M0+xlt"]) == {"mgsm"}
    assert set(results["M0+xlt"]["mgsm"]["de"]) == {"accuracy", "cut"}, "that it answers in English is meant"
    assert set(results["M0+self_translate"]) == {"mgsm", "prompts"}
    assert "response_level" in results["M0+self_translate"]["prompts"]["de"]
    assert "M0+vote" in done.stdout
    kept = rows_of(tmp_path / "run/eval/M0+clp.mgsm.de.jsonl")
    assert [row["correct"] for row in kept] == [True] * 6


@pytest.mark.parametrize("names", [["xlt", "xlt"], ["best"]])
def test_a_baseline_that_is_none_or_there_twice_is_refused(names: list[str], tmp_path: Path, lidr: Lidr) -> None:
    done = lidr("eval", write_config(tmp_path, eval={"baselines": names}))
    assert done.returncode == 2
    assert "eval.baselines" in done.stderr
