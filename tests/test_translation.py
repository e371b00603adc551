"""Requests for responses and translations, and tolerant reading of what comes back."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import read_translations
from lidr_plugin.completions.requests import Chat, Completion, Sampling, SharedChat
from lidr_plugin.completions.steps import Course
from lidr_plugin.methods import translation
from lidr_plugin.methods.base import Ask, Text
from lidr_plugin.methods.translation_echo import share_within
from lidr_plugin.methods.translation_prompts import asks_for_translation

SAMPLING = Sampling(0.0, 1.0, 100, 1.1, 42, False)


def completion(text: str, finish: str = "stop", *, prefilled: bool = True) -> Completion:
    return Completion(text, finish, 1, 1, prefilled)


@pytest.mark.parametrize(
    ("answer", "prefilled", "text"),
    [
        ("Guten Tag\n</translated>", True, "Guten Tag"),
        ("Guten Tag\n</translated>\n\nNote: formal.", True, "Guten Tag"),
        ("Guten Tag", True, "Guten Tag"),
        ("<translated>\nGuten Tag\n</translated>", True, "Guten Tag"),
        ("<sentence>\nGuten Tag\n</sentence>\n</translated>", True, "Guten Tag"),
        ("Here it is:\n<translated>\nGuten Tag\n</translated>", False, "Guten Tag"),
        ("<translated>Guten Tag", False, "Guten Tag"),
        ("Guten Tag", False, ""),
        ("I cannot do that.", False, ""),
        ("</translated>", True, ""),
        ("", True, ""),
        ("<think>hm</think>Guten Tag</translated>", True, "Guten Tag"),
    ],
)
def test_a_translation_is_found_in_all_the_shapes_it_comes_in(answer: str, prefilled: bool, text: str) -> None:
    found = translation.parse_translation(completion(answer, prefilled=prefilled), "Good day", thinking=False)
    assert found == translation.Translated(text, cut=False)


def test_cut_is_what_stopped_at_the_limit_before_the_closing_tag() -> None:
    assert translation.parse_translation(completion("Guten", "length"), "Good day", thinking=False).cut
    assert not translation.parse_translation(
        completion("Guten</translated> No", "length"), "Good day", thinking=False
    ).cut


def test_text_that_contains_the_tags_does_not_break_it() -> None:
    source = "Write <translated>x</translated> and </sentence>."
    answer = "Schreibe <translated>x</translated> und </sentence>.\n</translated>\nbye"
    found = translation.parse_translation(completion(answer), source, thinking=False)
    assert found.text == "Schreibe <translated>x</translated> und </sentence>."


def test_the_request_has_the_text_between_its_tags_on_lines_of_their_own() -> None:
    ask = Ask({"translator": "w"})
    translator = translation.Translator(SAMPLING, translation.TEMPLATE, retries=0, skip_cut=True)
    request = translator.request("Braces {text} {language}", "de", 0, ask, "r")
    content = request.messages[0].content
    assert "\n<sentence>\nBraces {text} {language}\n</sentence>" in content
    assert "German" in content
    assert request.prefill == "<translated>\n"


def test_parts_are_paragraphs_and_code_blocks_stay_whole() -> None:
    text = "One one one.\n\nTwo two two.\n\n```\na\n\nb\n```\n\nThree."
    assert translation.in_parts("A single paragraph.", 1) == ["A single paragraph."]
    parts = translation.in_parts(text, 3)
    assert "```\na\n\nb\n```" in parts
    assert len(translation.in_parts(text, 1)) == 2 or len(translation.in_parts(text, 1)) == 3


@given(st.lists(st.text("ab `\n", min_size=1), min_size=1), st.integers(1, 4))
def test_parts_lose_no_word(paragraphs: list[str], attempt: int) -> None:
    text = "\n\n".join(paragraphs)
    assert "\n\n".join(translation.in_parts(text, attempt)).split() == text.split()


def test_answers_are_read_as_a_person_reads_them() -> None:
    readings = list(read_translations.shapes())
    assert len(readings) > 100
    assert [reading for reading in readings if reading.verdict != "right"] == []


def test_prompts_that_ask_for_a_translation_are_recognised() -> None:
    readings = list(read_translations.prompts())
    assert len(readings) > 200
    misread = [reading for reading in readings if reading.verdict != "right"]
    assert len(misread) <= 0.01 * len(readings), misread


def test_all_prompts_that_the_papers_authors_marked_are_recognised_and_few_others(shared: Path) -> None:
    def prompts(name: str) -> list[str]:
        lines = (shared / "data/llama3-8b" / name).read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["prompt"] for line in lines]

    marked = prompts("translation_prompts.jsonl")
    assert [prompt for prompt in marked if not asks_for_translation(prompt)] == []
    assert [text for text in prompts("en.responses.jsonl") if asks_for_translation(text) and text not in marked] == []


def test_only_a_text_with_the_requests_own_tags_is_sent_otherwise_than_it_is() -> None:
    ask = Ask({"translator": "w"})
    translator = translation.Translator(SAMPLING, translation.TEMPLATE, retries=0, skip_cut=True)
    for text in ("<b>Bold</b> & <i>italic</i>", "a < b", "&lt;sentence&gt;"):
        assert f"\n<sentence>\n{text}\n</sentence>" in translator.request(text, "de", 0, ask, "r").messages[0].content
    own = translator.request("Close with </sentence>\n</sentence> now", "de", 0, ask, "r").messages[0].content
    assert own.count("</sentence>") == 1


SOURCE = "The river carries every small boat to the harbour."
REQUEST = translation.bare_request(translation.TEMPLATE, "German")
TRANSLATED = "Der Fluss trägt jedes kleine Boot zum Hafen."
OWN = "Übersetze den Text zwischen den Satzmarken ins Deutsche und behalte Ton und Aufbau bei, sonst nichts."


def translate(answers: Callable[[Chat], str], *, knows_echoes: bool = True) -> tuple[Text, list[Chat]]:
    """What one text becomes, and what was asked for it."""
    translator = translation.Translator(SAMPLING, translation.TEMPLATE, 1, skip_cut=True, knows_echoes=knows_echoes)
    course, asked = Course(translator.carried(Text(SOURCE), "en", "de", Ask({"translator": "w"}), "1")), []
    while course.wanted:
        wanted, course.wanted = course.wanted, []
        for branch, request in wanted:
            asked.append(request)
            course.answer(branch, completion(f"{answers(request)}\n</translated>"))
    return course.result, asked


def is_for_the_request(request: Chat) -> bool:
    return REQUEST.splitlines()[0] in request.messages[0].content.partition("<sentence>")[2]


@pytest.mark.parametrize("echo", [OWN, REQUEST, OWN.replace("Satzmarken", "Satz-Tags")])
def test_a_translation_of_the_request_is_tried_again_and_then_marked(echo: str) -> None:
    found, asked = translate(lambda request: OWN if is_for_the_request(request) else echo)
    assert found == Text(echo, echo=True)
    assert [is_for_the_request(request) for request in asked] == [False, True, False], (
        "its translation is known the second time"
    )
    assert all(isinstance(request, SharedChat) is is_for_the_request(request) for request in asked)


@pytest.mark.parametrize("made_up", [f"{TRANSLATED} Es sind 12.", " ".join([TRANSLATED] * 30)])
def test_what_cannot_be_a_translation_of_the_request_makes_no_echo_of_texts_like_it(made_up: str) -> None:
    found, _ = translate(lambda request: made_up if is_for_the_request(request) else TRANSLATED)
    assert found == Text(TRANSLATED)


def test_a_second_try_that_is_no_echo_is_taken() -> None:
    tries = iter([OWN, TRANSLATED])
    found, _ = translate(lambda request: OWN if is_for_the_request(request) else next(tries))
    assert found == Text(TRANSLATED)


@pytest.mark.parametrize("tag", ["<translated>…", "&lt;translated&gt;...", "</translated"])
def test_a_text_that_holds_a_tag_of_the_request_is_an_echo(tag: str) -> None:
    told = f"نكتب الترجمة في المحتوى المناسب، مثل {tag}"
    assert translation.is_echo(told, SOURCE, REQUEST)
    assert not translation.is_echo(told, f"Put {tag} before the text.", REQUEST)


def test_a_text_about_translations_is_no_echo() -> None:
    assert translation.is_echo(OWN, SOURCE, f"{OWN}\n{REQUEST}")
    assert not translation.is_echo(OWN, REQUEST, f"{OWN}\n{REQUEST}")
    assert not translation.is_echo("Übersetze den Brief bitte bis Montag.", SOURCE, f"{OWN}\n{REQUEST}")


def test_the_request_is_not_asked_about_itself_where_the_filter_is_off() -> None:
    found, asked = translate(lambda _: TRANSLATED, knows_echoes=False)
    assert found == Text(TRANSLATED)
    assert len(asked) == 1


@pytest.mark.parametrize("length", [0, 8, 9, 10, 72, 73, 137, 200, 640, 5000])
def test_the_share_of_a_text_within_another_is_that_of_n_grams_at_even_distances(length: int) -> None:
    text = " ".join(f"{number} boats" for number in range(2000))[:length].strip()
    grams = [text[place : place + 9] for place in range(len(text) - 8)]
    looked = grams[:: max(1, -(-len(grams) // 64))]
    other = text[: length // 2] + "and no more"
    assert share_within(text, other) == (sum(gram in other for gram in looked) / len(looked) if looked else 0)
