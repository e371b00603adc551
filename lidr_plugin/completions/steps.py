"""How a method asks: it is a generator that yields requests and is sent their answers. Nothing here does I/O.

answer = yield request                            one request
a, b = yield from together(first(), second())     several generators side by side
"""

from collections.abc import Generator
from typing import Any, Generic, TypeAlias, TypeVar, cast

from lidr_plugin.completions.requests import Chat, Completion, Failure, Request, Score, Scored

_REQUESTS = Chat, Score  # as a tuple, which is looked through sooner than a union
A = TypeVar("A")
B = TypeVar("B")
T = TypeVar("T")
Answer: TypeAlias = Completion | Failure
ScoreAnswer: TypeAlias = Scored | Failure
Steps: TypeAlias = Generator[Any, Any, T]
"""Yields a `Chat` and is sent its `Answer`, or a `Score` and its `ScoreAnswer`, or yields from `together`; returns a `T`."""


def together(*parts: Steps[T]) -> Steps[list[T]]:
    """Runs generators side by side; gives their results in the order of the arguments."""
    if len(parts) == 1:  # one needs no branch
        return [(yield from parts[0])]
    return cast("list[T]", (yield parts))


def both(first: Steps[A], second: Steps[B]) -> Steps[tuple[A, B]]:
    """Runs two generators of different kinds side by side."""
    one, other = yield first, second
    return one, other


class Branch:
    """A generator that waits for an answer, or for the branches that it began with `together`."""

    __slots__ = ("generator", "parent", "place", "results", "running")

    def __init__(self, generator: Steps[Any], parent: "Branch | None" = None, place: int = 0) -> None:
        self.generator = generator
        self.parent = parent
        self.place = place
        self.results: list[Any] = []
        self.running = 0


class Course(Generic[T]):
    """One method's way through one prompt.

    `wanted` holds the requests that came up and nobody has taken yet; `answer` lets the branch that yielded one go on. At
    the end `finished` is true and `result` has what the generator returned. What it raises comes out of the call that let it
    go on.
    """

    __slots__ = ("finished", "result", "wanted")

    def __init__(self, steps: Steps[T]) -> None:
        self.finished = False
        self.result: T
        self.wanted: list[tuple[Branch, Request]] = []
        self.answer(Branch(steps), None)

    def answer(self, branch: Branch, answer: Answer | ScoreAnswer | None) -> None:
        """Lets the branch that asked run until it waits; where it ends and is the last of its parent's, the parent runs on."""
        value: Any = answer
        while True:
            try:
                asked = branch.generator.send(value)
            except StopIteration as end:
                parent = branch.parent
                if parent is None:
                    self.finished, self.result = True, end.value
                    return
                parent.results[branch.place] = end.value
                parent.running -= 1
                if parent.running:
                    return
                branch, value = parent, parent.results
                continue
            if isinstance(asked, _REQUESTS):
                self.wanted.append((branch, asked))
                return
            if not isinstance(asked, tuple):
                raise TypeError(f"a method yields requests and together(...), not {type(asked).__name__}")
            branch.results, branch.running = [None] * len(asked), len(asked)
            value = branch.results
            if asked:
                for place, part in enumerate(asked):
                    self.answer(Branch(part, branch, place), None)
                return
