"""The judge: how verdicts are read, what they come to, and what they cost."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from lidr_plugin.completions.budget import Budget
from lidr_plugin.completions.requests import Completion
from lidr_plugin.config.file import load
from lidr_plugin.errors import InputError
from lidr_plugin.evaluation import judge
from lidr_plugin.evaluation.judge import Contest, JudgeModel, Verdicts
from lidr_plugin.methods.judging import Verdict, letter
from lidr_plugin.text import grades
from tests.conftest import prompts, rows_of, write_config, write_prompts
from tests.support.command import shown
from tests.support.evaluation import Scripted
from tests.support.server import FakeServer, running


def said(text: str, *tokens: tuple[str, float]) -> Completion:
    return Completion(text, "stop", 100, 1, first_token=tokens or None)


@pytest.mark.parametrize(
    ("completion", "verdict"),
    [
        (said("A"), "A"),
        (said("**B**"), "B"),
        (said("B, because A is wrong"), "B"),
        (said("B."), "B"),
        (said("A better answer is B"), "B"),
        (said("I'd say answer A"), "A"),
        (said("neither"), None),
        (said(""), None),
        (said("Answer: B"), "B"),
        (said("A", ("A", -0.9), ("B", -0.5)), "B"),  # the likelier letter, not the one that was drawn
        (said("A", (" A", -0.1), ("B", -0.5), ("A", -3.0)), "A"),
        (said("The", ("The", -0.1), ("B", -2.5)), "B"),
        (said("B", ("The", -0.1), ("Well", -2.5)), "B"),
        (said("no letter", ("A", -1.0), ("B", -1.0)), None),
    ],
)
def test_a_verdict_is_the_likelier_letter_or_else_the_text(completion: Completion, verdict: str | None) -> None:
    assert letter(completion) == verdict


@pytest.mark.parametrize(
    ("text", "grade"), [("7", 7), ("10", 10), ("Grade: 8/10", 8), ("11", None), ("good", None), ("0", 0)]
)
def test_a_grade_is_a_whole_number_up_to_ten(text: str, grade: int | None) -> None:
    assert grades.grade(text) == grade


def judge_model(folder: Path) -> JudgeModel:
    wanted = {"base_url": "http://127.0.0.1:9/v1", "model": "judge"}
    return JudgeModel(load(write_config(folder, eval={"judge": wanted}), []))


def test_braces_in_a_text_are_not_filled_in(tmp_path: Path) -> None:
    contest = Contest("0", "en", "Print {a}", "{b}", "{prompt}")
    first, second = (x.messages[0].content for x in judge_model(tmp_path).both_orders(contest))
    assert all(text in first for text in ("Print {a}", "A]\n{b}\n", "B]\n{prompt}\n"))
    assert all(text in second for text in ("Print {a}", "A]\n{prompt}\n", "B]\n{b}\n"))


def test_only_what_holds_in_both_orders_is_won_or_lost() -> None:
    items = [Verdict("0", "A", "B"), Verdict("1", "B", "A"), Verdict("2", "A", "A"), Verdict("3", "B", None)]
    found = Verdicts.of([*items, Verdict("4", same=True)])
    assert (found.win.hits, found.tie.hits, found.lose.hits, found.win.total) == (1, 3, 1, 5)
    assert found.win_rate == pytest.approx((1 + 3 / 2) / 5)
    assert (found.consistent.hits, found.consistent.total) == (2, 3)
    assert (found.first_position.hits, found.first_position.total) == (4, 7)
    assert (found.unread.hits, found.unread.total) == (1, 8)


def test_a_judge_that_goes_by_the_place_is_said_to_do_so() -> None:
    placed, taste = [Verdict(str(n), "A", "A") for n in range(20)], [Verdict(str(n), "A", "B") for n in range(4)]
    assert judge.warning([]) is None
    assert judge.warning([*placed[:4], *taste]) is None, "as often as a coin"
    assert "agree on 16.7 (7-36) % of the pairs" in (judge.warning([*placed, *taste]) or "")


def write_case(folder: Path, url: str, **changes: Any) -> Path:
    write_prompts(folder, prompts(20))
    wanted = {
        "models": {"M0": "old", "M1": "new"},
        "prompts": "prompts/{language}.jsonl",
        "judge": {"base_url": url, "model": "judge", "prompt_price": 1000, "completion_price": 1000, **changes},
    }
    return write_config(folder, engine__base_url=url, eval=wanted)


@pytest.mark.parametrize("how", ["logprobs", "text", "refused"])
def test_a_scripted_judge_gives_exactly_its_win_rates_and_its_bias_is_reported(tmp_path: Path, how: str) -> None:
    server = FakeServer(served=["old", "new", "judge"])
    server.script = Scripted(logprobs=how == "logprobs")
    server.refuses = "logprobs" if how == "refused" else ""
    with running(server) as url:
        config = write_case(tmp_path, url)
        done = shown("eval", config)
        asked = len(server.asked)
        assert shown("eval", config) == done
        assert len(server.asked) == asked, "no verdict is asked for twice"
    found = json.loads((tmp_path / "run/eval/results.json").read_text())["head_to_head"]
    assert found["against"] == "M0"
    assert found["complete"]
    assert found["warning"] is None
    assert set(found["results"]["M1"]) == {"en", "de", "es", "fr"}
    for result in found["results"]["M1"].values():
        assert [result[name]["hits"] for name in ("win", "tie", "lose")] == [12, 4, 4]
        assert result["win_rate"] == pytest.approx(0.7)
        assert (result["consistent"]["hits"], result["consistent"]["total"]) == (16, 20)
        assert (result["first_position"]["hits"], result["first_position"]["total"]) == (24, 40)
    assert "first placed" in done
    assert "60.0" in done
    items = rows_of(tmp_path / "run/eval/M1-M0.judged.de.jsonl")
    assert [item["outcome"] for item in items[:5]] == ["win", "win", "win", "lose", "tie"]


def test_answers_are_graded_beside_the_first_models_answer_in_the_dominant_language(tmp_path: Path) -> None:
    graded: list[str] = []

    def script(body: dict[str, Any]) -> dict[str, Any]:
        text = body["messages"][-1]["content"]
        number = int(re.findall(r"boat number (\d+)", text)[0])
        if body["model"] != "judge":
            cut = body["model"] == "old" and "[en]" in text and number == 7
            answer = f"{body['model']} {text[:4]} on boat number {number}"
            return {"message": {"content": answer}, "finish_reason": "length" if cut else "stop"}
        if "[Reference]" not in text:
            return {"message": {"content": "A"}}
        graded.append(text)
        unread = number == 3 and "[de]" in text
        return {"message": {"content": "no idea" if unread else "9" if "\nnew [" in text else "6"}}

    server = FakeServer(served=["old", "new", "judge"])
    server.script = script
    with running(server) as url:
        config = write_case(tmp_path, url, reference="dominant")
        done = shown("eval", config)
        asked = len(server.asked)
        assert shown("eval", config) == done
        assert len(server.asked) == asked, "no grade is asked for twice"
    assert len(graded) == 2 * 3 * 19, "of the two models, in three languages, where the reference is whole"
    assert all(re.search(r"\[Reference\]\nold \[en\] on boat", text) for text in graded)
    found = json.loads((tmp_path / "run/eval/results.json").read_text())["results"]
    assert [code for code, marks in found["M0"]["prompts"].items() if "grade" not in marks] == ["en"]
    assert [found[label]["prompts"]["de"]["grade"][0] for label in ("M0", "M1")] == pytest.approx([0.6, 0.9])
    assert "90.0 ± 0.0" in done
    rows = rows_of(tmp_path / "run/eval/M1.graded.de.jsonl")
    assert len(rows) == 18, "without the cut reference, and the grade that could not be read"
    assert rows[0] == {"id": rows[0]["id"], "grade": 9}


def test_the_judge_never_costs_more_than_its_cap_and_goes_on_with_a_higher_one(tmp_path: Path) -> None:
    server = FakeServer(served=["old", "new", "judge"])
    server.script = Scripted(logprobs=True)
    with running(server) as url:
        first = shown("eval", write_case(tmp_path, url, max_cost=5))
        found = json.loads((tmp_path / "run/eval/results.json").read_text())["head_to_head"]
        assert 2.5 < found["cost"] <= 5
        assert not found["complete"]
        assert "max_cost was reached" in first
        assert "max_cost was reached" not in shown("eval", write_case(tmp_path, url))
        verdicts = sum(body["model"] == "judge" for body in server.asked)
    assert verdicts == 2 * 20 * 4, "none was asked for twice"


def test_a_cap_without_prices_is_refused(tmp_path: Path) -> None:
    config = write_case(tmp_path, "http://127.0.0.1:9/v1", max_cost=5, prompt_price=0, completion_price=0)
    with pytest.raises(InputError, match=r"eval\.judge\.max_cost: needs prompt_price"):
        load(config, [])


def test_what_is_in_flight_counts_against_the_cap(tmp_path: Path) -> None:
    request, _ = judge_model(tmp_path).both_orders(Contest("0", "en", "p", "x", "y"))
    most = len(request.messages[0].content) + 64 + 8

    async def spend() -> tuple[int, float]:
        budget = Budget(1e6, 1e6, 2.5 * most)  # in tokens

        async def send() -> Completion:
            await asyncio.sleep(0.01)
            return Completion("A", "stop", most - 8, 8)

        answers = await asyncio.gather(*(budget.pay(request, send) for _ in range(10)))
        return sum(answer is not None for answer in answers), budget.spent

    assert asyncio.run(spend()) == (2, pytest.approx(2 * most))
