"""Looking at what is hostile

Promised: `lidr view` shows whatever a model, a prompt or a damaged file holds as text; what is looked for is words, whatever signs
are in it; lines that are no rows are counted and left out; two texts are compared within seconds, or not at all.

Not promised: that a file of marks which a person damaged is guessed at: it is refused, with the line.
"""

import os
import random
from pathlib import Path

import pytest

from lidr_plugin.pages.view.difference import parts_of
from lidr_plugin.pages.view.items import FACETS
from lidr_plugin.pages.view.library import Library, Listed
from lidr_plugin.pages.view.render import Renderer, View
from lidr_plugin.pages.view.words import facet_word
from lidr_plugin.run_directory import RunDirectory
from tests.conftest import Lidr
from tests.support.view import pair, read_all, write_answers, write_lines


def shown(listed: Listed) -> list[str]:
    return [x.item.id for x in listed.shown]


QUERIES = [
    '"',
    '""',
    '"a" OR "b"',
    "AND OR NOT NEAR(a b, 3)",
    "facets : fall",
    "prompt:",
    "prompt:chosen:x",
    "{first second} : a",
    "^a + b",
    "*",
    "a**",
    "-",
    "--a",
    "-a -b",
    "(((((",
    "a\0b",
    "a' ; DROP TABLE item; --",
    "\u202e\u200b",
    "💥 é ß İ ı",
    "\ud800",
    "x" * 100_000,
    "a " * 5_000,
]


@pytest.mark.parametrize("said", QUERIES, ids=range(len(QUERIES)))
def test_whatever_is_looked_for_is_words(tmp_path: Path, said: str) -> None:
    run = RunDirectory(tmp_path)
    write_lines(run.dataset("demo"), [pair("q1", "de", "a b", "b c")])
    library = read_all(Library(run))
    listed = library.listed(said, {}, 0)
    assert shown(listed) in ([], ["q1"])
    page = Renderer("run").page(View(said), listed, None, library.state(), reading=False, problem="")
    assert "<script>" not in page
    library.close()


def test_a_text_cannot_pretend_to_have_a_facet(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    words = " ".join(facet_word(name, "fr") for name in FACETS)
    write_lines(run.dataset("demo"), [pair("q1", "de", words, "b"), pair("q2", "fr", "a", "b")])
    library = read_all(Library(run))
    assert shown(library.listed("", {"language": "fr"}, 0)) == ["q2"]
    assert shown(library.listed(facet_word("language", "de"), {}, 0)) == []
    library.close()


LINES = [
    b"",
    b"{",
    b"null",
    b"[1, 2]",
    b'"text"',
    b"{}",
    b'{"chosen": "a"}',
    b'{"id": "\\ud800", "chosen": "a", "rejected": "b"}',
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"chosen": NaN, "rejected": 1}',
    b"9" * 10_000,
]


def test_lines_that_are_no_rows_are_counted_and_left_out(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    write_lines(run.dataset("demo"), [pair("q1", "de", "a", "b"), pair("q2", "de", "c", "d")])
    first, second = run.dataset("demo").read_bytes().splitlines(keepends=True)
    run.dataset("demo").write_bytes(first + b"".join(line + b"\n" for line in LINES) + second)
    library = read_all(Library(run))
    assert shown(library.listed("", {}, 0)) == ["q1", "q2"]
    assert library.state().unreadable == len(LINES)
    library.close()


def test_a_row_of_other_kinds_of_values_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    odd = {"id": 7, "language": ["de"], "chosen": {"a": 1}, "rejected": None, "chosen_score": "high", "reason": 3}
    write_lines(
        run.dataset("demo"), [odd, {"id": "x", "output": "text", "chosen_score": 1e308, "rejected_score": -1e308}]
    )
    write_lines(run.rejected, [{**pair("q", "xx-unknown", "", ""), "reason": "<b>", "chosen_source": "->:->"}])
    library = read_all(Library(run))
    listed = library.listed("", {}, 0)
    assert shown(listed) == ["7", "x", "q"]
    for x in listed.shown:
        page = Renderer("<b>").page(View(different=True), listed, x, library.state(), reading=True, problem="<b>")
        assert "<b></b>" not in page
        assert "<b>&" not in page.replace("<b>lidr", "")
    library.close()


def test_damaged_answers_are_left_out(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    write_answers(run, "M0", "de", {"a?": "b"})
    folder = run.eval_results.parent
    (folder / "M1.alpaca_eval.de.json").write_text("[{]")
    (folder / "M2.alpaca_eval.de.json").write_text('{"a": 1}')
    (folder / "M3.alpaca_eval.de.json").write_text('[1, {"instruction": 1, "output": 2}]')
    (folder / "M0.mgsm.de.jsonl").write_text('{"id": 1, "answer": "4", "expected": "4"}\n{')
    os.mkfifo(folder / "M4.alpaca_eval.de.json")
    library = read_all(Library(run))
    assert [len(x.item.sides) for x in library.listed("", {}, 0).shown] == [1, 1]
    library.close()


@pytest.mark.parametrize("seed", range(4))
def test_texts_that_are_hard_to_compare_are_compared_within_seconds_or_not_at_all(seed: int) -> None:
    chance = random.Random(seed)
    stock = ["a", "b", " ", "字", "é", "\u202e"][: seed + 2]
    one, other = ("".join(chance.choices(stock, k=200_000)) for _ in range(2))
    parts_of(one, other)
    parts_of(one, "")
    assert parts_of(one, one) is not None


def test_marks_that_are_no_file_are_refused(tmp_path: Path, lidr: Lidr) -> None:
    (tmp_path / "run").mkdir()
    os.mkfifo(tmp_path / "run/marks.jsonl")
    done = lidr("view", "run")
    assert done.returncode == 2
    assert "a pipe, not a file" in done.stderr
