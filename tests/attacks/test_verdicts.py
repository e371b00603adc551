"""Verdicts and grades of a judge

Promised: a verdict or a grade is what a person reads in the judge's text, in English, German, French, Spanish, Portuguese,
Italian, Russian, Chinese, Japanese and Korean; a text that cannot be read for certain is neither a win nor a loss and no grade;
no `usage` that a server sends lets `max_cost` be passed; log-probabilities that are no numbers are not stored, and a store that
has some is read.

Not promised: irony, verdicts in other languages beyond a bare letter, grades in words.
"""

import asyncio
import math
import time
from pathlib import Path

import pytest

from lidr_plugin.completions.budget import Budget
from lidr_plugin.completions.engines.chat_completions import Capabilities, completion_of
from lidr_plugin.completions.requests import Chat, Completion, Message, Sampling
from lidr_plugin.completions.store import Entry, Store
from lidr_plugin.methods.judging import letter
from lidr_plugin.text.grades import grade
from lidr_plugin.text.verdicts import verdict

VERDICTS = [
    ("A\n\nAnswer A is complete.", "A"),
    ("`B`", "B"),
    ("\u200bB", "B"),
    ("Ｂ。", "B"),
    ("'A'", "A"),
    ("My answer: B.", "B"),
    ("Better answer: **A**", "A"),
    ("B is the better answer.", "B"),
    ("I think B is better than A.", "B"),
    ("Answer A is clearly better than answer B.", "A"),
    ("answer b is better", "B"),
    ("Between A and B, B is better.", "B"),
    ("A has some strengths, but B is better.", "B"),
    ("While B is longer, A is more accurate and therefore better.", "A"),
    ("I don't think A is better.", None),
    ("Neither A nor B is better.", "tie"),
    ("Both are bad.", None),
    ("A is better. B is better.", None),
    ("I would not choose A.", None),
    ("B > A", "B"),
    ("A≈B", "tie"),
    ("[[C]]", "tie"),
    ("[[tie]]", "tie"),
    ("The request asks for a list. A gives a list, B does not.\n\nVerdict: A", "A"),
    ("A ist eindeutig besser.", "A"),
    ("Ich finde Antwort B besser als Antwort A.", "B"),
    ("Ich kann keine Antwort bevorzugen.", None),
    ("Je choisis la réponse A.", "A"),
    ("La réponse B n'est pas meilleure.", None),
    ("Elijo la respuesta B.", "B"),
    ("La respuesta B es peor que la A.", "A"),
    ("Escolho B.", "B"),
    ("选B", "B"),
    ("B比A更好。", "B"),
    ("两者不相上下", "tie"),
    ("Bの方が良いです。", "B"),
    ("回答Aを選択します。", "A"),
    ("Bが優れている。", "B"),
    ("답변 B를 선택합니다.", "B"),
    ("정답: A", "A"),
    ("Я выбираю B.", "B"),
    ("B", "B"),
    ("AB", None),
    ("A/B", None),
    ("...", None),
    ("I am an AI and cannot judge.", None),
    ("🅰", None),
]
GRADES = [
    ("8.0", 8.0),
    ("8,5/10", 8.5),
    ("**Grade: 7**", 7.0),
    ("Grade: **7**/10", 7.0),
    ("7 / 10", 7.0),
    ("I'd rate this a 9 out of 10.", 9.0),
    ("This is a solid 8/10.", 8.0),
    ("On a scale of 0 to 10, this answer deserves a 6.", 6.0),
    ("Rating: 10", 10.0),
    ("9 - very good", 9.0),
    ("The final grade is 4.", 4.0),
    ("Note: 3 von 10", 3.0),
    ("我给这个回答打9分。", 9.0),
    ("12/10", None),
    ("-5", None),
    ("5 or 6", None),
    ("3 of the 4 parts are right.", None),
    ("Grade: 5\nGrade: 9", None),
    ("9999999999", None),
    ("9" * 5000, None),
    ("1e9", None),
    ("Infinity", None),
    ("8.5.1", None),
    ("ten", None),
]
USAGES: list[object] = [
    None,
    {},
    [],
    "none",
    {"prompt_tokens": -5, "completion_tokens": -1},
    {"prompt_tokens": None, "completion_tokens": None},
    {"prompt_tokens": math.nan, "completion_tokens": math.nan},
    {"prompt_tokens": math.inf, "completion_tokens": 1},
    {"prompt_tokens": "many", "completion_tokens": "few"},
    {"prompt_tokens": True, "completion_tokens": True},
    {"prompt_tokens": 10**30, "completion_tokens": 10**30},
    {"prompt_tokens": 0, "completion_tokens": 0},
]
HOSTILE = [
    *("A ", "A is better than B. ", "not A ", "A > ", "Grade: ", "8/", "8.", "answer ", "from 0 to 10 ", "[[", "tie "),
    *("neither ", "或", "**", "「A」", "A is better. "),
]


