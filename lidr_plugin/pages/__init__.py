"""The page of a run, whatever there is of it: `report.html` for people, `.md` for a README, `.json` for programs."""

from pathlib import Path
from typing import Any

from lidr_plugin import files
from lidr_plugin.errors import InputError, RunError
from lidr_plugin.pages.collect import collect, there
from lidr_plugin.pages.render import json_of, rendered
from lidr_plugin.run_directory import RunDirectory


def renew_page(run: RunDirectory) -> None:
    """Renders the page anew after a stage, whose own work is done.

    Raises:
        RunError: a file of another stage is damaged, or the page cannot be written.
    """
    try:
        write_page(run)
    except InputError as error:
        raise RunError(f"done, but for the page: {error.message}", error.hint) from None


def write_page(run: RunDirectory) -> list[Path]:
    """Renders the page from the run's files, after any stage and as often as wanted; returns the three paths.

    Raises:
        InputError: nothing in the directory is a run's, or a file of it is damaged.
        RunError: the files cannot be written.
    """
    page, before = collect(run), there(run.report_json, dict[str, Any]) or {}
    html, markdown, json = rendered(page, "page.html"), rendered(page, "page.md"), json_of(page, before)
    try:
        files.write_text(run.report_html, html)
        files.write_text(run.report_md, markdown)
        files.write_json(run.report_json, json)
    except OSError as error:
        raise RunError.of(error, run.path, "lidr report makes the page again") from None
    return [run.report_html, run.report_md, run.report_json]
