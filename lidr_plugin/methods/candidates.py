"""What is ranked: the answers to one prompt in one language, and their order."""

from collections.abc import Sequence
from typing import NamedTuple

from lidr_plugin.methods.base import Text
from lidr_plugin.methods.judging import Verdict
from lidr_plugin.prompts.prompt import PromptText
from lidr_plugin.text.visible import is_blank

GREEDY = -1
"""The number of the greedy answer, which stands before the samples."""


class Candidate(NamedTuple):
    """One answer.

    Attributes:
        sample: its number among the samples; `GREEDY` for the greedy answer.
        reason: why it cannot be chosen, as the filters of one text say; None if it can.
        origin: where it comes from if it is no answer to the prompt in its language: `translation:en#0->sw`.
        original: what it was translated from.
    """

    language: str
    sample: int
    text: Text
    reason: str | None = None
    origin: str = ""
    original: Text | None = None

    @property
    def source(self) -> str:
        """Where it comes from: `response:de#3`, or `response:de` for the greedy answer."""
        return self.origin or f"response:{self.name}"

    @property
    def name(self) -> str:
        """Short: `de#3`."""
        return self.language if self.sample == GREEDY else f"{self.language}#{self.sample}"

    @property
    def words(self) -> str:
        """The text as it is compared with others."""
        return self.text.text.strip()

    @property
    def is_there(self) -> bool:
        """Whether it has a word in it."""
        return self.text.failed is None and not is_blank(self.text.text)


class Pool(NamedTuple):
    """All answers to a prompt in one language, the greedy one first, then by their numbers.

    Attributes:
        prompt: as it was sent; empty where its translation failed.
    """

    language: str
    prompt: PromptText
    members: tuple[Candidate, ...]

    @property
    def distinct(self) -> list[Candidate]:
        """Those with a word in them, of equal texts the first that may be chosen, or else the first."""
        first: dict[str, Candidate] = {}
        for candidate in self.members:
            if candidate.is_there:
                known = first.setdefault(candidate.words, candidate)
                if known.reason and not candidate.reason:
                    first[candidate.words] = candidate
        return sorted(first.values(), key=lambda candidate: candidate.sample)

    @property
    def obstacle(self) -> str | None:
        """Why no pair can come of this pool, however it is ranked; None if one can."""
        first = next((x.reason for x in self.members if x.reason), None)
        if sum(x.is_there for x in self.members) < 2 and first:
            return first
        distinct = self.distinct
        if len(distinct) < 2:
            return "no_contrast"
        return distinct[0].reason if all(x.reason for x in distinct) else None


class Ranked(NamedTuple):
    """A candidate with its score.

    Attributes:
        choosable, rejectable: whether it may be chosen, and rejected.
        right: whether its answer is right, where that is known.
    """

    candidate: Candidate
    score: float
    choosable: bool = True
    rejectable: bool = True
    right: bool | None = None


class Ranking(NamedTuple):
    """A pool with scores, in the pool's order.

    Attributes:
        voters: of a ranking by votes, how many were asked; 0: rows have no weight.
        reason: why there is no pair, where the ranker knows; None: the selection says.
        labelled: whether right stands against wrong here, whatever the selection of the run, and with the full weight.
        verdict: what a judge said of the first against the second, where one was asked.
    """

    pool: Pool
    ranked: Sequence[Ranked] = ()
    voters: int = 0
    reason: str | None = None
    labelled: bool = False
    verdict: Verdict | None = None

    def weight(self, chosen: Ranked, rejected: Ranked) -> float:
        """How much a pair counts: the share of the voters by which its texts differ."""
        if self.labelled or not self.voters:
            return 1.0
        return (chosen.score - rejected.score) / self.voters
