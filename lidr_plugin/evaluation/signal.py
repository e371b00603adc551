"""What the texts of a sample say about the imbalance between languages: which is dominant, and what there is to learn."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lidr_plugin.completions.requests import Chat
from lidr_plugin.evaluation.benefit import Candidate, candidates_of, lost, mends_answer, signal_of, whole
from lidr_plugin.evaluation.intervals import Mean, Share
from lidr_plugin.evaluation.results import Comparison, Dominance, LanguageSignal, Responses, Signal
from lidr_plugin.methods.base import Ask, Outcome, Preference, Text
from lidr_plugin.methods.judging import Verdict
from lidr_plugin.methods.translation import Translator
from lidr_plugin.text.chrf import chrf
from lidr_plugin.text.language import Identification
from lidr_plugin.text.repetition import is_degenerate

_WORTH = {"judge": 0.55, "visible": 0.02}
"""The share from which on a round is worth its training. Ours: where a judge prefers chosen in 55 % of the pairs they are little
better than chance, and 2 % of a thousand prompts is a handful of steps."""
_OUTCOMES = {"win": 1.0, "tie": 0.0, "lose": -1.0}
"""What a judge's verdict on chosen against rejected counts as a benefit."""


class SampleTexts(NamedTuple):
    """All texts of one prompt, by language; translations by the language that is not the dominant one.

    `outward` goes out of the dominant language, `inward` into it, `back` there and back; `pairs` is what the method made, and
    `candidates` all that it considered in the other languages.
    """

    id: str
    prompts: dict[str, str]
    answers: dict[str, Text]
    outward: dict[str, Text]
    inward: dict[str, Text]
    back: dict[str, str]
    pairs: list[Preference]
    candidates: list[Candidate]

    @classmethod
    def of(cls, outcome: Outcome, dominant: str) -> "SampleTexts | None":
        """What a prompt's candidates hold; None if it was dropped or a request failed."""
        pairs = [row for row in outcome.rows if isinstance(row, Preference)]
        dropped = [drop.row for drop in outcome.drops if isinstance(drop.row, Preference)]
        found = cls("", {}, {}, {}, {}, {}, pairs, list(candidates_of(outcome)))
        for item in (*pairs, *dropped):
            found = found._replace(id=item.id)
            found.prompts[item.language] = item.prompt.joined
            found.answers[dominant] = item.source
            if item.language == dominant:
                other = item.rejected_source.removeprefix("translation:").partition("->")[0]
                found.inward[other] = item.rejected
            else:
                found.outward[item.language] = item.chosen
                found.answers[item.language] = item.rejected
        failed = any(text.failed for text in found.answers.values())
        return found if found.prompts.get(dominant) and not failed else None


