"""The judge: how verdicts are read, what they come to, and what they cost."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from lidr_plugin.completions.budget import Budget
from lidr_plugin.completions.requests import Completion
from lidr_plugin.evaluation import judge
from lidr_plugin.evaluation.judge import Judged
from tests.conftest import Lidr, prompts, rows_of, write_config, write_prompts
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
    assert judge.letter(completion) == verdict


@pytest.mark.parametrize(
    ("text", "grade"), [("7", 7), ("10", 10), ("Grade: 8/10", 8), ("11", None), ("good", None), ("0", 0)]
)
def test_a_grade_is_a_whole_number_up_to_ten(text: str, grade: int | None) -> None:
    assert judge.grade(said(text)) == grade


def test_braces_in_a_text_are_not_filled_in() -> None:
    request = judge.verdict_request("Print {a}", "{b}", "{prompt}", weights="w", max_tokens=8, row="")
    assert all(text in request.messages[0].content for text in ("Print {a}", "A]\n{b}\n", "B]\n{prompt}\n"))


def test_only_what_holds_in_both_orders_is_won_or_lost() -> None:
    items = [Judged("0", "A", "B"), Judged("1", "B", "A"), Judged("2", "A", "A"), Judged("3", "B", None)]
    found = judge.outcome([*items, Judged("4", same=True)])
    assert (found.win.hits, found.tie.hits, found.lose.hits, found.win.total) == (1, 3, 1, 5)
    assert found.win_rate == pytest.approx((1 + 3 / 2) / 5)
    assert (found.consistent.hits, found.consistent.total) == (2, 3)
    assert (found.first_position.hits, found.first_position.total) == (4, 7)
    assert (found.unread.hits, found.unread.total) == (1, 8)


def test_a_judge_that_goes_by_the_place_is_said_to_do_so() -> None:
    placed, taste = [Judged(str(n), "A", "A") for n in range(20)], [Judged(str(n), "A", "B") for n in range(4)]
    assert judge.warning([]) is None
    assert judge.warning([*placed[:4], *taste]) is None, "as often as a coin"
    assert "agree on 16.7 (7-36) % of the pairs" in (judge.warning([*placed, *taste]) or "")


class Scripted:
    """Two models and a judge that knows what it likes: of five prompts the new model's answer three times, the old one's
    once, and once whatever stands first."""

    def __init__(self, *, logprobs: bool) -> None:
        self.logprobs = logprobs

    def __call__(self, body: dict[str, Any]) -> dict[str, Any] | None:
        user = body["messages"][-1]["content"]
        number = int(re.findall(r"boat number (\d+)", user)[0])
        if body["model"] != "judge":
            return {"message": {"content": f"{body['model']} on boat number {number}"}}
        new_first = user.index("new on boat") < user.index("old on boat")
        likes_a = {0: new_first, 1: new_first, 2: new_first, 3: not new_first, 4: True}[number % 5]
        letter, other = ("A", "B") if likes_a else ("B", "A")
        if not self.logprobs:
            return {"message": {"content": f"Answer {letter}"}}
        tops = [{"token": letter, "logprob": -0.3}, {"token": other, "logprob": -1.5}]
        # The text says the opposite, so that only who reads the log-probabilities gets it right.
        return {"message": {"content": other}, "logprobs": {"content": [{"token": other, "top_logprobs": tops}]}}


def write_case(folder: Path, url: str, **changes: Any) -> Path:
    write_prompts(folder, prompts(20))
    wanted = {
        "models": {"M0": "old", "M1": "new"},
        "prompts": "prompts/{language}.jsonl",
        "judge": {"base_url": url, "model": "judge", "prompt_price": 1000, "completion_price": 1000, **changes},
    }
    return write_config(folder, engine__base_url=url, eval=wanted)


@pytest.mark.parametrize("how", ["logprobs", "text", "refused"])
def test_a_scripted_judge_gives_exactly_its_win_rates_and_its_bias_is_reported(
    tmp_path: Path, lidr: Lidr, how: str
) -> None:
    server = FakeServer(served=["old", "new", "judge"])
    server.script = Scripted(logprobs=how == "logprobs")
    server.refuses = "logprobs" if how == "refused" else ""
    with running(server) as url:
        done = lidr("eval", write_case(tmp_path, url))
        assert done.returncode == 0, done.stderr
        asked = len(server.asked)
        assert lidr("eval", tmp_path / "lidr.yaml").stdout == done.stdout
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
    assert "first placed" in done.stdout
    assert "60.0" in done.stdout
    items = rows_of(tmp_path / "run/eval/M1-M0.judged.de.jsonl")
    assert [item["outcome"] for item in items[:5]] == ["win", "win", "win", "lose", "tie"]


def test_the_judge_never_costs_more_than_its_cap_and_goes_on_with_a_higher_one(tmp_path: Path, lidr: Lidr) -> None:
    server = FakeServer(served=["old", "new", "judge"])
    server.script = Scripted(logprobs=True)
    with running(server) as url:
        first = lidr("eval", write_case(tmp_path, url, max_cost=5))
        assert first.returncode == 0, first.stderr
        found = json.loads((tmp_path / "run/eval/results.json").read_text())["head_to_head"]
        assert 2.5 < found["cost"] <= 5
        assert not found["complete"]
        assert "max_cost was reached" in first.stdout
        second = lidr("eval", write_case(tmp_path, url))
        verdicts = sum(body["model"] == "judge" for body in server.asked)
    assert second.returncode == 0, second.stderr
    assert verdicts == 2 * 20 * 4, "none was asked for twice"


def test_a_cap_without_prices_is_refused(tmp_path: Path, lidr: Lidr) -> None:
    done = lidr("eval", write_case(tmp_path, "http://127.0.0.1:9/v1", max_cost=5, prompt_price=0, completion_price=0))
    assert done.returncode == 2
    assert "max_cost needs prompt_price" in done.stderr


def test_what_is_in_flight_counts_against_the_cap() -> None:
    request = judge.verdict_request("p", "x", "y", weights="w", max_tokens=8, row="")
    most = len(request.messages[0].content) + 64 + 8

    async def spend() -> tuple[int, float]:
        budget = Budget(1e6, 1e6, 2.5 * most)  # in tokens

        async def send() -> Completion:
            await asyncio.sleep(0.01)
            return Completion("A", "stop", most - 8, 8)

        answers = await asyncio.gather(*(budget.pay(request, send) for _ in range(10)))
        return sum(answer is not None for answer in answers), budget.spent

    assert asyncio.run(spend()) == (2, pytest.approx(2 * most))
