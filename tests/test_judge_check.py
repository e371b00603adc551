"""`lidr judge-check`, and the judges that have a form of their own."""

import json
from pathlib import Path
from typing import Any

import pytest

import lidr_plugin
from lidr_plugin.completions.requests import Completion
from lidr_plugin.evaluation.intervals import Share
from lidr_plugin.evaluation.judge_check import Trust
from lidr_plugin.methods.judge_styles import STYLES
from lidr_plugin.methods.judging import Verdict
from tests.conftest import Lidr, rows_of, write_config
from tests.support.server import FakeServer, running


def said(text: str, finish: str = "stop") -> Completion:
    return Completion(text, finish, 1, 1)


@pytest.mark.parametrize(
    ("preset", "text", "verdict"),
    [
        ("mr3", '{"explanation": "Assistant B errs.", "score": "Assistant A"}', "A"),
        ("mr3", "<think>'score': 'Assistant A'?</think>\n{'explanation': 'No.', 'score': 'Assistant B'}", "B"),
        ("mr3", '```json\n{\n  "score" : "B"\n}\n```', "B"),
        ("mr3", '{"score": "Assistant A"} no, {"score": "Assistant B"}', "B"),
        ("mr3", "Assistant A is better.", None),
        ("mr3", "<think>'score': 'Assistant A'", None),
        ("m-prometheus", "Feedback: Response B is long. [RESULT] A", "A"),
        ("m-prometheus", "… better [RESULT] (B)", "B"),
        ("m-prometheus", "[RESULT] Response B", "B"),
        ("m-prometheus", "**[RESULT]: A**", "A"),
        ("m-prometheus", "Answer A is better.", None),
        ("m-prometheus", "[RESULT] Neither", None),
        ("plain", "A", "A"),
    ],
)
def test_a_judge_is_read_in_the_form_that_it_was_trained_on(preset: str, text: str, verdict: str | None) -> None:
    assert STYLES[preset].read(said(text)) == verdict


@pytest.mark.parametrize("preset", ["mr3", "m-prometheus"])
def test_reasons_that_were_cut_have_no_verdict(preset: str) -> None:
    text = '{"score": "Assistant A"} [RESULT] A'
    assert STYLES[preset].read(said(text)) == "A"
    assert STYLES[preset].read(said(text, "length")) is None


@pytest.mark.parametrize("preset", STYLES)
def test_every_form_has_the_prompt_and_both_answers_as_they_are(preset: str) -> None:
    turns = STYLES[preset].turns("What is {a}?", "first {b} {prompt}", "second")
    user = turns[-1].content
    assert turns[-1].role == "user"
    assert user.index("What is {a}?") < user.index("first {b} {prompt}") < user.index("second")
    assert user.count("second") == 1


def test_a_judge_that_thinks_has_room_for_it_unless_told_otherwise() -> None:
    def judge(**values: Any) -> Any:
        needed = {"model_name_or_path": "m", "languages": ["de"], "prompts": "{language}.jsonl"}
        return lidr_plugin.configure(**needed, eval={"judge": {"model": "j", **values}}).eval.judge

    assert judge().max_tokens == 8
    assert judge(preset="mr3").max_tokens == 16_384
    assert judge(preset="m-prometheus").max_tokens == 2048
    assert judge(preset="mr3", max_tokens=99).max_tokens == 99
    drawn = STYLES["mr3"].sampling(99)
    assert (drawn.thinking, drawn.temperature, drawn.top_p, drawn.max_tokens) == (True, 0.6, 0.95, 99)
    assert STYLES["m-prometheus"].sampling(9).temperature == 0.0


def verdicts(wins: int, loses: int, ties: int) -> list[Verdict]:
    kinds = [("A", "B")] * wins + [("B", "A")] * loses + [("A", "A")] * ties
    return [Verdict(str(n), *kind) for n, kind in enumerate(kinds)]


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ((30, 5, 5), "yes"),
        ((5, 30, 5), "no"),
        ((6, 4, 2), "cannot tell"),
        ((0, 0, 40), "no"),
        ((9, 0, 91), "no"),
    ],
)
def test_verdicts_say_something_where_they_are_surely_better_than_a_coin_and_not_of_the_place(
    counts: tuple[int, int, int], says: str
) -> None:
    found = Trust.of(verdicts(*counts))
    assert found.says == says
    assert found.right == Share(counts[0], sum(counts))
    assert found.decided == Share(counts[0], counts[0] + counts[1])


