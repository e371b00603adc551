"""A store's new completions and scores, copied every while to a place elsewhere in compressed parts, and taken from there."""

import gzip
import secrets
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path

import orjson

from lidr_plugin import files
from lidr_plugin.completions.exchange_lines import AnyEntry, entry_json, entry_of
from lidr_plugin.completions.progress import say
from lidr_plugin.completions.requests import key_of
from lidr_plugin.completions.store import Store
from lidr_plugin.errors import RunError
from lidr_plugin.machine.places import Place

EVERY = 30.0
"""Seconds: so much of a lost machine's work is asked again at most."""
_BATCH = 500
_LARGEST = 20_000
"""Entries in a part."""
_SUFFIX = ".jsonl.gz"


class Parts:
    """The parts of one store at a place.

    Args:
        folder: in the place, where they lie; each attempt gives its own names that sort behind those of earlier ones.
    """

    def __init__(self, place: Place, folder: str) -> None:
        self._place, self._folder = place, folder
        self._attempt = f"{time.time_ns() // 1_000_000:015}-{secrets.token_hex(4)}"
        self._number = 0

    def exchange(self, store: Store) -> int:
        """Takes what the store lacks from the parts, and gives what they lack; how many were taken.

        Raises:
            RunError: the place does not answer, or a part is damaged.
        """
        with Store(None) as there:
            there.put_many(self._entries())
            taken = store.put_many(chain(there.entries(), there.score_entries()))
            own: Iterator[AnyEntry] = chain(store.entries(), store.score_entries())
            missing = _lacking(there, own) if len(store) > len(there) or store.scores > there.scores else iter(())
            while part := list(islice(missing, _LARGEST)):
                self.give(part)
        return taken

    def give(self, entries: Iterable[AnyEntry]) -> None:
        """Adds a part. Raises `RunError` where the place does not take it."""
        packed = gzip.compress(b"".join(files.dump_line(entry_json(entry)) for entry in entries), 6, mtime=0)
        self._place.write(f"{self._folder}/{self._attempt}-{self._number:06}{_SUFFIX}", packed)
        self._number += 1

    def _entries(self) -> Iterator[AnyEntry]:
        for name in self._place.names(self._folder):
            if name.endswith(_SUFFIX):
                try:
                    yield from (entry_of(orjson.loads(line)) for line in self._lines(name))
                except (
                    KeyError,
                    TypeError,
                    ValueError,
                    AttributeError,
                    OverflowError,
                    EOFError,
                    OSError,
                    zlib.error,
                ) as error:
                    what = f"{self._folder}/{name}: damaged, or no part of a store: {error}"
                    raise RunError(what, "remove it: what was in it alone is asked again") from None

    def _lines(self, name: str) -> list[bytes]:
        return gzip.decompress(self._place.read(f"{self._folder}/{name}")).splitlines()


def _lacking(there: Store, entries: Iterator[AnyEntry]) -> Iterator[AnyEntry]:
    """Those of the entries that are not there."""
    while batch := list(islice(entries, _BATCH)):
        keys = [key_of(entry.request) for entry in batch]
        known = there.get_many(keys).keys() | there.get_scores(keys).keys()
        yield from (entry for key, entry in zip(keys, batch, strict=True) if key not in known)


class CopiedStore(Store):
    """A store that remembers what was added to it until that is taken away to be copied."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._added: list[AnyEntry] = []
        self._adding = threading.Lock()

    def put_many(self, entries: Iterable[AnyEntry]) -> int:
        """As any store does."""
        added = list(entries)
        count = super().put_many(added)
        with self._adding:
            self._added += added
        return count

    def take_added(self) -> list[AnyEntry]:
        """What was added since it was last asked."""
        with self._adding:
            added, self._added = self._added, []
        return added

    def put_back(self, entries: Sequence[AnyEntry]) -> None:
        """They could not be copied."""
        with self._adding:
            self._added = [*entries, *self._added]


@contextmanager
def copied(path: Path, parts: Parts) -> Iterator[Store]:
    """A store that begins with what the parts have; while the block runs, and at its end, what is new in it is copied.

    Raises:
        RunError: the place does not answer at the beginning or at the end; in between it is tried again.
    """
    with CopiedStore(path) as store:
        if taken := parts.exchange(store):
            say(f"{taken:,} completions of an earlier attempt were taken over")
        store.take_added()
        ended = threading.Event()
        copying = threading.Thread(target=_copy_every, args=(store, parts, ended), daemon=True)
        copying.start()
        try:
            yield store
        finally:
            ended.set()
            copying.join()
            if rest := store.take_added():
                parts.give(rest)


def _copy_every(store: CopiedStore, parts: Parts, ended: threading.Event) -> None:
    while not ended.wait(EVERY):
        added = store.take_added()
        try:
            if added:
                parts.give(added)
        except RunError as error:
            say(f"note: {error.message}; it is tried again")
            store.put_back(added)
