"""`lidr probe`: the imbalance of models whose imbalance is known."""

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from sacrebleu.metrics import CHRF

from lidr_plugin.config.file import load
from lidr_plugin.errors import InputError, RunError
from lidr_plugin.evaluation.intervals import Share
from lidr_plugin.evaluation.probe import probe
from lidr_plugin.evaluation.results import read_probe
from lidr_plugin.text.chrf import chrf
from tests.conftest import prompts, write_config, write_prompts
from tests.support.command import shown
from tests.support.evaluation import TIGRINYA
from tests.support.model import poor_in_spanish, prose
from tests.support.server import FakeServer, running

_NAMES = {"English": "en", "German": "de", "Spanish": "es", "French": "fr"}


def test_chrf_is_sacrebleus() -> None:
    drawn = random.Random(1)
    reference = CHRF()
    cases = [
        ("", "text"),
        ("text", ""),
        ("a", "b"),
        ("abc", "abc"),
        ("  a b\nc ", "abc"),
        ("das ist gut", "das ist es"),
    ]
    cases += [
        (
            prose(drawn.choice(["en", "de"]), drawn.randrange(99), drawn.randrange(1, 30)),
            prose("en", drawn.randrange(99), 20),
        )
        for _ in range(200)
    ]
    for hypothesis, text in cases:
        assert 100 * chrf(hypothesis, text) == pytest.approx(
            reference.sentence_score(hypothesis, [text]).score, abs=1e-6
        )


def model(body: dict[str, Any]) -> dict[str, Any]:
    """Says prose in the prompt's language, but every second German answer is English. Its translations keep everything.

    As a judge it prefers English-born texts, which are marked by their seed below 500, and grades by language.
    """
    user = body["messages"][0]["content"]
    if "Reply with one letter" in user:
        born = [int(re.findall(r"\((\d+)\)", part)[0]) for part in user.split("[Answer ")[1:]]
        return {"message": {"content": "A" if born[0] < 500 else "B"}}
    if "Reply with the grade" in user:
        return {"message": {"content": {"en": "9", "de": "4"}.get(user.split("[")[2][:2], "6")}}
    if target := re.search(r"into (\w+)\.", user):
        seed = int(re.findall(r"\((\d+)\)", user)[0])
        return {"message": {"content": prose(_NAMES[target[1]], seed, 14) + "\n</translated>"}}
    found = re.search(r"\[(..)\] Tell me about boat number (\d+)", user)
    assert found
    code, number = found[1], int(found[2])
    seed = number if code == "en" else 1000 + number
    return {"message": {"content": prose("en" if code == "de" and number % 2 else code, seed, 14)}}


@pytest.mark.parametrize("judged", [False, True])
def test_a_known_imbalance_is_measured_exactly(tmp_path: Path, judged: bool) -> None:
    write_prompts(tmp_path, prompts(20))
    server = FakeServer(served=["fake", "judge"])
    server.script = model
    with running(server) as url:
        extra = {"eval": {"judge": {"base_url": url, "model": "judge"}}} if judged else {}
        config = write_config(tmp_path, engine__base_url=url, **extra)
        done = shown("probe", config)
        asked = len(server.asked)
        assert shown("probe", config) == done
        assert len(server.asked) == asked, "nothing is asked twice"
    found = json.loads((tmp_path / "run/probe.json").read_text())
    assert found["prompts"] == 20
    assert found["responses"]["de"]["off_target"]["hits"] == 10
    assert found["responses"]["de"]["sound"]["hits"] == 10
    assert found["responses"]["en"]["sound"]["hits"] == found["responses"]["fr"]["sound"]["hits"] == 20
    for code in ("de", "es", "fr"):
        crossing = found["against_dominant"][code]
        assert (crossing["round_trip"], crossing["round_trips"]) == (pytest.approx(1.0), 20)
        assert crossing["usable_from"]["hits"] == crossing["usable_into"]["total"] + 10 * (code == "de") == 20
    signal = found["signal"]
    if judged:
        assert found["dominant"]["by"] == "grade"
        assert found["dominant"]["scores"] == {"en": 9.0, "de": 4.0, "es": 6.0, "fr": 6.0}
        assert found["dominant"]["clear"]
        assert {code: x["win"]["share"] for code, x in found["judged"].items()} == dict.fromkeys(
            ("en", "de", "es", "fr"), 1.0
        )
        assert (signal["kind"], signal["share"], signal["worth_it"]) == ("judge", 1.0, True)
        assert "dominant by the judge's grades: en" in done
    else:
        # 120 candidates; in German 10 rejected texts are English, and so in English nothing is wrong with any.
        assert (signal["kind"], signal["hits"], signal["total"]) == ("visible", 10, 120)
        assert "dominant by the share of sound answers: en, not clearly" in done