def write_preferences(path: Path) -> None:
    """Twenty rows in German, twenty in Spanish and one in Arabic, with the codes of M-RewardBench."""
    rows = [
        {
            "id": number,
            "language": language,
            "prompt": f"Question {number} in {language}?",
            "chosen": f"good answer {number}",
            "rejected": f"bad answer {number}",
            "chosen_model": "x",
            "subset": "chat",
        }
        for language in ("deu_Latn", "spa_Latn")
        for number in range(20)
    ]
    rows.append({**rows[0], "language": "arb_Arab"})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def knows_german(body: dict[str, Any]) -> dict[str, Any]:
    user = body["messages"][-1]["content"]
    letter = "A" if "spa_Latn" in user or user.index("good answer") < user.index("bad answer") else "B"
    return {"message": {"content": f"Feedback: so it is. [RESULT] {letter}"}}


def test_how_often_a_judge_is_right_is_told_by_language_and_asked_once(tmp_path: Path, lidr: Lidr) -> None:
    write_preferences(tmp_path / "rows.jsonl")
    server = FakeServer(served=["judge"])
    server.script = knows_german
    with running(server) as url:
        wanted = {"judge": {"base_url": url, "model": "judge", "preset": "m-prometheus"}}
        config = write_config(tmp_path, languages=["de", "es", "fr"], eval=wanted)
        done = lidr("judge-check", config, tmp_path / "rows.jsonl")
        assert done.returncode == 0, done.stderr
        asked = len(server.asked)
        assert asked == 80
        found = lidr_plugin.judge_check(lidr_plugin.load(config), tmp_path / "rows.jsonl")
        assert len(server.asked) == asked
    assert "###Response A:" in server.asked[0]["messages"][-1]["content"]
    assert found.languages["de"].right == Share(20, 20)
    assert found.languages["de"].says == "yes"
    assert found.languages["es"].right == Share(0, 20)
    assert found.languages["es"].says == "no", "it goes by the place"
    assert found.languages["es"].verdicts.first_position == Share(40, 40)
    assert list(found.languages) == ["de", "es"]
    assert found.others == {"arb_Arab": 1}
    assert "arb_Arab (1)" in done.stdout
    written = json.loads((tmp_path / "run/judge_check.json").read_text())
    assert written["languages"]["de"]["right"]["share"] == 1.0
    assert {row["outcome"] for row in rows_of(tmp_path / "run/judge_check.jsonl")} == {"win", "tie"}


def test_a_dataset_of_ones_own_can_be_judged_too(tmp_path: Path) -> None:
    row = {
        "id": "1",
        "language": "de",
        "instruction": "Sag",
        "input": "was",
        "chosen": "good answer",
        "rejected": "bad answer",
    }
    (tmp_path / "pairs.jsonl").write_text(json.dumps(row) + "\n")
    server = FakeServer(served=["judge"])
    server.script = knows_german
    with running(server) as url:
        wanted = {"judge": {"base_url": url, "model": "judge", "preset": "m-prometheus"}}
        config = lidr_plugin.load(write_config(tmp_path, languages=["de"], eval=wanted))
        found = lidr_plugin.judge_check(config, tmp_path / "pairs.jsonl")
    assert found.languages["de"].right == Share(1, 1)
    assert "Sag\nwas" in server.asked[0]["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("text", "judge", "problem"),
    [
        ('{"language": "de", "prompt": "x", "chosen": "y"}\n', True, "rows.jsonl:1: rejected: expected text"),
        (
            '{"language": 3, "prompt": "x", "chosen": "y", "rejected": ["z"]}\n',
            True,
            "language, rejected: expected text",
        ),
        ("[]\n", True, "rows.jsonl:1: expected an object"),
        (
            '{"language": "ar", "prompt": "x", "chosen": "y", "rejected": "z"}\n',
            True,
            "no rows in a language of the run",
        ),
        ('{"language": "de", "prompt": "x", "chosen": "y", "rejected": "z"}\n', False, "no judge is named"),
        (None, True, "rows.jsonl"),
    ],
)
def test_wrong_rows_and_no_judge_are_told_before_anything_is_asked(
    text: str | None, judge: bool, problem: str, tmp_path: Path, lidr: Lidr
) -> None:
    if text is not None:
        (tmp_path / "rows.jsonl").write_text(text)
    wanted = {"judge": {"base_url": "http://127.0.0.1:9/v1", "model": "judge"}} if judge else {}
    done = lidr("judge-check", write_config(tmp_path, languages=["de"], eval=wanted), tmp_path / "rows.jsonl")
    assert done.returncode == 2
    assert problem in done.stderr
    assert not (tmp_path / "run").exists()
