"""What training on a language's pairs is expected to bring: what its translations lose against what its own answers lack.

A text is good if it is whole, in its language, not endlessly repeated and, where the right answer is known, right. A pair's benefit
is how good its chosen text is expected to be less how good the rejected one is, from -1 to 1. What a translation loses can hardly
be seen in it; the way back shows it.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lidr_plugin.evaluation.intervals import Mean, Share
from lidr_plugin.evaluation.results import LanguageSignal
from lidr_plugin.methods.base import Outcome, Preference, Reason, Text
from lidr_plugin.methods.translation_fidelity import loss
from lidr_plugin.text import numbers
from lidr_plugin.text.chrf import chrf
from lidr_plugin.text.language import Identification
from lidr_plugin.text.mixed_script import is_mixed
from lidr_plugin.text.repetition import is_degenerate
from lidr_plugin.text.visible import is_blank

NOTHING_LOST, ALL_LOST = 0.50, 0.30
"""chrF of an answer and its translation there and back: from the first on nothing that matters is lost, up to the second all of
it, in between the share is linear. The real model of 0.6B parameters has 0.57 to 0.64 in languages that it knows, and 0.37 to 0.39
in Korean and Thai, where most of its chosen texts were worse than the rejected ones: 0.38 counts as 0.6 lost."""
LEAST_GAIN = 0.02
"""The benefit of a pair that must surely be passed for `yes`: a gain in two of a hundred pairs is a handful of steps."""
MOST_HARM = 0.10
"""The loss that must surely be passed for `no`: a good translator paraphrases, and a single chrF is a rough measure of that."""
FEWEST_KEPT = 0.10
"""The share of candidates below which there is surely too little left to train on: the few that pass are no fair sample."""
_MUCH_LOST = 0.25
"""What translations lose on average from which on the advice is about them, and not about the answers."""
_NOT_COUNTED = (Reason.TRANSLATION_PROMPT, Reason.REQUEST_FAILED)
"""Reasons that say nothing about a language."""
_NO_TRANSLATION = "another method, whose chosen texts are no translations"
_ADVICE = {
    "translation": ("translation.engine: a better translator", _NO_TRANSLATION, "another dominant_language, nearer to it"),
    "few": ("rejected.jsonl has every candidate with its reason", "translation.engine: a better translator", _NO_TRANSLATION),
    "answers": ("another dominant_language, in which the answers are better", _NO_TRANSLATION),
    "unsure": ("more prompts", "prompts with final answers, or eval.judge, which see what cannot be seen so"),
}  # fmt: skip
_WHY = {
    "gain": "its answers lack more than its translations lose",
    "translation": "its translations lose more than its answers lack",
    "few": "hardly a candidate is left by the filters",
    "answers": "its own answers are better than those that would be preferred",
    "unsure": "whether pairs would help cannot be told from these texts",
}


class Candidate(NamedTuple):
    """A pair in a non-dominant language as the method considered it.

    Attributes:
        kept: whether it became a row.
        back: its chosen text translated back; None if that was not asked for.
    """

    row: Preference
    kept: bool
    back: str | None = None

    @property
    def lost(self) -> float | None:
        """The share of its source that the chosen text lost, by the way back."""
        return None if self.back is None else lost(chrf(self.back, self.row.source.text))


def lost(round_trip: float) -> float:
    """The share of what matters that is lost where there and back has this chrF."""
    return min(1.0, max(0.0, (NOTHING_LOST - round_trip) / (NOTHING_LOST - ALL_LOST)))


def candidates_of(outcome: Outcome) -> Iterator[Candidate]:
    """A prompt's candidates whose chosen text is a translation, into the language of the pair."""
    drops = ((drop.row, False) for drop in outcome.drops if drop.reason not in _NOT_COUNTED)
    for row, kept in (*((row, True) for row in outcome.rows), *drops):
        if isinstance(row, Preference) and not row.ranker and row.chosen_source.endswith(f"->{row.language}"):
            yield Candidate(row, kept)