def test_a_judge_that_goes_by_the_place_decides_nothing(tmp_path: Path) -> None:
    def placed(body: dict[str, Any]) -> dict[str, Any]:
        user = body["messages"][0]["content"]
        return {"message": {"content": "A"}} if "Reply with one letter" in user else model(body)

    write_prompts(tmp_path, prompts(20))
    server = FakeServer(served=["fake", "judge"])
    server.script = placed
    with running(server) as url:
        config = write_config(tmp_path, engine__base_url=url, eval={"judge": {"base_url": url, "model": "judge"}})
        done = shown("probe", config)
    assert "warning: the orders agree on 0.0 (0-3) % of the pairs" in done
    assert "dominant by the share of sound answers: en, not clearly" in done
    found = json.loads((tmp_path / "run/probe.json").read_text())
    assert found["responses"]["en"]["grade"][0] == 9.0
    assert (found["dominant"]["by"], found["signal"]["kind"]) == ("sound", "visible")


def test_the_sample_is_spread_and_build_pairs_finds_its_answers(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(30))
    server = FakeServer()
    server.script = model
    with running(server) as url:
        config = write_config(tmp_path, engine__base_url=url, dominant_pairs="all")
        shown("probe", config, "--sample", "5")
        responses = [body for body in server.asked if "into" not in body["messages"][0]["content"]]
        numbers = {int(re.findall(r"number (\d+)", body["messages"][0]["content"])[0]) for body in responses}
        assert numbers == {0, 6, 12, 18, 24}
        shown("build-pairs", config)
    report = json.loads((tmp_path / "run/report.json").read_text())
    assert report["completions"]["reused"] == 5 * (4 + 3 + 3)


def test_a_model_without_an_imbalance_is_said_to_have_none(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(8, ("en", "es", "fr")))
    server = FakeServer()
    server.script = model
    with running(server) as url:
        done = shown("probe", write_config(tmp_path, engine__base_url=url, languages=["es", "fr"]))
    assert "there is little to learn that can be seen" in done
    assert json.loads((tmp_path / "run/probe.json").read_text())["signal"]["worth_it"] is False


def test_a_language_into_which_nothing_can_be_translated_is_no_dominant_one_and_not_worth_a_round(
    tmp_path: Path,
) -> None:
    write_prompts(tmp_path, prompts(20))

    def script(body: dict[str, Any]) -> dict[str, Any]:
        """English answers are cut now and then, so that by the answers alone others would seem to be dominant."""
        user = body["messages"][0]["content"]
        said = {"message": {"content": poor_in_spanish(user)}}
        cut = re.match(r"\[(en|de)\] Tell me about boat number \d*[05]\.", user)
        return {**said, "finish_reason": "length"} if cut else said

    server = FakeServer()
    server.script = script
    with running(server) as url:
        config = write_config(tmp_path, engine__base_url=url, languages=["de", "es"])
        done = shown("probe", config)
        built = shown("build-pairs", config)
    found = read_probe(tmp_path / "run/probe.json")
    assert found.responses["es"].sound == Share(20, 20)
    assert found.dominant.language == "en"
    assert found.dominant.scores["es"] < 0.5
    assert found.verdicts["es"].verdict == "no"
    assert found.verdicts["es"].kept.hits >= 15, "the filters are off, or do not see it"
    assert "es: no: its translations lose more than its answers lack" in done
    assert "what would help: translation.engine" in done
    assert found.signal.total == 2 * 20, "pairs that do more harm than good are no signal"
    report = json.loads((tmp_path / "run/report.json").read_text())
    assert report["verdicts"]["es"]["verdict"] == "no"
    assert report["verdicts"]["es"]["round_trips"] == found.verdicts["es"].round_trips, "found in the store"
    assert "es: no: its translations lose more than its answers lack" in built
    page = (tmp_path / "run/report.html").read_text()
    assert "its translations lose more than its answers lack; translation.engine" in page