@pytest.mark.parametrize(("text", "said"), VERDICTS)
def test_a_verdict_is_what_a_person_reads(text: str, said: str | None) -> None:
    assert verdict(text) == said


@pytest.mark.parametrize(("text", "value"), GRADES, ids=lambda value: str(value)[:30])
def test_a_grade_is_what_a_person_reads(text: str, value: float | None) -> None:
    assert grade(text) == value


@pytest.mark.parametrize("part", HOSTILE)
def test_a_hostile_text_of_a_judge_is_read_within_seconds(part: str) -> None:
    began = time.process_time()
    verdict(part * 100_000)
    grade(part * 100_000)
    assert time.process_time() - began < 5


SAMPLING = Sampling(temperature=0.0, top_p=1.0, max_tokens=10, repetition_penalty=1.0, seed=0, thinking=False)
REQUEST = Chat("w", (Message("user", "Which?"),), SAMPLING, top_logprobs=2)


def replied(**further: object) -> dict[str, object]:
    choice = {"message": {"content": "A"}, "finish_reason": "stop", **further.pop("choice", {})}  # type: ignore[dict-item]
    return {"choices": [choice], **further}


@pytest.mark.parametrize("usage", USAGES, ids=str)
def test_what_a_server_says_of_its_tokens_never_makes_a_request_cheaper_than_it_can_be(usage: object) -> None:
    completion = completion_of(replied(usage=usage), REQUEST, Capabilities())
    budget = Budget(1e6, 1e6, 100.0)  # in tokens

    async def send() -> Completion:
        return completion

    async def spend() -> int:
        return sum([await budget.pay(REQUEST, send) is not None for _ in range(5)])

    assert asyncio.run(spend()) == 1, "another 80 tokens have no room"
    assert 1 <= budget.spent <= 100


LOGPROBS = [
    [{"token": "A", "logprob": math.nan}],
    [{"token": "A", "logprob": -math.inf}, {"token": "B", "logprob": math.inf}],
    [{"token": "A", "logprob": None}],
    [{"token": None, "logprob": -1.0}],
    [{"token": "A", "logprob": "-1"}],
    [],
]


@pytest.mark.parametrize("top", LOGPROBS, ids=str)
def test_log_probabilities_that_are_no_numbers_are_not_kept(top: list[object]) -> None:
    choice = {"logprobs": {"content": [{"top_logprobs": top}]}}
    completion = completion_of(replied(choice=choice), REQUEST, Capabilities())
    assert completion.first_token is None
    assert letter(completion) == "A"


@pytest.mark.parametrize("value", [math.nan, -math.inf, math.inf])
def test_a_store_that_holds_such_log_probabilities_is_read(tmp_path: Path, value: float) -> None:
    request = b'{"messages":[],"weights":"w"}'
    completion = Completion("B", "stop", 1, 1, first_token=(("A", value), ("The", -1.0)))
    with Store(tmp_path / "completions.sqlite") as store:
        store.put_many([Entry(request, completion)])
        (entry,) = store.entries()
    assert letter(entry.completion) == "B"
