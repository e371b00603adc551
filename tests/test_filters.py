"""Each filter on text that is good and text that is bad."""

import json
from pathlib import Path

import pytest

from lidr_plugin.config.schema import Config
from lidr_plugin.errors import InputError
from lidr_plugin.methods import filters
from lidr_plugin.methods.base import Preference, Reason, Text
from lidr_plugin.methods.imbalance import turns
from lidr_plugin.prompts.prompt import PromptText
from lidr_plugin.text.language import LanguageGate
from lidr_plugin.text.numbers import final_numbers, is_correct
from tests.support.texts import SAMPLES


def candidate(chosen: str, rejected: str = "x", language: str = "de", **changes: object) -> Preference:
    values: dict[str, object] = {
        "id": "1",
        "language": language,
        "prompt": PromptText("p"),
        "chosen": Text(chosen),
        "rejected": Text(rejected),
        "chosen_source": "translation:en->de",
        "rejected_source": "response:de",
        "source": Text(chosen),
        **changes,
    }
    return Preference(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("code", SAMPLES)
def test_the_language_of_a_plain_text_is_told(code: str) -> None:
    gate = LanguageGate(list(SAMPLES))
    assert gate.detect(SAMPLES[code]) == code
    assert gate.off_target(SAMPLES[code], "de") is (code != "de")


@pytest.mark.parametrize(
    "text",
    [
        "Yes.",
        "Je t'aime",
        "```python\nfor word in sentence.split():\n    print(word)  # shows every word of the sentence\n```",
        "https://example.org/a/very/long/address/with/many/english/words/in/it",
        "`SELECT name FROM users WHERE id = 3`",
        "42 + 58 = 100",
    ],
)
def test_code_addresses_and_short_texts_do_not_decide(text: str) -> None:
    assert not LanguageGate(["en", "de"]).off_target(text, "de")


def test_code_in_a_text_does_not_hide_its_language() -> None:
    code = "```python\nprint('this is a line of code with many english words in it, really many')\n```\n"
    gate = LanguageGate(["en", "de"])
    assert not gate.off_target(code + SAMPLES["de"], "de")
    assert gate.off_target(code + SAMPLES["en"], "de")


def test_a_language_that_cannot_be_identified_is_refused() -> None:
    with pytest.raises(InputError, match="Khmer"):
        LanguageGate(["en", "km"])


def test_real_answers_are_in_the_language_that_they_are_in(shared: Path) -> None:
    lines = (shared / "data/llama3-8b/en_to_fr.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    french = [row["en2fr_reponse"] for row in rows if row["en2fr_reponse"] != "Translation Error"]
    english = [row["response"] for row in rows]
    gate = LanguageGate(["en", "de", "es", "fr", "ru"])
    assert sum(gate.off_target(text, "fr") for text in french) <= 0.02 * len(french)
    assert sum(gate.off_target(text, "en") for text in english) <= 0.02 * len(english)
    prose = [text for text in english if len(text) > 300 and "```" not in text]
    assert sum(gate.off_target(text, "fr") for text in prose) >= 0.98 * len(prose)


def test_identical_length_ratio_and_cut_texts() -> None:
    assert filters.identical(candidate("a", "a")) is Reason.IDENTICAL
    assert filters.identical(candidate("a", "b")) is None
    check = filters.length_ratio(0.2, 5.0)
    assert check(candidate("abcde", "a")) is None
    assert check(candidate("abcdef", "a")) is Reason.LENGTH_RATIO
    assert check(candidate("a", "abcde")) is None
    assert check(candidate("a", "abcdef")) is Reason.LENGTH_RATIO
    assert filters.truncated(candidate("a", source=Text("s", cut=True))) is Reason.TRUNCATED
    assert filters.truncated(candidate("a")._replace(chosen=Text("s", cut=True))) is Reason.TRUNCATED
    assert filters.truncated(candidate("a", rejected=Text("s", cut=True))) is None


def test_every_filter_can_be_switched_off() -> None:
    values = {"model_name_or_path": "m", "languages": ["de"], "prompts": "{language}.jsonl"}
    off = dict.fromkeys(("truncated", "identical", "off_target", "repetition", "length_ratio", "fidelity"), False)
    with_all = filters.filters_of(Config.model_validate(values))
    with_none = filters.filters_of(Config.model_validate({**values, "filters": off}))
    assert len(with_all) - len(with_none) == len(off)


@pytest.mark.parametrize(
    ("text", "answer", "right"),
    [
        ("So she earns $1,000.", "1000.0", True),
        ("La respuesta es 1.000.", "1,000", True),
        ("Es sind 1 000 Euro.", "1000", True),
        ("Antwort: 2,5", "2.5", True),
        ("答えは１８個です。", "18", True),
        ("الجواب هو ١٨", "18", True),
        ("উত্তর ১৮", "18", True),
        ("The answer is 18, not 17.", "18", True),
        ("The answer is 18, not 17.", "17", False),
        ("It is \\boxed{-3}", "-3", True),
        ("It is −3", "-3", True),
        ("no number", "3", False),
        ("#### 1,234,567", "1234567", True),
        ("5.00", "5", True),
        ("15", "1.5", False),
    ],
)
def test_numbers_compare_as_numbers(text: str, answer: str, right: bool) -> None:
    assert is_correct(text, answer) is right


def test_the_last_number_counts() -> None:
    assert {int(x) for x in final_numbers("first 3, then 4.")} == {4}


def test_contrast_wants_a_right_chosen_and_a_wrong_rejected() -> None:
    contrast, chosen = filters.answer(contrast=True), filters.answer(contrast=False)
    assert contrast(candidate("it is 5", "it is 4", final_answer="5")) is None
    assert contrast(candidate("it is 5", "so 5.0", final_answer="5")) is Reason.ANSWER
    assert chosen(candidate("it is 5", "so 5.0", final_answer="5")) is None
    assert chosen(candidate("it is 6", "so 5.0", final_answer="5")) is Reason.ANSWER


def test_the_languages_take_turns_by_position() -> None:
    codes = ["de", "es", "fr"]
    assert [next(iter(turns(i, codes, "one"))) for i in range(4)] == ["de", "es", "fr", "de"]
    assert list(turns(1, codes, "one")) == ["es", "fr", "de"]
    assert list(turns(1, codes, "all")) == codes
    assert list(turns(1, codes, "last")) == ["fr"]
    assert list(turns(1, codes, "none")) == []