def test_probe_refuses_bad_input_and_writes_nothing(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(3))
    with pytest.raises(InputError):
        probe(load(write_config(tmp_path, languages=["de", "pt"]), []), sample=3)
    judge = {"eval": {"judge": {"backend": "vllm", "model": str(tmp_path / "judge")}}}
    with pytest.raises(InputError, match=r"eval\.judge: "):
        probe(load(write_config(tmp_path, **judge), []), sample=3)
    assert not (tmp_path / "run").exists()
    with pytest.raises(RunError, match="no server answers"):
        probe(load(write_config(tmp_path), []), sample=3)


def test_a_sample_of_nothing_but_translation_prompts_is_refused(tmp_path: Path) -> None:
    write_prompts(tmp_path, [{code: f"Translate '{code}' into Latin." for code in ("en", "de", "es", "fr")}] * 3)
    with pytest.raises(InputError, match="every prompt of the sample asks for a translation"):
        probe(load(write_config(tmp_path), []), sample=3)


def test_a_language_that_cannot_be_identified_is_measured_as_far_as_it_can_be(tmp_path: Path) -> None:
    def told(body: dict[str, Any]) -> dict[str, Any]:
        user = body["messages"][0]["content"]
        if "into Tigrinya." in user:
            return {"message": {"content": f"{TIGRINYA}\n</translated>"}}
        return {"message": {"content": TIGRINYA}} if user.startswith("[ti]") else model(body)

    write_prompts(tmp_path, prompts(4, ("en", "de", "ti")))
    server = FakeServer()
    server.script = told
    with running(server) as url:
        languages = {"languages": ["de", "ti"], "filters__off_target": False}
        done = shown("probe", write_config(tmp_path, engine__base_url=url, **languages))
    assert "Tigrinya (ti) cannot be identified: whether answers are in the right language is not measured" in done
    found = read_probe(tmp_path / "run/probe.json")
    assert found.notes
    assert found.responses["ti"].off_target is None
    assert found.responses["ti"].sound == Share(4, 4)
    assert found.responses["de"].off_target == Share(2, 4)
    assert found.against_dominant["ti"].usable_from == Share(4, 4)


@pytest.mark.parametrize("share", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("translated", [False, True])
def test_failures_that_are_allowed_are_left_out_of_the_measurement(
    share: float, translated: bool, tmp_path: Path
) -> None:
    write_prompts(tmp_path, prompts(40, ("en",) if translated else ("en", "de", "es", "fr")))
    server = FakeServer(faults={"400": share})
    server.script = lambda body: None if translated else model(body)
    with running(server) as url:
        changes = {"engine__base_url": url, "engine__max_failures": 999, "translate_prompts": translated}
        config = write_config(tmp_path, **changes)
        if share == 1.0:
            with pytest.raises(RunError, match="every prompt of the sample met a failed request"):
                shown("probe", config)
            return
        done = shown("probe", config)
    assert "dominant by" in done
    found = read_probe(tmp_path / "run/probe.json")
    assert 0 < found.prompts < 40
    assert found.responses["en"].sound.total == found.prompts
