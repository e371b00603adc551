"""Texts in the language that was wanted, in another one, and in several."""

import json
from pathlib import Path

import pytest

from lidr_plugin import languages
from lidr_plugin.text import prose
from lidr_plugin.text.identifier import LABELS, identifier
from lidr_plugin.text.language import Identification, LanguageGate
from tests.support.texts import SAMPLES

RUN = ["en", "de", "es", "fr", "ru"]
PORTUGUESE = (
    "Não sei se amanhã vamos à praia, mas o meu irmão disse que já não há bilhetes para o comboio das oito. "
    "Então ficamos em casa e fazemos pão com a avó."
)


@pytest.mark.parametrize("code", SAMPLES)
def test_the_language_of_a_plain_text_is_told(code: str) -> None:
    gate = LanguageGate(list(SAMPLES))
    assert gate.detect(SAMPLES[code]) == code
    assert gate.off_target(SAMPLES[code], "de") is (code != "de")


@pytest.mark.parametrize("code", [code for code in SAMPLES if code != "de"])
def test_a_language_outside_of_the_run_is_seen(code: str) -> None:
    assert LanguageGate(["de"]).off_target(SAMPLES[code], "de")


def test_a_neighbour_outside_of_the_run_is_seen_where_it_is_clear() -> None:
    assert LanguageGate(["en", "es"]).off_target(PORTUGUESE, "es")
    assert not LanguageGate(["en", "pt-BR"]).off_target(PORTUGUESE, "pt-BR")


@pytest.mark.parametrize(
    "text",
    [
        "Yes.",
        "Je t'aime",
        "```python\nfor word in sentence.split():\n    print(word)  # shows every word of the sentence\n```",
        "~~~\nThis is a longer block of plain text that stands between tildes\n~~~",
        "https://example.org/a/very/long/address/with/many/english/words/in/it",
        "`SELECT name FROM users WHERE id = 3`",
        "42 + 58 = 100",
        "Write to somebody.with.a.long.name@a-rather-long-domain.example.org",
        "$$\\text{the speed of the train is given by the distance over time}$$",
        "William Shakespeare, Charles Dickens, Virginia Woolf, George Orwell, Jane Austen",
        "| name | age | city |\n|---|---|---|\n| the first of them | 12 | somewhere |",
        "# add all the numbers of the list\ndef total(values):\n    result = 0\n    for value in values:\n        result += value\n"
        "    return result\n\nprint(total([1, 2, 3]))",
        "SELECT name, address FROM customers WHERE orders > 3 ORDER BY name;",
        "pip install something-with-a-name another-one and-one-more",
        "🎉🎉🎉 👍👍👍",
        "\u200b\u200b\u200b",
    ],
)
def test_what_is_no_prose_does_not_decide(text: str) -> None:
    assert not LanguageGate(["en", "de"]).off_target(text, "de")


def test_code_in_a_text_does_not_hide_its_language() -> None:
    code = "```python\nprint('this is a line of code with many english words in it, really many')\n```\n"
    bare = "import numpy as np\n\n# the mean of all the values in the list\nprint(np.mean([1, 2, 3]))\n\n"
    gate = LanguageGate(["en", "de"])
    for lines in (code, bare):
        assert not gate.off_target(lines + SAMPLES["de"], "de")
        assert gate.off_target(lines + SAMPLES["en"], "de")


def test_a_text_is_judged_by_its_lines() -> None:
    gate = LanguageGate(["en", "de"])
    english, german = SAMPLES["en"], SAMPLES["de"]
    assert gate.off_target(f"{german}\n{english}\n{german}\n{english}", "de"), "half English"
    assert gate.off_target(f"{german}\n\n{english}", "de")
    quoting = f"{german}\n{german[:60]} ist ein Satz:\n„{english}“\n{german}\n{german}"
    assert not gate.off_target(quoting, "de")


@pytest.mark.parametrize(
    ("text", "code"), [("네, 맞습니다.", "de"), ("Да, конечно.", "fr"), ("はい、そうです。", "sw"), ("是的。", "ko")]
)
def test_a_short_text_wholly_in_another_script_is_off_target(text: str, code: str) -> None:
    assert LanguageGate(["en", code]).off_target(text, code)


@pytest.mark.parametrize("text", ["iPhone 15 Pro", "Albert Einstein", "Python"])
def test_a_short_text_in_latin_letters_may_be_a_name_anywhere(text: str) -> None:
    assert not LanguageGate(["en", "ko"]).off_target(text, "ko")