def whole(text: Text) -> bool:
    """Whether there is a text, and it came to its end."""
    return not is_blank(text.text) and not text.cut and not text.failed


def mends_answer(row: Preference) -> bool:
    """Whether the rejected text's final answer is wrong and the chosen one's right; not so where the answer is not known."""
    return is_right(row.chosen, row) is True and is_right(row.rejected, row) is False


def is_right(text: Text, row: Preference) -> bool | None:
    """Whether a text gives the final answer; None where that is not known."""
    if row.final_answer is None or not numbers.expected_number(row.final_answer):
        return None
    return numbers.is_correct(text.text, row.final_answer, row.language)


def signal_of(
    candidates: Sequence[Candidate], identification: Identification, judged: Sequence[float] = ()
) -> LanguageSignal:
    """The verdict on a language.

    Args:
        candidates: all of that language.
        judged: by pair, 1 where a judge prefers chosen, -1 where it prefers rejected, 0 where neither: counts in place of our own.
    """
    marks = _Marks(identification)
    # Of an answer that is broken itself no translation can be sound.
    carried = [x.row for x in candidates if marks.is_sound(x.row.source, x.row, _origin(x.row))]
    lossy = Share(sum(marks.is_lossy(row) for row in carried), len(carried))
    trips = [chrf(x.back, x.row.source.text) for x in candidates if x.back is not None]
    kept = [x for x in candidates if x.kept]
    # Where nothing went back, a translator that visibly breaks a third of the texts is trusted as little with the others.
    losses = [lossy.share if x.lost is None else x.lost for x in kept]
    own = list(judged) or [marks.benefit(x.row, share) for x, share in zip(kept, losses, strict=True)]
    # As if two more had been seen, one of each kind: a few pairs that happen to agree are not sure.
    benefit = Mean.of([*own, 1.0, -1.0]) if own else None
    share = Share(len(kept), len(candidates))
    verdict, cause = _verdict(benefit, share, sum(losses) / max(1, len(losses)))
    return LanguageSignal(
        verdict=verdict,
        benefit=benefit,
        lacking=Share(sum(not marks.is_good(x.row.rejected, x.row) for x in candidates), len(candidates)),
        lossy=lossy,
        kept=share,
        round_trip=sum(trips) / len(trips) if trips else None,
        round_trips=len(trips),
        why=_WHY[cause],
        advice=_ADVICE.get(cause, ()),
    )


def _verdict(benefit: Mean | None, kept: Share, lost: float) -> tuple[str, str]:
    """The verdict and its cause, by the names of `_WHY`."""
    if kept.total and kept.interval[1] < FEWEST_KEPT:
        return "no", "few"
    if benefit and benefit.value - benefit.half > LEAST_GAIN:
        return "yes", "gain"
    if benefit and benefit.value + benefit.half < -MOST_HARM:
        return "no", "translation" if lost >= _MUCH_LOST else "answers"
    return "cannot tell", "unsure"


def _origin(row: Preference) -> str:
    return row.chosen_source.partition(":")[2].partition("->")[0]


class _Marks(NamedTuple):
    """What can be said of the texts of a candidate."""

    identification: Identification

    def is_sound(self, text: Text, row: Preference, code: str) -> bool:
        astray = self.identification.off_target(text.text, code)
        return whole(text) and not astray and not is_degenerate(text.text, row.prompt.joined)

    def is_good(self, text: Text, row: Preference) -> bool:
        """Sound and, where the final answer is known, right."""
        return self.is_sound(text, row, row.language) and is_right(text, row) is not False

    def is_lossy(self, row: Preference) -> bool:
        """Whether it can be seen that the chosen text is no faithful translation."""
        text, code = row.chosen, row.language
        return (
            text.echo
            or not self.is_sound(text, row, code)
            or is_mixed(text.text, code, row.prompt.joined)
            or loss(row.source.text, text.text, _origin(row), code) is not None
        )

    def benefit(self, row: Preference, lost: float) -> float:
        chosen = 0.0 if self.is_lossy(row) or not self.is_good(row.chosen, row) else 1 - lost
        return chosen - self.is_good(row.rejected, row)
