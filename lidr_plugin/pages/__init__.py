"""The page of a run, whatever there is of it: `report.html` for people, `.md` for a README, `.json` for programs."""

from pathlib import Path

from lidr_plugin import files
from lidr_plugin.errors import RunError
from lidr_plugin.pages import render
from lidr_plugin.pages.collect import collect, load
from lidr_plugin.run_directory import RunDirectory


def write_page(run: RunDirectory) -> list[Path]:
    """Renders the page from the run's files, after any stage and as often as wanted; returns the three paths.

    Raises:
        InputError: nothing in the directory is a run's, or a file of it is damaged.
        RunError: the files cannot be written.
    """
    page = collect(run)
    try:
        files.write_text(run.report_html, render.html(page))
        files.write_text(run.report_md, render.markdown(page))
        files.write_json(run.report_json, render.json_of(page, load(run.report_json, dict) or {}))
    except OSError as error:
        raise RunError(f"{error.filename or run.path}: {error.strerror}", "free some space and start again") from None
    return [run.report_html, run.report_md, run.report_json]
