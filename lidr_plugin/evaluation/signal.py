"""What the texts of a sample say about the imbalance between languages: which is dominant, and what there is to learn."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lidr_plugin.evaluation.identification import Identification
from lidr_plugin.evaluation.intervals import Mean, Share
from lidr_plugin.evaluation.judge import Verdict
from lidr_plugin.evaluation.results import Comparison, Dominance, Responses, Signal
from lidr_plugin.methods.base import Outcome, Preference, Text
from lidr_plugin.text.repetition import is_degenerate
from lidr_plugin.text.chrf import chrf

_WORTH = {"judge": 0.55, "visible": 0.02}
"""The share from which on a round is worth its training. Ours: where a judge prefers chosen in 55 % of the pairs they are little
better than chance, and 2 % of a thousand prompts is a handful of steps."""


class SampleTexts(NamedTuple):
    """All texts of one prompt: answers by language, translations out of and into the dominant language by the other one."""

    id: str
    prompts: dict[str, str]
    answers: dict[str, Text]
    outward: dict[str, Text]
    inward: dict[str, Text]

    @classmethod
    def of(cls, outcome: Outcome, dominant: str) -> "SampleTexts | None":
        """What a prompt's candidates hold; None if it was dropped or a request failed."""
        found = cls("", {}, {}, {}, {})
        for item in candidates(outcome):
            other = item.rejected_source.removeprefix("translation:").partition("->")[0]
            if item.language == dominant:
                found.inward[other] = item.rejected
            else:
                found.outward[item.language] = item.chosen
                found.answers[item.language] = item.rejected
            found.answers[dominant] = item.source
            found.prompts[item.language] = item.prompt.joined
            found = found._replace(id=item.id)
        failed = any(text.failed for text in found.answers.values())
        return found if found.prompts.get(dominant) and not failed else None


def candidates(outcome: Outcome) -> list[Preference]:
    """A prompt's candidates, whether they became pairs or not."""
    rows = (*outcome.rows, *(drop.row for drop in outcome.drops))
    return [row for row in rows if isinstance(row, Preference)]


class RoundTrip(NamedTuple):
    """A dominant answer, and its translation into the other language and back."""

    there: str
    back: str


def whole(text: Text | None) -> bool:
    """Whether there is a text that came to its end."""
    return text is not None and bool(text.text) and not text.cut and not text.failed


def _sound(text: Text, code: str, identification: Identification) -> bool:
    return whole(text) and not identification.off_target(text.text, code) and not is_degenerate(text.text)


def responses_of(
    answers: Sequence[Text], code: str, identification: Identification, grades: Sequence[int]
) -> Responses:
    """The answers in one language, and a judge's grades of them."""
    n = len(answers)
    texts = [answer.text for answer in answers]
    astray = [identification.off_target(text, code) for text in texts]
    return Responses(
        sound=Share(sum(_sound(answer, code, identification) for answer in answers), n),
        off_target=None if None in astray else Share(astray.count(True), n),
        degenerate=Share(sum(map(is_degenerate, texts)), n),
        cut=Share(sum(answer.cut for answer in answers), n),
        characters=sum(map(len, texts)) / n,
        grade=Mean.of(grades) if grades else None,
    )


def comparison_of(
    sample: Sequence[SampleTexts],
    trips: Sequence[RoundTrip],
    code: str,
    dominant: str,
    identification: Identification,
) -> Comparison:
    """A language beside the dominant one."""
    outward = [x.outward[code] for x in sample if _sound(x.answers[dominant], dominant, identification)]
    # Where the dominant answer is cut or empty no pair can come of it, and this translation was not asked for.
    asked = [x for x in sample if whole(x.answers[dominant])]
    inward = [x.inward[code] for x in asked if _sound(x.answers[code], code, identification)]
    lengths = {name: sum(len(x.answers[name].text) for x in sample) for name in (code, dominant)}
    return Comparison(
        length_ratio=lengths[code] / max(1, lengths[dominant]),
        usable_from=Share(sum(_sound(text, code, identification) for text in outward), len(outward)),
        usable_into=Share(sum(_sound(text, dominant, identification) for text in inward), len(inward)),
        round_trip=sum(chrf(trip.back, trip.there) for trip in trips) / max(1, len(trips)),
        round_trips=len(trips),
    )


def dominance_of(responses: Mapping[str, Responses], *, believed: bool) -> Dominance:
    """Which language is best: by a believed judge's grades where every language has some, else by its sound answers."""
    grades = {code: x.grade for code, x in responses.items() if x.grade}
    graded = believed and len(grades) == len(responses)
    if graded:
        bounds = {code: (x.value, x.value - x.half, x.value + x.half) for code, x in grades.items()}
    else:
        bounds = {code: (x.sound.share, x.sound.low, x.sound.high) for code, x in responses.items()}
    best = max(bounds, key=lambda code: bounds[code][0])
    return Dominance(
        language=best,
        by="grade" if graded else "sound",
        clear=all(bounds[best][1] > high for code, (_, _, high) in bounds.items() if code != best),
        scores={code: score for code, (score, _, _) in bounds.items()},
    )


def signal_of(
    pairs: Sequence[Preference],
    considered: int,
    judged: Mapping[str, Sequence[Verdict]],
    identification: Identification,
) -> Signal:
    """How much there is to learn from: the judge's reward accuracy over all pairs, or what can be seen without one.

    The paper's reward accuracy: of the pairs that the judge decides those in which it prefers chosen. Without a judge:
    of all candidates those that became a pair whose rejected text is visibly flawed.
    """
    decided = [item.outcome for items in judged.values() for item in items if item.outcome != "tie"]
    if decided:
        return Signal("judge", Share(decided.count("win"), len(decided)), _WORTH["judge"])
    flawed = sum(not _sound(pair.rejected, pair.language, identification) for pair in pairs)
    return Signal("visible", Share(flawed, considered), _WORTH["visible"])
