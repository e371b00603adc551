"""What the texts of a sample say about the imbalance between languages: which is dominant, and what there is to learn."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lidr_plugin.evaluation.intervals import Mean, Share
from lidr_plugin.evaluation.judge import Judged
from lidr_plugin.methods.base import Preference, Text
from lidr_plugin.text.chrf import chrf
from lidr_plugin.text.language import LanguageGate
from lidr_plugin.text.repetition import is_degenerate

_WORTH = {"judge": 0.55, "visible": 0.02}
"""The signal under which a round is not worth its training: a judge's reward accuracy, or the share of candidates that show."""


class Responses(NamedTuple):
    """The answers in one language. `sound`: not empty, cut, in another language or endlessly repeated.

    `characters` is the mean length; `grade` a judge's mean, 0 to 10, with half its 95 % interval.
    """

    sound: Share
    off_target: Share
    degenerate: Share
    cut: Share
    characters: float
    grade: Mean | None = None


class Crossing(NamedTuple):
    """A non-dominant language against the dominant one.

    Attributes:
        length_ratio: characters of all its answers over those of the dominant language.
        usable_from: of the translations of sound answers out of the dominant language those that are sound.
        usable_into: the same into it.
        round_trip: mean chrF, 0 to 1, of a dominant answer and its translation there and back.
        round_trips: how many went there and back.
    """

    length_ratio: float
    usable_from: Share
    usable_into: Share
    round_trip: float
    round_trips: int


class Heard(NamedTuple):
    """All texts of one prompt: answers by language, translations out of and into the dominant language by the other one."""

    id: str
    prompts: dict[str, str]
    answers: dict[str, Text]
    outward: dict[str, Text]
    inward: dict[str, Text]


def whole(passage: Text | None) -> bool:
    return passage is not None and bool(passage.text) and not passage.cut and not passage.failed


def _sound(passage: Text, code: str, gate: LanguageGate) -> bool:
    return whole(passage) and not gate.off_target(passage.text, code) and not is_degenerate(passage.text)


def responses_of(passages: Sequence[Text], code: str, gate: LanguageGate, grades: Sequence[int]) -> Responses:
    n = len(passages)
    texts = [passage.text for passage in passages]
    return Responses(
        sound=Share(sum(_sound(passage, code, gate) for passage in passages), n),
        off_target=Share(sum(gate.off_target(text, code) for text in texts), n),
        degenerate=Share(sum(map(is_degenerate, texts)), n),
        cut=Share(sum(passage.cut for passage in passages), n),
        characters=sum(map(len, texts)) / n,
        grade=Mean.of(grades) if grades else None,
    )


def crossing_of(
    heard: Sequence[Heard], backs: Sequence[tuple[str, str]], code: str, dominant: str, gate: LanguageGate
) -> Crossing:
    outward = [x.outward[code] for x in heard if _sound(x.answers[dominant], dominant, gate)]
    # Where the dominant answer is cut or empty no pair can come of it, and this translation was not asked for.
    asked = [x for x in heard if whole(x.answers[dominant])]
    inward = [x.inward[code] for x in asked if _sound(x.answers[code], code, gate)]
    lengths = {name: sum(len(x.answers[name].text) for x in heard) for name in (code, dominant)}
    return Crossing(
        length_ratio=lengths[code] / max(1, lengths[dominant]),
        usable_from=Share(sum(_sound(passage, code, gate) for passage in outward), len(outward)),
        usable_into=Share(sum(_sound(passage, dominant, gate) for passage in inward), len(inward)),
        round_trip=sum(chrf(back, original) for original, back in backs) / max(1, len(backs)),
        round_trips=len(backs),
    )


def dominant_of(responses: Mapping[str, Responses], *, believed: bool) -> dict[str, Any]:
    """Which language is best: by a believed judge's grades where every language has some, else by its sound answers.

    `clear` where its interval lies above all others.
    """
    if believed and all(x.grade for x in responses.values()):
        by = "grade"
        bounds = {
            code: (x.grade[0], x.grade[0] - x.grade[1], x.grade[0] + x.grade[1])
            for code, x in responses.items()
            if x.grade
        }
    else:
        by = "sound"
        bounds = {code: (x.sound.value, *x.sound.interval) for code, x in responses.items()}
    best = max(bounds, key=lambda code: bounds[code][0])
    clear = all(bounds[best][1] > high for code, (_, _, high) in bounds.items() if code != best)
    return {
        "language": best,
        "by": by,
        "clear": clear,
        "scores": {code: score for code, (score, _, _) in bounds.items()},
    }


def signal_of(
    pairs: Sequence[Preference], considered: int, judged: Mapping[str, Sequence[Judged]], gate: LanguageGate
) -> dict[str, Any]:
    """How much there is to learn from: the judge's reward accuracy over all pairs, or what can be seen without one.

    The paper's reward accuracy: of the pairs that the judge decides those in which it prefers chosen. Without a judge:
    of all candidates those that became a pair whose rejected text is visibly flawed.
    """
    decided = [item.outcome for items in judged.values() for item in items if item.outcome != "tie"]
    if decided:
        kind, share = "judge", Share(decided.count("win"), len(decided))
    else:
        flawed = sum(not _sound(pair.rejected, pair.language, gate) for pair in pairs)
        kind, share = "visible", Share(flawed, considered)
    return {"kind": kind, **share.json(), "threshold": _WORTH[kind], "worth_it": share.value >= _WORTH[kind]}
