"""The report as a person meets it: in a browser, wide and on a phone."""

import json
import re
from pathlib import Path

import pytest
from lidr_plugin.pages.report import write_report

from lidr_plugin.completions.progress import Meter
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.counts import Counts
from lidr_plugin.methods.base import Drop, Outcome, Preference, Reason, Text
from lidr_plugin.prompts.prompt import PromptText
from lidr_plugin.run_directory import RunDirectory
from tests.support.browser import measured
from tests.test_filters import SAMPLES

VALUES = {"model_name_or_path": "m", "languages": ["ar", "ja", "de"], "prompts": "{language}.jsonl"}
HOSTILE = '<script>document.title = "broken"</script> & "quoted"'


def candidate(language: str, number: int, text: str) -> Preference:
    passage = Text(text)
    return Preference(
        id=f"p{number}",
        language=language,
        prompt=PromptText(text[:40], HOSTILE),
        chosen=passage,
        rejected=Text(text[: len(text) // 2]),
        chosen_source=f"translation:en->{language}",
        rejected_source=f"response:{language}",
        source=passage,
    )


@pytest.fixture
def page(tmp_path: Path) -> Path:
    tally, meter = Counts(), Meter()
    for number in range(40):
        pairs = tuple(candidate(code, number, SAMPLES[code]) for code in ("ar", "ja", "en"))
        lost = Drop(candidate("de", number, HOSTILE), list(Reason)[number % len(Reason)])
        tally.add(Outcome(number, pairs, (lost,)))
    meter.add(100, 2000)
    run = RunDirectory(tmp_path)
    report = write_report(run, Config.model_validate(VALUES), tally, meter)
    assert json.loads(run.report_json.read_text()) == report
    assert report["candidates"] == {"en": 40, "ar": 40, "ja": 40, "de": 40}
    return run.report_html


def test_the_page_is_one_file_and_loads_nothing(page: Path) -> None:
    text = page.read_text()
    assert not re.search(r'(src|href)="', text)
    assert "url(" not in text
    assert 'dir="rtl" lang="ar"' in text
    assert "<script" not in text


@pytest.mark.parametrize("width", [1280, 390])
def test_it_opens_in_a_browser_without_overflow_and_shows_all_of_it(page: Path, width: int) -> None:
    found = measured(
        page,
        width,
        "{wide: document.documentElement.scrollWidth, view: innerWidth, title: document.title,"
        "bars: [...document.querySelectorAll('.bar')].map(b => Math.round([...b.children]"
        ".reduce((s, c) => s + c.getBoundingClientRect().width, 0) / b.getBoundingClientRect().width * 100)),"
        "arabic: getComputedStyle(document.querySelector('[lang=ar]')).direction,"
        "pairs: document.querySelectorAll('details').length}",
    )
    assert found["title"] == "lidr: lidr"
    assert found["wide"] <= found["view"] == width
    assert found["arabic"] == "rtl"
    assert found["pairs"] == 36
    assert all(98 <= share <= 101 for share in found["bars"])
