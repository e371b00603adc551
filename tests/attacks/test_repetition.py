"""Texts without end

Promised: a chosen text that repeats itself without end is told in every script, also where a counter or a number changes from
round to round, where the loop is but the end of a good text, or breaks off within a word; a song, a plan, a table, code and what
the prompt asks for are not taken for it. The labelled texts are tests/corpora/repetition.jsonl. A quarter of a million hostile
characters are read within seconds.

Not promised: that the same thought in other words is told, nor a loop of whose rounds each differs in more than numbers.
"""

import time
from collections import Counter

import pytest

from benchmarks.repetition import Labelled, labelled
from lidr_plugin.text.repetition import is_degenerate

CORPUS = list(labelled())


@pytest.mark.parametrize("item", [x for x in CORPUS if x.kind not in ("prose", "list", "cut loop")], ids=lambda x: x.id)
def test_endless_repetition_is_told_and_nothing_else(item: Labelled) -> None:
    assert is_degenerate(item.text, item.prompt) is item.degenerate


def test_the_corpus_is_read_as_a_person_reads_it() -> None:
    wrong = [item.id for item in CORPUS if is_degenerate(item.text, item.prompt) is not item.degenerate]
    assert len(CORPUS) >= 300
    assert len(wrong) <= 0.01 * len(CORPUS), wrong
    assert min(Counter(item.degenerate for item in CORPUS).values()) >= 150


@pytest.mark.parametrize(
    "unit",
    [
        "@",
        "a",
        " ",
        "\n",
        "a ",
        "a\n",
        "1",
        "1 ",
        "1. ",
        "0,",
        "<",
        "|",
        "| ",
        "-",
        "…",
        "中",
        "ก",
        "\u200b",
        "x1 y2 ",
        "é",
        "#",
    ],
)
@pytest.mark.parametrize("head", ["", "Once upon a time. "])
def test_a_quarter_of_a_million_characters_are_read_within_seconds(unit: str, head: str) -> None:
    begun = time.process_time()
    is_degenerate(head + unit * (250_000 // len(unit)), f"Write {unit} 50 times. " * 1000)
    assert time.process_time() - begun < 5
