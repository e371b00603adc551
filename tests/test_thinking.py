"""What a reasoning model thinks is no part of its answer."""

import pytest

from lidr_plugin.text.thinking import without_thoughts


def test_thoughts_go_unless_they_are_wanted() -> None:
    assert without_thoughts("<think>a\nb</think>\n\nYes", thinking=False) == "Yes"
    assert without_thoughts("a\nb</think>Yes", thinking=False) == "Yes"
    assert without_thoughts("<think>never ends", thinking=False) == ""
    assert without_thoughts("<think>a</think>Yes", thinking=True) == "<think>a</think>Yes"


@pytest.mark.parametrize(
    "text",
    [
        "Write your thoughts between <think> and </think>, then answer.",
        "The tag `<think>` opens a thought.",
        "A thought ends with </think>.",
        "Everything up to `</think>` goes.",
        "Like this:\n\n```\n<think>\nhm\n</think>\n42\n```\n\nThe tags are not shown.",
        "Like this:\n\n```\nhm\n</think>\n42\n```",
    ],
)
def test_a_text_about_thoughts_stays_whole(text: str) -> None:
    assert without_thoughts(text, thinking=False) == text


def test_thoughts_before_a_text_about_thoughts_go() -> None:
    answer = "Use `</think>` to end a thought."
    assert without_thoughts(f"<think>He asks about '</think>'.\n</think>\n\n{answer}", thinking=False) == answer
    assert without_thoughts(f"<THINK>one</THINK>\n<think>two</think>\n{answer}", thinking=False) == answer
