"""The page over a whole run and its rounds: `overview.html` for people, `.md` for a README, `.json` for programs."""

from pathlib import Path

from lidr_plugin import files
from lidr_plugin.errors import RunError
from lidr_plugin.pages.collect import collect
from lidr_plugin.pages.render import markdown, page
from lidr_plugin.run_directory import RunDirectory


def write_overview(directory: Path) -> list[Path]:
    """Collects what the run's stages left, writes the three files beside it and returns their paths.

    Raises:
        InputError: nothing in the directory is a run's, or a file of it cannot be read.
        RunError: the files cannot be written.
    """
    run = RunDirectory(directory)
    found = collect(run)
    try:
        files.write_text(run.overview("html"), page(found))
        files.write_text(run.overview("md"), markdown(found))
        files.write_json(run.overview("json"), found)
    except OSError as error:
        raise RunError(f"{error.filename or directory}: {error.strerror}", "free some space and start again") from None
    return [run.overview(kind) for kind in ("html", "md", "json")]