def spread(sample: int, total: int) -> set[int]:
    """The places of so many of all prompts, evenly spread. Those of 64 are among those of 256."""
    count = min(sample, total)
    return {number * total // count for number in range(count)}


def way_back(translator: Translator, dominant: str, id: str, code: str, text: str, ask: Ask) -> Chat:
    """The request for a translation of a translation, back into the dominant language."""
    return translator.way(text, code, dominant, ask, f"{id} [{dominant}->{code}->{dominant}]")


class Measurement:
    """Measures the texts of a sample, at least one prompt's."""

    def __init__(self, sample: Sequence[SampleTexts], dominant: str, identification: Identification) -> None:
        self._sample = sample
        self._dominant = dominant
        self._identification = identification

    def _sound(self, text: Text, code: str) -> bool:
        return whole(text) and not self._identification.off_target(text.text, code) and not is_degenerate(text.text)

    def responses(self, code: str, grades: Sequence[float]) -> Responses:
        """The answers in one language, and a judge's grades of them."""
        answers = [x.answers[code] for x in self._sample]
        n = len(answers)
        astray = [self._identification.off_target(answer.text, code) for answer in answers]
        return Responses(
            sound=Share(sum(self._sound(answer, code) for answer in answers), n),
            off_target=None if None in astray else Share(astray.count(True), n),
            degenerate=Share(sum(is_degenerate(answer.text) for answer in answers), n),
            cut=Share(sum(answer.cut for answer in answers), n),
            characters=sum(len(answer.text) for answer in answers) / n,
            grade=Mean.of(grades) if grades else None,
        )

    def comparison(self, code: str) -> Comparison:
        """A language beside the dominant one."""
        sample, dominant = self._sample, self._dominant
        outward = [x.outward[code] for x in sample if code in x.outward and self._sound(x.answers[dominant], dominant)]
        # Where the dominant answer is cut or empty no pair can come of it, and this translation was not asked for.
        asked = [x for x in sample if whole(x.answers[dominant])]
        inward = [x.inward[code] for x in asked if code in x.inward and self._sound(x.answers[code], code)]
        own, other = (sum(len(x.answers[name].text) for x in sample) for name in (code, dominant))
        trips = [chrf(x.back[code], x.answers[dominant].text) for x in sample if code in x.back]
        return Comparison(
            length_ratio=own / max(1, other),
            usable_from=Share(sum(self._sound(text, code) for text in outward), len(outward)),
            usable_into=Share(sum(self._sound(text, dominant) for text in inward), len(inward)),
            round_trip=sum(trips) / max(1, len(trips)),
            round_trips=len(trips),
        )

    def verdict(self, code: str, judged: Sequence[Verdict]) -> LanguageSignal:
        """Whether pairs in a language are worth training on, by a judge where it said anything."""
        found = [
            x._replace(back=texts.back.get(code))
            for texts in self._sample
            for x in texts.candidates
            if x.row.language == code
        ]
        return signal_of(found, self._identification, [_OUTCOMES[item.outcome] for item in judged])

    def carries(self, code: str) -> float:
        """How much of its texts a language would carry into others if it were the dominant one: of those out of it the share that
        can be used, and of that what there and back keeps."""
        trips = [1 - lost(chrf(x.back[code], x.answers[self._dominant].text)) for x in self._sample if code in x.back]
        return self.comparison(code).usable_into.share * sum(trips) / max(1, len(trips))

    def signal(self, languages: Sequence[str], judged: Mapping[str, Sequence[Verdict]]) -> Signal:
        """The paper's reward accuracy where a judge decided anything; else of all candidates, two for each of these non-dominant
        languages, those that became a pair whose rejected text is visibly flawed, or wrong where the chosen one is right."""
        decided = [item.outcome for items in judged.values() for item in items if item.outcome != "tie"]
        if decided:
            return Signal(decided.count("win"), len(decided), "judge", _WORTH["judge"])
        pairs = [pair for x in self._sample for pair in x.pairs if _other(pair) in languages]
        flawed = sum(not self._sound(pair.rejected, pair.language) or mends_answer(pair) for pair in pairs)
        return Signal(flawed, 2 * len(languages) * len(self._sample), "visible", _WORTH["visible"])


def _other(pair: Preference) -> str:
    """The language that a pair is about: its own, or the one that its rejected text comes from."""
    made, _, languages = pair.rejected_source.partition(":")
    return languages.partition("->")[0] if made == "translation" else pair.language


def dominance_of(responses: Mapping[str, Responses], carried: Mapping[str, float], *, believed: bool) -> Dominance:
    """Which language is best to prefer the answers of: by a believed judge's grades where every language has some, else by its
    sound answers.

    Args:
        carried: by language, how much of its texts its translations carry into others; 1 where it is not there.
    """
    grades = {code: x.grade for code, x in responses.items() if x.grade}
    graded = believed and len(grades) == len(responses)
    bounds = {
        code: (grades[code].value, grades[code].value - grades[code].half, grades[code].value + grades[code].half)
        if graded
        else (x.sound.share, *x.sound.interval)
        for code, x in responses.items()
    }
    scores, lows, highs = (
        {code: carried.get(code, 1.0) * own[place] for code, own in bounds.items()} for place in range(3)
    )
    best = max(scores, key=lambda code: scores[code])
    return Dominance(
        language=best,
        by="grade" if graded else "sound",
        clear=all(lows[best] > high for code, high in highs.items() if code != best),
        scores=scores,
    )
