"""The page of `lidr view` in Chromium: search, facets, marks, keys, a phone, and texts that want to be more than text."""

import json
import re
import shutil
from collections.abc import Iterator

import pytest

from lidr_plugin.run_directory import RunDirectory
from tests.support.view import pair, served, write_answers, write_lines

playwright = pytest.importorskip("playwright.sync_api")
HOSTILE = [
    "<script>document.title = 'owned'</script>",
    '"><img src=x onerror="document.title=\'owned\'">',
    "{{ 7 * 7 }} {% raw %} &lt;b&gt; <!-- </article></main> -->",
    "\u202eevil\u202c \x1b[31m \u0000 \ufeff",
    "W" * 5000,
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    run = RunDirectory(tmp_path_factory.mktemp("view") / "run")
    rows = [
        pair("q1", "de", "Der alte Fluss trägt das Boot.", "Der neue Fluss trägt das Boot."),
        pair("q2", "ar", "النهر طويل جدا وجميل", "The river is long.", instruction="ما هو النهر؟"),
        pair("q3", "ja", "東京都に住んでいます。", "大阪です。"),
        *[pair(text, "de", text, f"{text} again") for text in HOSTILE],
    ]
    write_lines(run.dataset("demo"), rows)
    write_lines(run.rejected, [{**pair("q5", "sw", "mto mrefu", "x"), "reason": "length_ratio"}])
    for label in ("M0", "M1", "M2"):
        write_answers(run, label, "en", {"What floats?": f"{label} says: a boat."})
    return run


@pytest.fixture(scope="module")
def browser() -> "Iterator[playwright.Browser]":
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(run: RunDirectory) -> Iterator[str]:
    with served(run) as address:
        yield address


@pytest.fixture
def page(browser: "playwright.Browser", address: str) -> "Iterator[playwright.Page]":
    """The page as it is opened by the address that is printed; nothing in it may go wrong."""
    context = browser.new_context(viewport={"width": 1300, "height": 800})
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    page.goto(address)
    yield page
    context.close()
    assert problems == []


def hits(page: "playwright.Page") -> list[str]:
    return page.locator(".hit .id").all_inner_texts()


def test_a_search_and_a_facet_narrow_the_list_and_mark_what_was_found(page: "playwright.Page") -> None:
    assert "token" not in page.url
    page.keyboard.press("/")
    page.keyboard.type("fluss")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=fluss**")
    assert hits(page) == ["q1"]
    assert page.locator("#item mark.found").all_inner_texts() == ["Fluss", "Fluss"]
    page.goto(re.sub(r"\?.*", "", page.url))
    page.locator(".facets a", has_text="Japanese").click()
    page.wait_for_url("**language=ja**")
    assert hits(page) == ["q3"]
    page.locator(".facets a.on", has_text="Japanese").click()
    page.wait_for_function("document.querySelectorAll('.hit').length > 3")


def test_keys_move_mark_note_and_show_differences(page: "playwright.Page", run: RunDirectory) -> None:
    page.keyboard.press("d")
    page.locator("#item mark.own").first.wait_for()
    assert page.locator("#item mark.own").all_inner_texts() == ["alte", "neue"]
    page.keyboard.press("j")
    page.locator("#item", has_text="النهر").wait_for()
    page.keyboard.press("b")
    page.locator(".hit.on .badge.bad").wait_for()
    page.keyboard.press("n")
    page.keyboard.type("too short, b and j")
    page.keyboard.press("Enter")
    page.locator("#item .badge.note").wait_for()
    page.keyboard.press("k")
    page.locator("#item", has_text="alte").wait_for()
    marks = [json.loads(line) for line in run.marks.read_text().splitlines()]
    assert [(mark["id"], mark["mark"], mark["note"]) for mark in marks] == [
        ("q2", "bad", ""),
        ("q2", "bad", "too short, b and j"),
    ]
    page.keyboard.press("j")
    page.locator("#item .badge.bad").wait_for()
    page.keyboard.press("b")
    page.locator("#item .badge.bad").wait_for(state="detached")
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("Escape")


def test_texts_run_in_their_own_direction(page: "playwright.Page") -> None:
    page.locator(".hit", has_text="q2").click()
    chosen = page.locator("#item .chosen .text")
    chosen.wait_for()
    assert (chosen.get_attribute("dir"), chosen.get_attribute("lang")) == ("rtl", "ar")
    directions = "e => [...e.querySelectorAll('.text')].map(x => getComputedStyle(x).direction)"
    assert page.locator("#item").evaluate(directions) == ["rtl", "rtl", "ltr"]
    page.locator(".hit", has_text="q3").click()
    page.locator("#item", has_text="東京").wait_for()
    assert "CJK JP" in page.locator("#item .chosen .text").evaluate("e => getComputedStyle(e).fontFamily")


def test_hostile_texts_are_shown_as_they_are_and_do_nothing(page: "playwright.Page") -> None:
    for text in HOSTILE[:3]:
        page.locator(".hit", has_text=text[:12]).first.click()
        page.locator("#item .chosen .text", has_text=text[:12]).wait_for()
        assert page.locator("#item .chosen .text").text_content() == text
    assert page.title() == "lidr: run"
    assert page.locator("#reader script, #reader img").count() == 0


def test_the_answers_of_all_models_stand_side_by_side(page: "playwright.Page") -> None:
    page.locator(".facets a", has_text="answers of models").click()
    page.wait_for_url("**kind=answers**")
    assert page.locator("#item .side .text").all_inner_texts() == [f"M{n} says: a boat." for n in range(3)]


def test_on_a_phone_nothing_is_wider_than_the_screen_and_an_item_has_it_for_itself(page: "playwright.Page") -> None:
    page.set_viewport_size({"width": 360, "height": 700})
    page.reload()
    wide = "document.documentElement.scrollWidth"
    assert page.evaluate(wide) <= 360
    assert not page.locator("#item").is_visible()
    page.locator(".hit", has_text="WWW").click()
    page.locator("#item").wait_for()
    assert page.evaluate(wide) <= 360
    assert not page.locator(".list").is_visible()
    page.locator("button.back").click()
    assert page.locator(".list").is_visible()
    page.locator(".facets summary").click()
    assert page.locator(".facets a").first.is_visible()
    assert page.evaluate(wide) <= 360


def test_the_chain_says_where_it_cannot_be_told(page: "playwright.Page") -> None:
    page.keyboard.press("c")
    hint = page.locator("#chain .hint", has_text="config.json")
    hint.wait_for()
    assert hint.is_visible()


def test_what_is_not_in_the_page_is_not_run(page: "playwright.Page", address: str) -> None:
    answer = page.request.get(address)
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    body = re.sub(r"(?s)<main>.*</main>", "", answer.text())
    assert not re.search(r"<script(?! src=)|style=|\son\w+=", body)
