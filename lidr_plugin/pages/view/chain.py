"""The way of a prompt to its rows: every request as it was sent, and its answer as it came, from the run's store.

The method itself is run once more, on this one prompt, and is answered from the store: nothing is asked.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from lidr_plugin.completions.requests import Chat, Completion, Failure, Request, Scored, canonical_json, key_of
from lidr_plugin.completions.steps import Course
from lidr_plugin.completions.store import Store
from lidr_plugin.config.file import load
from lidr_plugin.dataset.prepare import Prepared
from lidr_plugin.errors import LidrError
from lidr_plugin.methods.base import Outcome
from lidr_plugin.pages.view.items import Item
from lidr_plugin.run_directory import RunDirectory

_MOST = 500
"""Requests of one prompt that are shown."""


class Step(NamedTuple):
    """A request and its answer.

    Attributes:
        name: where it comes from, as in messages: `q7 [en->de]`.
        answer: None if the store has none.
        own: whether one of the item's texts comes from it.
    """

    name: str
    key: str
    request: Request
    answer: Completion | Scored | None
    own: bool

    @property
    def kind(self) -> str:
        """What the request asks for."""
        if isinstance(self.request, Chat):
            return "translation" if "->" in self.name else "response"
        return self.request.kind


class Chain(NamedTuple):
    """The steps of a prompt in the order in which they were asked for; or why they cannot be told."""

    steps: list[Step]
    problem: str = ""


class Chains:
    """Looks up the chains of one run. Use it in one thread, which makes the run ready at the first question."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._ready: Prepared | None = None

    def close(self) -> None:
        """Lets go of the prompts."""
        if self._ready:
            self._ready.__exit__()

    def of(self, item: Item) -> Chain:
        """The chain of an item's prompt."""
        try:
            ready = self._prepared()
            prompt = ready.prompts.find(item.id)
            if prompt is None:
                return Chain([], f"the prompt files have no prompt {item.id!r} any more")
            with Store(self._run.store, read_only=True) as store:
                course = Course(ready.method.steps(prompt, ready.ask))
                return Chain(list(_steps(course, store, _origins(item))))
        except LidrError as error:
            return Chain([], f"{error.message}\n{error.hint}".strip())

    def _prepared(self) -> Prepared:
        """The run, made ready where it lies now, which need not be where it was built."""
        if self._ready is None:
            config = load(self._run.config)
            places = {"output_dir": str(self._run.path), "store": str(self._run.store)}
            self._ready = Prepared(config.model_copy(update=places))
        return self._ready


def _origins(item: Item) -> set[str]:
    """How the requests are named that an item's texts come from: `[de]` of `response:de`, `[en->de]` and the `[en]` before it."""
    found = set()
    for side in item.sides:
        _, _, languages = side.source.partition(":")
        found |= {f"[{languages}]", f"[{languages.partition('->')[0]}]"}
    return found


def _steps(course: Course[Outcome], store: Store, origins: set[str]) -> Iterator[Step]:
    count = 0
    while course.wanted and count < _MOST:
        wanted, course.wanted = course.wanted, []
        keys = [key_of(canonical_json(request)) for _, request in wanted]
        found: dict[bytes, Completion | Scored] = {**store.get_many(keys), **store.get_scores(keys)}
        for (branch, request), key in zip(wanted, keys, strict=True):
            answer = found.get(key)
            count += 1
            place = re.search(r"\[[^\]]{1,80}\]", request.row)
            yield Step(request.row, key.hex(), request, answer, own=place is not None and place[0] in origins)
            course.answer(branch, answer or Failure("not in the store"))
