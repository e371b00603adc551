"""All that the pages of `lidr view` ask for: items, their marks and chains. Each method is called in a thread of its kind."""

import threading
from collections.abc import Mapping
from typing import NamedTuple

from lidr_plugin.dataset.marks import Mark, Marks, add_mark, read_marks
from lidr_plugin.errors import InputError, LidrError
from lidr_plugin.machine.inputs import is_there
from lidr_plugin.pages.view.chain import Chain, Chains
from lidr_plugin.pages.view.found import Found, Hit, State
from lidr_plugin.pages.view.index import Index
from lidr_plugin.pages.view.items import Item
from lidr_plugin.pages.view.sources import rounds_of, sources_of
from lidr_plugin.pages.view.words import terms_of
from lidr_plugin.run_directory import RunDirectory

PAGE = 50
"""Items in a list."""
MARKED = "marked"
"""In place of a facet: only what a person marked."""
_REMEDY = "name the output_dir of build-pairs, eval or iterate"


class Shown(NamedTuple):
    """An item and what a person said of it."""

    number: int
    item: Item
    mark: Mark


class Listed(NamedTuple):
    """A page of what was found; the other fields as in `Found`."""

    shown: list[Shown]
    found: Found
    marked: int


class Library:
    """A run as it is looked at.

    Attributes:
        problem: why the run could not be read any further; empty if it could.

    Raises:
        InputError: there is no run, or a file of marks is damaged.
        RunError: there is no room for the index.
    """

    def __init__(self, run: RunDirectory) -> None:
        if not run.path.is_dir():
            raise InputError(f"{run.path}: no such folder", _REMEDY)
        self._run = run
        self._marks = {number: read_marks(of.marks) for number, of in rounds_of(run).items()}
        if not sources_of(run) and not is_there(run.store) and not is_there(run.config):
            raise InputError(f"{run.path}: no run of lidr there", _REMEDY)
        self._index = Index(run)
        self._reader: threading.Thread | None = None
        self._chains: dict[int, Chains] = {}
        self._stopped = False
        self.problem = ""

    def close(self) -> None:
        """Closes the index, when its thread has come to an end of a part."""
        self._stopped = True
        if self._reader:
            self._reader.join()
        self._index.close()

    def _round(self, number: int) -> RunDirectory:
        """A round may have begun after this did."""
        return rounds_of(self._run).get(number, self._run)

    def _marks_of(self, number: int) -> Marks:
        if number not in self._marks:
            self._marks[number] = read_marks(self._round(number).marks)
        return self._marks[number]

    # In any thread

    def keep_up(self, patience: float) -> bool:
        """Reads what is new of the run in a thread of its own, and waits so many seconds for it; whether it is still at it."""
        if self._reader is None or not self._reader.is_alive():
            if not self._index.is_behind():
                return False
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()
        self._reader.join(patience)
        return self._reader.is_alive()

    def _read(self) -> None:
        index = Index(self._run)
        try:
            for _ in index.catch_up():
                if self._stopped:
                    return
            self.problem = ""
        except (LidrError, OSError) as error:
            self.problem = str(error)
        finally:
            index.close()

    # In the thread of searches

    def state(self) -> State:
        """How much was read."""
        return self._index.state()

    def listed(self, said: str, facets: Mapping[str, str], after: int) -> Listed:
        """What a person looks for; with the facet `marked` only what is marked."""
        by_texts = {texts: mark for marks in self._marks.values() for texts, mark in marks.by_texts.items()}
        own = {name: value for name, value in facets.items() if name != MARKED}
        found = self._index.search(terms_of(said), own, after, PAGE)
        if MARKED in facets:
            hits = self._index.numbered(list(by_texts), after, PAGE)
            found = found._replace(
                hits=hits, total=len(by_texts), more=False, last=hits[-1].number if len(hits) == PAGE else 0
            )
        return Listed([self._shown(hit) for hit in found.hits], found, len(by_texts))

    def item(self, number: int) -> Shown | None:
        """One item; None if it is not there any more."""
        hit = self._index.item(number)
        return self._shown(hit) if hit else None

    def _shown(self, hit: Hit) -> Shown:
        item = hit.item
        unmarked = Mark(item.id, item.language, item.texts)
        return Shown(hit.number, item, self._marks_of(item.round).by_texts.get(unmarked.texts, unmarked))

    def mark(self, number: int, mark: str, note: str) -> Shown | None:
        """Keeps a mark, on the disk when this returns; None if the item is not there any more.

        Raises:
            InputError: it is no mark that this item can have.
            OSError: the file cannot be written.
        """
        shown = self.item(number)
        if shown is None:
            return None
        if mark not in allowed(shown.item):
            raise InputError(f"an item of this kind cannot be marked {mark[:40]!r}")
        made = shown.mark._replace(mark=mark, note=note[:10_000])  # type: ignore[arg-type]  # `allowed` is of such
        run = self._round(shown.item.round)
        add_mark(run.marks, made)
        self._marks[shown.item.round] = read_marks(run.marks)
        return shown._replace(mark=made)

    # In the thread of chains

    def close_chains(self) -> None:
        """Lets go of what they were told from."""
        for chains in self._chains.values():
            chains.close()

    def chain(self, item: Item) -> Chain:
        """The requests and answers that an item comes from."""
        if item.kind == "answers":
            return Chain([], "the answers of an evaluation are shown as the models gave them")
        chains = self._chains.setdefault(item.round, Chains(self._round(item.round)))
        return chains.of(item)


def allowed(item: Item) -> tuple[str, ...]:
    """The marks that an item can have: what was dropped for another reason, or is no row, takes notes alone."""
    if item.kind == "pair":
        return "bad", "swap", ""
    return ("bad", "") if item.kind == "row" or item.reason == MARKED else ("",)
