"""Words in a script that does not belong in a text, and those that do."""

import pytest

from benchmarks.mixed_script import labelled, misread
from lidr_plugin.methods import filters
from lidr_plugin.methods.base import Preference, Reason, Text
from lidr_plugin.prompts.prompt import PromptText
from lidr_plugin.text.mixed_script import slips


def test_of_the_labelled_texts_few_are_misread() -> None:
    everything, wrong = list(labelled()), [item for item, _ in misread()]
    good, bad = ([item for item in everything if item.mixed is mixed] for mixed in (False, True))
    assert len(good) >= 200
    assert len(bad) >= 80
    assert sum(not item.mixed for item in wrong) <= 0.01 * len(good)
    assert sum(item.mixed for item in wrong) <= 0.03 * len(bad)


@pytest.mark.parametrize(
    ("code", "text", "words"),
    [
        ("ko", "이 테chnique는 AI는 아니다.", ["테chnique는"]),
        ("ru", "Вы ищете 现有的 способы; WiFi-сеть работает.", ["现有的"]),
        ("th", "การมีทักษะ CommunicATEได้ดี", ["CommunicATEได้ดี"]),
        ("hi", "यह very अच्छा है, The Lord of the Rings भी।", ["very"]),
        ("de", "Die Geѕundheit, auf Russisch: здоровье.", ["Geѕundheit"]),
        ("sr", "Ово је књига. Ovo je knjiga. Ово je књигa.", ["књигa"]),
        ("xyz", "अच्छा ist gut", ["अच्छा"]),
    ],
)
def test_the_words_are_named(code: str, text: str, words: list[str]) -> None:
    assert list(slips(text, code)) == words


@pytest.mark.parametrize("answers_translation", [False, True])
def test_the_filter_looks_at_the_chosen_text_and_knows_the_prompt(answers_translation: bool) -> None:
    def pair(prompt: str) -> Preference:
        chosen = Text("Wer ありがとう sagt, der dankt.")
        row = Preference("1", "de", PromptText(prompt), chosen, Text("x"), "translation:en->de", "response:de", chosen)
        return row._replace(answers_translation=answers_translation)

    assert filters.mixed_script(pair("Was heißt ありがとう?")) is None
    found = filters.mixed_script(pair("Wie bedankt man sich?"))
    assert found is (None if answers_translation else Reason.MIXED_SCRIPT)
