"""Marks of people: what a build makes of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import lidr_plugin as lidr
from lidr_plugin.dataset.marks import Mark, add_mark, read_marks, seal
from tests.conftest import prompts, rows_of, write_config, write_prompts
from tests.support import model
from tests.support.fake import Fake


class Named(Fake):
    """An engine without a server, and with a name."""

    identity = "fake"


def answer(request: lidr.Chat) -> lidr.Completion:
    text, reason = model.answer([message._asdict() for message in request.messages])
    return lidr.Completion(text, reason, 1, 1, bool(request.prefill))


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> lidr.Config:
    monkeypatch.chdir(tmp_path)
    write_prompts(tmp_path, prompts(6, ("en", "de")))
    return lidr.load(write_config(tmp_path, languages=["de"]))


def built(config: lidr.Config) -> tuple[Sequence[dict[str, Any]], dict[str, Any], Named]:
    engine = Named(answer)
    done = lidr.build_pairs(config, engine=engine)
    return rows_of(done.run.dataset(config.dataset_name)), done.report, engine


def mark(config: lidr.Config, row: dict[str, str], kind: str, note: str = "") -> None:
    texts = seal(row["id"], row["language"], [row["chosen"], row["rejected"]])
    add_mark(Path(config.output_dir) / "marks.jsonl", Mark(row["id"], row["language"], texts, kind, note))  # type: ignore[arg-type]


def test_the_next_build_leaves_out_what_is_bad_and_swaps_what_is_to_be_and_asks_nothing(config: lidr.Config) -> None:
    before, report, _ = built(config)
    assert report["marks"] == {}
    mark(config, before[0], "bad")
    mark(config, before[1], "swap")
    mark(config, before[2], "", "nice")
    after, report, engine = built(config)
    assert engine.seen == []
    assert report["marks"] == {"bad": 1, "swap": 1}
    language = before[0]["language"]
    assert report["rejected"]["marked"] == {language: 1}
    assert report["reasons"]["marked"]
    assert report["candidates"][language] == report["pairs"][language] + sum(
        counts.get(language, 0) for counts in report["rejected"].values()
    )
    dropped = [row for row in rows_of(Path(config.output_dir) / "rejected.jsonl") if row["reason"] == "marked"]
    kept = ("id", "language", "chosen", "rejected", "chosen_source", "rejected_source")
    assert [{name: row[name] for name in kept} for row in dropped] == [{name: before[0][name] for name in kept}]
    sides = {"chosen": "rejected", "rejected": "chosen"}
    swapped = {
        name: before[1][next((name.replace(s, o) for s, o in sides.items() if s in name), name)] for name in before[1]
    }
    assert after == [swapped, *before[2:]]
    assert built(config)[0] == after, "a swapped pair is not swapped back by its own mark"


def test_a_mark_that_is_taken_back_changes_nothing(config: lidr.Config) -> None:
    before, _, _ = built(config)
    mark(config, before[0], "bad")
    mark(config, before[0], "")
    assert built(config)[0] == before


def test_a_mark_says_nothing_of_other_texts_of_the_same_prompt(config: lidr.Config) -> None:
    before, _, _ = built(config)
    mark(config, {**before[0], "chosen": "what another model said"}, "bad")
    after, report, _ = built(config)
    assert after == before
    assert report["marks"] == {}


def test_the_command_and_the_page_tell_what_was_marked(config: lidr.Config, capsys: pytest.CaptureFixture[str]) -> None:
    from lidr_cli.build_pairs import show_built

    before, _, _ = built(config)
    mark(config, before[0], "bad")
    show_built(lidr.build_pairs(config, engine=Named(answer)))
    assert "marked by a person: 1 left out as bad, 0 swapped" in capsys.readouterr().out
    assert "Marked by a person: 1 left out as bad, 0 swapped" in (Path(config.output_dir) / "report.html").read_text()


def test_a_line_that_a_kill_left_half_written_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "marks.jsonl"
    path.write_bytes(b'{"id": "a", "language": "de", "texts": "1", "mark": "bad"}')
    add_mark(path, Mark("b", "de", "2", "swap"))
    assert {texts: found.mark for texts, found in read_marks(path).by_texts.items()} == {"1": "bad", "2": "swap"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not valid JSON"),
        ("[]", "a mark has id, language and texts"),
        ('{"id": "a", "language": "de"}', "a mark has id, language and texts"),
        ('{"id": 1, "language": "de", "texts": "x"}', "id is a int, not text"),
        ('{"id": "a", "language": "de", "texts": "x", "mark": "worse"}', "unknown mark 'worse'"),
    ],
)
def test_a_damaged_line_is_named_before_anything_is_asked_or_written(config: lidr.Config, line: str, said: str) -> None:
    run = Path(config.output_dir)
    run.mkdir()
    (run / "marks.jsonl").write_text(f'\n{line}\n{{"id": "b", "language": "de", "texts": "y"}}\n')
    engine = Named(answer)
    with pytest.raises(lidr.InputError, match=r"marks\.jsonl:2: ") as found:
        lidr.build_pairs(config, engine=engine)
    assert said in found.value.message
    assert not engine.opened
    assert [path.name for path in run.iterdir()] == ["marks.jsonl"]
