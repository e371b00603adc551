"""What `lidr view` finds in a run: its index, its search, differences, chains, and who is let in."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import lidr_plugin as lidr
from lidr_plugin.dataset.messages import message_row
from lidr_plugin.errors import InputError, RunError
from lidr_plugin.pages.view.difference import common, parts_of
from lidr_plugin.pages.view.library import Library, Listed
from lidr_plugin.run_directory import RunDirectory
from tests.conftest import Lidr, prompts, write_config, write_prompts
from tests.support import model
from tests.support.fake import Fake
from tests.support.view import pair, read_all, served, write_answers, write_lines


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """Pairs, a rejected candidate and answers."""
    run = RunDirectory(tmp_path / "run")
    rows = [
        pair("q1", "de", "Der Fluss trägt das Boot.", "Das Boot sinkt."),
        pair("q2", "ja", "東京都に住んでいます。", "大阪です。", chosen_score=0.9, rejected_score=0.2),
        pair("q3", "hi", "किताब मेज़ पर है", "नहीं"),
        pair("q4", "de", "Ein langer Fluss. " * 100, "Kurz."),
    ]
    write_lines(run.dataset("demo"), rows)
    write_lines(run.rejected, [{**pair("q5", "sw", "mto mrefu", ""), "reason": "empty"}])
    for label, text in (("M0", "A boat."), ("M1", "A better boat.")):
        write_answers(run, label, "en", {"What floats?": text})
    return run


@pytest.fixture
def library(run: RunDirectory) -> Iterator[Library]:
    found = read_all(Library(run))
    yield found
    found.close()


def ids(listed: Listed) -> list[str]:
    return [shown.item.id for shown in listed.shown]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("fluss", ["q1", "q4"]),
        ("fluss -boot", ["q4"]),
        ('"fluss trägt"', ["q1"]),
        ('"trägt fluss"', []),
        ("flu*", ["q1", "q4"]),
        ("flu", []),
        ("rejected:boot", ["q1"]),
        ("chosen:kurz", []),
        ("京都", ["q2"]),
        ("都京", []),
        ("किताब", ["q3"]),
        ("tragt", ["q1"]),
        ("prompt:question q3", ["q3"]),
        ("-boot", ["q2", "q3", "q4", "q5"]),
    ],
)
def test_words_phrases_and_parts_are_found_in_every_script(library: Library, said: str, found: list[str]) -> None:
    assert [id for id in ids(library.listed(said, {}, 0)) if id] == found


def test_facets_count_what_is_there_and_each_as_if_it_were_not_chosen(library: Library) -> None:
    listed = library.listed("", {"language": "de"}, 0)
    assert ids(listed) == ["q1", "q4"]
    assert listed.found.counts["language"] == {"de": 2, "en": 1, "hi": 1, "ja": 1, "sw": 1}
    assert listed.found.counts["kind"] == {"pair": 2}
    assert library.listed("", {"reason": "empty"}, 0).shown[0].item.kind == "rejected"
    assert ids(library.listed("", {"score": "2 up to 1"}, 0)) == ["q2"]
    assert ids(library.listed("fluss", {"length": "3 up to 3000"}, 0)) == ["q4"]
    assert ids(library.listed("fluss", {"source": "translation:en->ja"}, 0)) == []


def test_the_answers_of_all_models_to_a_question_are_one_item(library: Library) -> None:
    (shown,) = library.listed("", {"kind": "answers"}, 0).shown
    assert shown.item.prompt == "What floats?"
    assert [(side.name, side.text) for side in shown.item.sides] == [("M0", "A boat."), ("M1", "A better boat.")]


def test_a_long_list_comes_in_parts(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lidr_plugin.pages.view.index._AT_ONCE", 50)
    write_lines(run.dataset("demo"), [pair(f"p{n}", "de", f"eins {n}", "zwei") for n in range(120)])
    library = read_all(Library(run))
    seen, after = [], 0
    while True:
        listed = library.listed("eins", {}, after)
        seen += ids(listed)
        after = listed.found.last
        if not after:
            break
    library.close()
    assert seen == [f"p{n}" for n in range(120)]


def test_a_run_that_is_being_written_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    part = run.data / ".demo.jsonl.0123456789abcdef.part"
    write_lines(part, [pair("q1", "de", "eins", "zwei")])
    with part.open("ab") as file:
        file.write(b'{"id": "half')
    library = read_all(Library(run))
    assert ids(library.listed("", {}, 0)) == ["q1"]
    with part.open("ab") as file:
        file.write(b'-written", "language": "de", "chosen": "drei", "rejected": "vier"}\n')
    read_all(library)
    assert ids(library.listed("", {}, 0)) == ["q1", "half-written"]
    part.rename(run.dataset("demo"))
    read_all(library)
    assert ids(library.listed("drei", {}, 0)) == ["half-written"]
    write_lines(run.dataset("demo"), [pair("q9", "de", "neun", "acht")])
    read_all(library)
    assert ids(library.listed("", {}, 0)) == ["q9"]
    library.close()


def test_the_index_is_kept_and_a_damaged_one_is_made_again(run: RunDirectory) -> None:
    read_all(Library(run)).close()
    again = Library(run)
    assert not again.keep_up(0), "nothing is read twice"
    again.close()
    run.view.write_bytes(b"SQLite format 3\0" + b"rubbish" * 1000)
    library = read_all(Library(run))
    assert ids(library.listed("fluss", {}, 0)) == ["q1", "q4"]
    library.close()


def test_rounds_are_seen_together(tmp_path: Path) -> None:
    top = RunDirectory(tmp_path)
    for number in (1, 2):
        write_lines(top.round(number).dataset("demo"), [pair(f"q{number}", "de", "eins", "zwei")])
    library = read_all(Library(top))
    assert ids(library.listed("", {"round": "2"}, 0)) == ["q2"]
    assert library.mark(2, "bad", "")
    assert top.round(2).marks.exists()
    library.close()


def test_marks_are_kept_found_and_only_where_they_mean_something(library: Library, run: RunDirectory) -> None:
    assert library.mark(1, "swap", "better this way") is not None
    assert ids(library.listed("", {"marked": "1"}, 0)) == ["q1"]
    assert json.loads(run.marks.read_text())["note"] == "better this way"
    rejected = library.listed("", {"kind": "rejected"}, 0).shown[0].number
    with pytest.raises(InputError, match="cannot be marked"):
        library.mark(rejected, "swap", "")
    assert library.mark(rejected, "", "a pity") is not None
    assert library.mark(10_000, "bad", "") is None


def test_differences_are_those_of_words_and_in_chinese_of_characters() -> None:
    found = parts_of("the old boat sinks", "the new boat sinks")
    assert found is not None
    assert [part.text for part in found[0] if not part.shared] == ["old"]
    assert [part.text for part in found[1] if not part.shared] == ["new"]
    chinese = parts_of("我住在东京", "我住在北京")
    assert chinese is not None
    assert [part.text for part in chinese[0] if not part.shared] == ["东"]
    assert "".join(part.text for part in found[0]) == "the old boat sinks"


def test_common_words_are_as_many_as_there_are() -> None:
    assert common("ABCABBA", "CBABAC") is not None
    assert len(common("ABCABBA", "CBABAC") or ()) == 4
    assert common("", "") == []
    assert common("abc", "xyz", most=3) is None


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """A run of the pipeline itself."""

    class Named(Fake):
        identity = "fake"

    def answer(request: lidr.Chat) -> lidr.Completion:
        text, reason = model.answer([message._asdict() for message in request.messages])
        return lidr.Completion(text, reason, 7, 9, bool(request.prefill))

    monkeypatch.chdir(tmp_path)
    write_prompts(tmp_path, prompts(6, ("en", "de")))
    return lidr.build_pairs(lidr.load(write_config(tmp_path, languages=["de"])), engine=Named(answer)).run


def test_the_chain_of_a_pair_has_its_requests_and_answers_word_for_word(built: RunDirectory) -> None:
    library = read_all(Library(built))
    item = library.listed("", {"kind": "pair", "language": "de"}, 0).shown[0].item
    chain = library.chain(item)
    library.close_chains()
    library.close()
    assert not chain.problem
    names = [step.name for step in chain.steps if step.own]
    assert [f"{item.id} [en]", f"{item.id} [de]"] == names[:2]
    assert any("[en->de]" in name for name in names)
    answers = {step.name: step.answer for step in chain.steps}
    own = answers[f"{item.id} [de]"]
    assert own is not None
    assert own.text == item.sides[1].text
    request = next(step.request for step in chain.steps if "[en->de]" in step.name)
    english = answers[f"{item.id} [en]"]
    assert english is not None
    assert english.text in request.messages[-1].content


def test_a_chain_that_cannot_be_told_says_why(built: RunDirectory) -> None:
    library = read_all(Library(built))
    item = library.listed("", {"kind": "pair"}, 0).shown[0].item
    (built.path.parent / "prompts/de.jsonl").unlink()
    assert "no such file" in library.chain(item).problem
    library.close()


def asked(address: str, path: str, method: str = "GET", body: str = "", **headers: str) -> tuple[int, str]:
    where = urlsplit(address)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=20)
    connection.request(method, path, body or None, {name.replace("_", "-"): x for name, x in headers.items()})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, response.headers.get("Set-Cookie") or text


def test_only_who_has_the_token_is_let_in_and_only_from_this_page(run: RunDirectory) -> None:
    with served(run) as address:
        where = urlsplit(address)
        assert where.hostname == "127.0.0.1"
        assert asked(address, "/")[0] == 403
        assert asked(address, "/?token=wrong")[0] == 403
        status, cookie = asked(address, f"/?{where.query}")
        assert status == 303
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        own = cookie.partition(";")[0]
        assert asked(address, "/", Cookie=own)[0] == 200
        assert asked(address, "/items/1", Cookie="lidr-1=x")[0] == 403
        assert asked(address, "/", Cookie=own, Host="evil.example")[0] == 403
        mark = {"mark": "bad", "note": ""}
        json_type = {"Content_Type": "application/json"}
        assert (
            asked(
                address,
                "/items/1/mark",
                "POST",
                json.dumps(mark),
                Cookie=own,
                Origin="http://evil.example",
                **json_type,
            )[0]
            == 403
        )
        assert asked(address, "/items/1/mark", "POST", "mark=bad", Cookie=own)[0] == 415
        assert not run.marks.exists()
        assert asked(address, "/items/1/mark", "POST", json.dumps(mark), Cookie=own, **json_type)[0] == 200
        assert asked(address, "/items/1/mark", "POST", '{"mark": 3}', Cookie=own, **json_type)[0] == 400
        assert asked(address, "/items/1/mark", "POST", "{", Cookie=own, **json_type)[0] == 400
        assert asked(address, "/items/99/chain", Cookie=own)[0] == 404


def test_a_folder_that_is_not_there_is_wrong_input(lidr: Lidr) -> None:
    done = lidr("view", "nowhere")
    assert done.returncode == 2
    assert "no such folder" in done.stderr


def test_a_folder_without_a_run_is_wrong_input_and_stays_as_it_is(tmp_path: Path, lidr: Lidr) -> None:
    done = lidr("view", tmp_path)
    assert done.returncode == 2
    assert "no run of lidr there" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_port_that_is_taken_is_named(run: RunDirectory) -> None:
    from lidr_plugin.pages.view.server import serve

    with served(run) as address, pytest.raises(RunError, match="in use"):
        serve(run, urlsplit(address).port or 0, lambda _: None)


def test_rows_as_conversations_are_left_to_the_same_rows_in_alpaca_form_beside_them(run: RunDirectory) -> None:
    rows = [json.loads(line) for line in run.dataset("demo").read_bytes().splitlines()]
    write_lines(run.dataset("demo_alpaca"), rows)
    write_lines(run.dataset("demo"), [message_row(row) for row in rows])
    library = read_all(Library(run))
    assert library.listed("", {}, 0).found.counts["kind"] == {"answers": 1, "pair": 4, "rejected": 1}
    library.close()
