"""The verdict on a language: what its translations lose against what its own answers lack."""

import random
from collections.abc import Sequence

import pytest

from lidr_plugin.evaluation import benefit
from lidr_plugin.evaluation.benefit import Candidate, candidates_of, signal_of
from lidr_plugin.evaluation.results import LanguageSignal
from lidr_plugin.evaluation.signal import Measurement, SampleTexts
from lidr_plugin.methods.base import Drop, Outcome, Preference, Reason, Sft, Text
from lidr_plugin.prompts.prompt import PromptText
from lidr_plugin.text.language import Identification
from tests.support.texts import SAMPLES

GERMAN, ENGLISH = SAMPLES["de"], SAMPLES["en"]
OTHER_BACK = (
    "Nobody knows when, but there was a time at which one could read something there, and it was about the evening."
)
"""English that has little of `ENGLISH` in it."""


def candidate(
    own: str = GERMAN + " Das ist schön.",
    chosen: Text = Text(GERMAN),  # noqa: B008 (a tuple)
    back: str | None = ENGLISH,
    *,
    kept: bool = True,
    source: str = ENGLISH,
    answer: str | None = None,
) -> Candidate:
    pair = Preference(
        id="x",
        language="de",
        prompt=PromptText("Wann ist die Bücherei offen?"),
        chosen=chosen,
        rejected=Text(own),
        chosen_source="translation:en->de",
        rejected_source="response:de",
        source=Text(source),
        final_answer=answer,
    )
    return Candidate(pair, kept, back)


def told(candidates: Sequence[Candidate], judged: Sequence[float] = ()) -> LanguageSignal:
    return signal_of(candidates, Identification(["en", "de"]), judged)


def test_answers_that_lack_something_and_translations_that_keep_all_are_worth_a_round() -> None:
    found = told([candidate(own=ENGLISH)] * 8 + [candidate()] * 12)
    assert found.verdict == "yes"
    assert (found.lacking.hits, found.lossy.hits, found.kept.hits) == (8, 0, 20)
    assert found.benefit is not None
    assert found.benefit.value == pytest.approx(8 / 22)
    assert found.advice == ()


@pytest.mark.parametrize(
    ("own", "chosen", "answer", "mends"),
    [("12", "13", "13", True), ("13", "12", "13", False), ("12", "11", "13", False), ("12", "13", None, False)],
)
def test_a_wrong_answer_beside_a_right_one_is_a_flaw_that_is_seen(
    own: str, chosen: str, answer: str | None, *, mends: bool
) -> None:
    pair = candidate(own=f"Die Antwort ist {own}.", chosen=Text(f"Die Antwort ist {chosen}."), answer=answer).row
    assert benefit.mends_answer(pair) is mends
    texts = SampleTexts("x", {}, {}, {}, {}, {}, [pair], [])
    found = Measurement([texts], "en", Identification(["en", "de"])).signal(["de"], {})
    assert (found.kind, found.hits, found.total) == ("visible", int(mends), 2)


def test_translations_that_lose_more_than_the_answers_lack_are_not_worth_it_though_the_answers_lack_much() -> None:
    found = told([candidate(own=ENGLISH, back=OTHER_BACK)] * 6 + [candidate(back=OTHER_BACK)] * 14)
    assert found.lacking.share == pytest.approx(0.3)
    assert found.round_trip is not None
    assert found.round_trip < benefit.NOTHING_LOST
    assert (found.verdict, found.why) == ("no", benefit._WHY["translation"])
    assert "translation.engine: a better translator" in found.advice
    assert any("method" in line for line in found.advice)
    assert any("dominant_language" in line for line in found.advice)


@pytest.mark.parametrize("chosen", [Text(GERMAN, echo=True), Text(GERMAN + " Дом"), Text("Die Bücherei.")], ids=str)
def test_what_can_be_seen_of_a_bad_translation_counts_without_a_way_back(chosen: Text) -> None:
    kept = [candidate(chosen=chosen, back=None)] * 10 + [candidate(back=None)] * 10
    found = told(kept)
    assert found.lossy.hits == 10
    assert found.verdict == "no", "half of them are bad for all to see, and the answers are fine"


def test_a_language_in_which_nothing_is_wrong_cannot_be_told_about() -> None:
    found = told([candidate()] * 64)
    assert found.verdict == "cannot tell"
    assert any("eval.judge" in line for line in found.advice)


def test_wrong_answers_count_where_the_right_ones_are_known() -> None:
    def of(own: int, chosen: int) -> LanguageSignal:
        texts = {"source": f"The result is {chosen}.", "back": f"The result is {chosen}.", "answer": "8"}
        return told(
            [candidate(own=f"Das Ergebnis ist {own}.", chosen=Text(f"Das Ergebnis ist {chosen}."), **texts)] * 20
        )

    assert of(7, 8).verdict == "yes"
    assert (of(8, 7).verdict, of(8, 7).why) == ("no", benefit._WHY["answers"])
    assert of(7, 7).verdict == of(8, 8).verdict == "cannot tell"


def test_hardly_any_candidate_left_by_the_filters_is_a_no() -> None:
    found = told([candidate(own=ENGLISH)] + [candidate(own=ENGLISH, kept=False)] * 63)
    assert (found.verdict, found.why) == ("no", benefit._WHY["few"])


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_few_pairs_are_not_sure_of_anything(count: int) -> None:
    for each in (candidate(own=ENGLISH), candidate(back=OTHER_BACK), candidate()):
        assert told([each] * count).verdict == "cannot tell"


def test_a_judge_decides_in_place_of_what_can_be_seen() -> None:
    candidates = [candidate()] * 40
    assert told(candidates, [1.0] * 30 + [0.0] * 5 + [-1.0] * 5).verdict == "yes"
    assert told(candidates, [-1.0] * 30 + [0.0] * 5 + [1.0] * 5).verdict == "no"
    assert told(candidates, [-1.0, 1.0] * 20).verdict == "cannot tell"


def test_a_yes_is_rarely_wrong_where_there_is_nothing_to_gain_or_lose() -> None:
    drawn = random.Random(5)
    verdicts = [told([], [drawn.choice([-1.0, 0.0, 1.0]) for _ in range(40)]).verdict for _ in range(1000)]
    assert verdicts.count("yes") <= 50
    assert verdicts.count("no") <= 50


def test_prompts_that_say_nothing_and_texts_that_are_no_translations_are_left_out() -> None:
    pair = candidate().row
    drops = [Drop(pair, Reason.TRANSLATION_PROMPT), Drop(pair, Reason.REQUEST_FAILED), Drop(pair, Reason.OFF_TARGET)]
    rows = [
        pair,
        pair._replace(language="en", chosen_source="response:en", rejected_source="translation:de->en"),
        pair._replace(chosen_source="response:en"),
        Sft("x", "de", PromptText("?"), Text(GERMAN), "translation:en->de", Text(ENGLISH)),
    ]
    found = list(candidates_of(Outcome(0, tuple(rows), tuple(drops))))
    assert [x.kept for x in found] == [True, False]