@pytest.mark.parametrize(
    ("code", "right", "wrong"),
    [
        ("zh-Hant", "圖書館開放到晚上八點，星期六還有給孩子們的閱讀時間。", SAMPLES["zh"]),
        ("zh-CN", SAMPLES["zh"], "圖書館開放到晚上八點，星期六還有給孩子們的閱讀時間。"),
        (
            "sr-Latn",
            "Biblioteka je otvorena do osam uveče, a subotom se čitaju priče za decu.",
            "Библиотека је отворена до осам.",
        ),
        (
            "nb",
            "Biblioteket er åpent til klokken åtte om kvelden, og på lørdager leses det høyt for barna.",
            SAMPLES["de"],
        ),
        ("iw", "הספרייה פתוחה עד שמונה בערב, ובשבתות יש שעת קריאה לילדים.", SAMPLES["ar"]),
    ],
)
def test_a_code_says_which_script_is_wanted(code: str, right: str, wrong: str) -> None:
    gate = LanguageGate(["en", code])
    assert not gate.off_target(right, code)
    assert gate.off_target(wrong, code)


@pytest.mark.parametrize("code", ["mi", "ti", "bo", "gn", "xyz"])
def test_a_language_that_cannot_be_identified_costs_its_own_gate_only(code: str) -> None:
    gate = LanguageGate(["en", code, "de"])
    assert gate.off_target(SAMPLES["en"], "de")
    assert gate.off_target(SAMPLES["zh"], code), "its script is known"
    assert gate.off_target(SAMPLES["en"], code), "nothing is taken for English that is not"
    assert len(Identification(["en", code, "de"]).notes) == 1


def test_texts_in_languages_that_cannot_be_identified_pass() -> None:
    maori = "E noho tuwhera ana te whare pukapuka tae noa ki te waru i te ahiahi, ā, ka pānui pukapuka mā ngā tamariki."
    tswana = "Laeborari e bulwa go fitlha ka ura ya bofera bobedi mo maitseboeng, mme ka Matlhatso go buisediwa bana dikgang."
    assert not LanguageGate(["en", "mi"]).off_target(maori, "mi")
    assert not LanguageGate(["en", "tn"]).off_target(tswana, "tn")


def test_the_labels_are_those_of_the_model() -> None:
    assert set(identifier().evidence("a text")) == LABELS
    assert {languages.tag(code).base for code in "no nb nn tl fil zh yue am ha ig km lo my ne si uz".split()} <= LABELS


def test_texts_of_any_length_are_scored_together() -> None:
    for times in (1, 30, 3):  # the second is longer than any that is kept room for, and the third follows it
        texts = [" ".join([SAMPLES[code]] * times) for code in ("de", "ru", "ja")]
        assert identifier().best(texts) == ["de", "ru", "ja"]


def test_real_answers_are_in_the_language_that_they_are_in(shared: Path) -> None:
    lines = (shared / "data/llama3-8b/en_to_fr.jsonl").read_text().splitlines()[::4]
    rows = [json.loads(line) for line in lines]
    french = [row["en2fr_reponse"] for row in rows if row["en2fr_reponse"] != "Translation Error"]
    english = [row["response"] for row in rows]
    gate = LanguageGate(RUN)
    assert sum(gate.off_target(text, "fr") for text in french) <= 0.01 * len(french)
    assert sum(gate.off_target(text, "en") for text in english) <= 0.01 * len(english)
    long = [text for text in english if len(text) > 300 and "```" not in text]
    assert sum(gate.off_target(text, "fr") for text in long) >= 0.98 * len(long)


def test_prose_is_what_remains() -> None:
    text = "Zwiebeln (fein gehackt);\nDie Kolleg(inn)en [1] kommen; das gilt auch hier.\nx = f(y);\n"
    assert prose.lines(text) == ["Zwiebeln (fein gehackt);", "Die Kolleg(inn)en [1] kommen; das gilt auch hier."]


def test_names_of_codes() -> None:
    assert languages.name_of("iw") == "Hebrew"
    assert languages.name_of("bo") == "Tibetan"
    assert languages.name_of("zh-Hant-TW") == "Traditional Chinese"
    assert languages.name_of("sr-Latn") == "Serbian (Latin script)"
    for code in ("../de", "de_DE", "deutsch", "qaa", "xx", "", "de-", " de", "x-klingon", "de\n"):
        assert not languages.is_known(code), code
