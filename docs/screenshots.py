"""Takes the pictures of docs/img: the page of the quickstart (its completions are recorded) and the view of it.

python -m docs.screenshots            wants Chromium and the package playwright (pip install -e '.[dev]')
python -m docs.screenshots FOLDER     also of a phone and of the dark side, to be looked at
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

import lidr_plugin as lidr
from lidr_plugin.completions.exchange import load
from lidr_plugin.run_directory import RunDirectory
from tests.support.view import served

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples/quickstart"


class Screen(NamedTuple):
    """How wide and high a window is, and whether it is dark."""

    width: int
    height: int
    dark: bool = False


DESK, PAGE, PHONE = Screen(1400, 860), Screen(1280, 1500), Screen(400, 820)


def quickstart(folder: Path) -> RunDirectory:
    """The example's run, without a model."""
    run = RunDirectory(folder / "quickstart")
    run.path.mkdir()
    load(run, EXAMPLE / "completions.jsonl")
    lidr.build_pairs(lidr.load(EXAMPLE / "lidr.yaml", f"output_dir={run.path}"))
    return run


@contextmanager
def window(browser: Browser, address: str, screen: Screen) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": screen.width, "height": screen.height}, color_scheme="dark" if screen.dark else "light"
    )
    page = context.new_page()
    page.goto(address)
    yield page
    context.close()


def looked_at(page: Page) -> None:
    """A pair with its differences, marked."""
    page.keyboard.press("j")
    page.locator("#item", has_text="ahorrar").wait_for()
    if not page.locator("#item .badge").count():
        page.keyboard.press("s")
        page.locator("#item .badge").wait_for()
    page.keyboard.press("d")
    page.locator("#item mark.own").first.wait_for()


def main() -> None:
    further = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    browser_file = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder:
        run = quickstart(Path(folder))  # before the browser, which has a loop of its own in this thread
        _take(run, browser_file, further)


def _take(run: RunDirectory, browser_file: str | None, further: Path | None) -> None:
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=browser_file, args=["--no-sandbox"])
        with window(browser, run.report_html.as_uri(), PAGE) as page:
            page.screenshot(path=ROOT / "docs/img/report.png")
        with served(run) as address:
            with window(browser, address, DESK) as page:
                looked_at(page)
                page.screenshot(path=ROOT / "docs/img/view.png")
                if further:
                    page.keyboard.press("c")
                    page.locator("#chain li").first.wait_for()
                    page.wait_for_timeout(800)
                    page.screenshot(path=further / "chain.png")
            if further:
                _further(browser, run, address, further)
        browser.close()


def _further(browser: Browser, run: RunDirectory, address: str, folder: Path) -> None:
    for name, at, screen in (("report", run.report_html.as_uri(), PAGE), ("view", address, DESK)):
        with window(browser, at, screen._replace(dark=True)) as page:
            page.screenshot(path=folder / f"{name}-dark.png")
        with window(browser, at, PHONE) as page:
            page.screenshot(path=folder / f"{name}-phone.png")
            if name == "view":
                page.locator(".hit").nth(1).click()
                page.locator("#item .chosen").wait_for()
                page.screenshot(path=folder / "item-phone.png")


if __name__ == "__main__":
    main()
