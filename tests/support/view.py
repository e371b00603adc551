"""`lidr view` in a thread of the test: a run with all that it shows, and its server."""

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lidr_plugin.files import dump_line
from lidr_plugin.pages.view.library import Library
from lidr_plugin.pages.view.server import Server
from lidr_plugin.run_directory import RunDirectory
from tests.support.child import PATIENCE


def pair(id: str, language: str, chosen: str, rejected: str, **more: Any) -> dict[str, Any]:
    """A row of a dataset."""
    sources = {"chosen_source": f"translation:en->{language}", "rejected_source": f"response:{language}"}
    texts = {"instruction": f"Question {id}?", "input": "", "chosen": chosen, "rejected": rejected}
    return {"id": id, "language": language, **texts, **sources, **more}


def write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A file of rows, in place of the one before: as lidr writes them, another file takes its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.new")
    part.write_bytes(b"".join(map(dump_line, rows)))
    part.rename(path)


def write_answers(run: RunDirectory, label: str, language: str, answers: Mapping[str, str]) -> None:
    """What an evaluation wrote of a model's answers to held-out prompts."""
    path = run.eval_results.parent / f"{label}.alpaca_eval.{language}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"instruction": prompt, "output": answer, "generator": label} for prompt, answer in answers.items()]
    path.write_text(json.dumps(rows))


def read_all(library: Library) -> Library:
    """The library when it has caught up with the run."""
    while library.keep_up(PATIENCE):
        pass
    assert not library.problem
    return library


@contextmanager
def served(run: RunDirectory) -> Iterator[str]:
    """The address of a server, token included; it has ended after the block."""
    library = read_all(Library(run))
    server, address, ready = Server(library, run.path.name, 0), [""], threading.Event()
    loop = asyncio.new_event_loop()

    def told(url: str) -> None:
        address[0] = url
        ready.set()

    task = loop.create_task(server.serve(told))

    def work() -> None:
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            pass
        finally:
            loop.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert ready.wait(PATIENCE)
        yield address[0]
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(PATIENCE)
        library.close()
