"""What a reasoning model thinks is no part of its answer."""

from lidr_plugin.text.thinking import without_thoughts


def test_thoughts_go_unless_they_are_wanted() -> None:
    assert without_thoughts("<think>a\nb</think>\n\nYes", thinking=False) == "Yes"
    assert without_thoughts("a\nb</think>Yes", thinking=False) == "Yes"
    assert without_thoughts("<think>never ends", thinking=False) == ""
    assert without_thoughts("<think>a</think>Yes", thinking=True) == "<think>a</think>Yes"
