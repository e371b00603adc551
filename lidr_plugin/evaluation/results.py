"""What evaluations found: `eval/results.json` and `probe.json` as records, which are written and read back here."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeAlias

from lidr_plugin.evaluation.changes import Change
from lidr_plugin.evaluation.intervals import Mean, Share, Value
from lidr_plugin.evaluation.judge import Verdicts
from lidr_plugin.evaluation.mexa import Alignment
from lidr_plugin.machine.inputs import adapter_of, read_record

ModelResults: TypeAlias = dict[str, Mapping[str, Mapping[str, Value]]]
"""By benchmark, language and mark; under `lm_eval` by task and metric."""
Changes: TypeAlias = Mapping[str, Mapping[str, Mapping[str, Change]]]
"""By benchmark, language and mark, for the marks that are shares; under `lm_eval` by task and metric."""


@dataclass(frozen=True, slots=True)
class HeadToHead:
    """A judge's verdicts on each model's answers against those of the first one, by model and language.

    `complete`: whether the budget reached for all `pairs` of answers; `warning`: why the verdicts say nothing, if they do.
    """

    judge: str
    against: str
    cost: float
    complete: bool
    warning: str | None
    pairs: int
    results: Mapping[str, Mapping[str, Verdicts]]


@dataclass(frozen=True, slots=True)
class Results:
    """What `lidr eval` measured.

    Attributes:
        models: by label, path or name.
        weights: by label, the identity of the weights.
        results: by label, those of others' answers too.
        changes: by label, how each model's shares differ from those of the first model, on the same questions.
        notes: for people, what was not measured and why.
    """

    models: Mapping[str, str]
    weights: Mapping[str, str]
    results: Mapping[str, ModelResults]
    head_to_head: HeadToHead | None = None
    changes: Mapping[str, Changes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Responses:
    """A sample's answers in one language, and a judge's mean grade from 0 to 10.

    `sound`: not empty, cut, in another language or endlessly repeated; `off_target`: None where nobody can tell;
    `characters`: the mean length.
    """

    sound: Share
    off_target: Share | None
    degenerate: Share
    cut: Share
    characters: float
    grade: Mean | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A language beside the dominant one.

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


@dataclass(frozen=True, slots=True)
class Dominance:
    """The language that is best, by `grade` or by `sound` answers; `clear` where its interval lies above all others."""

    language: str
    by: str
    clear: bool
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Signal(Share):
    """How much there is to learn from: of the pairs that a `judge` decides those in which it prefers chosen, or of the candidates
    those whose imbalance is `visible` without one. From `threshold` on a round is worth its training."""

    kind: str
    threshold: float

    @property
    def worth_it(self) -> bool:
        """Whether a round is."""
        return self.share >= self.threshold

    def json(self) -> dict[str, str | float]:
        """For programs."""
        return {"kind": self.kind, **Share.json(self), "threshold": self.threshold, "worth_it": self.worth_it}


@dataclass(frozen=True, slots=True)
class LanguageSignal:
    """Whether pairs in a language are worth training on.

    Attributes:
        verdict: `yes`, `no` or `cannot tell`.
        benefit: how much better a kept pair's chosen text is expected to be than its rejected one, from -1 to 1.
        lacking: of the model's own answers those that are not sound or, where the final answer is known, not right.
        lossy: of the translations of sound answers those that visibly lost something.
        kept: of the candidates those that became pairs.
        round_trip: mean chrF, 0 to 1, of so many answers and their translations there and back.
        why: for people.
        advice: for people, what would help.
    """

    verdict: str
    benefit: Mean | None
    lacking: Share
    lossy: Share
    kept: Share
    round_trip: float | None
    round_trips: int
    why: str
    advice: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.verdict not in ("yes", "no", "cannot tell"):
            raise ValueError(f"verdict: {self.verdict[:40]!r}")


@dataclass(frozen=True, slots=True)
class Probe:
    """What `lidr probe` measured on so many `prompts`, by language.

    `judged`: the verdicts on chosen against rejected; `judge_warning`: why they say nothing, if they do; `notes`: for people,
    what was not measured and why; `verdicts`: none in files of version 0.1; `mexa`: where it was wanted, how much of the sample
    the model represents as in the dominant language.
    """

    prompts: int
    responses: Mapping[str, Responses]
    against_dominant: Mapping[str, Comparison]
    judged: Mapping[str, Verdicts]
    judge_warning: str | None
    dominant: Dominance
    signal: Signal
    notes: tuple[str, ...] = ()
    verdicts: Mapping[str, LanguageSignal] = field(default_factory=dict)
    mexa: Mapping[str, Alignment] = field(default_factory=dict)


def _default(each: Field[Any]) -> Any:
    """What a field has where nothing is given."""
    return each.default if each.default_factory is MISSING else each.default_factory()


def plain(value: Any) -> Any:
    """A record as JSON has it; a field that has its default is left out."""
    if isinstance(value, Share):
        return value.json()
    if is_dataclass(value):
        found = {each: getattr(value, each.name) for each in fields(value)}
        value = {each.name: item for each, item in found.items() if item != _default(each)}
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    return tuple(value) if isinstance(value, tuple) else value


ANEW = "`lidr {}` writes it anew; the answers are in the store"


def read_results(path: Path) -> Results:
    """What `lidr eval` wrote, this version or 0.1; raises as `read_record` does."""
    return read_record(Results, path, ANEW.format("eval"))


def read_probe(path: Path) -> Probe:
    """What `lidr probe` wrote, this version or 0.1; raises as `read_record` does."""
    return read_record(Probe, path, ANEW.format("probe"))


def verdicts_in(report: Mapping[str, Any]) -> Mapping[str, LanguageSignal]:
    """The verdicts in a build's `report.json`; none in one of version 0.1."""
    return adapter_of(dict[str, LanguageSignal]).validate_python(report.get("verdicts", {}))
