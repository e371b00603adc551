"""What evaluations found: the content of `eval/results.json` and `probe.json`, as records that are written and read back here."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from lidr_plugin.errors import InputError
from lidr_plugin.evaluation.intervals import Mean, Share, Value
from lidr_plugin.evaluation.judge import Verdicts

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of lm-eval, with its standard error where it has one."""

    value: float
    stderr: float | None


@dataclass(frozen=True, slots=True)
class ModelResults:
    """One model's: by benchmark, language and mark; and lm-eval's by task and metric."""

    benchmarks: Mapping[str, Mapping[str, Mapping[str, Value]]]
    lm_eval: Mapping[str, Mapping[str, Metric]]

    def json(self) -> dict[str, Any]:
        """Side by side, as they stand in the file."""
        return {**self.benchmarks, **({"lm_eval": self.lm_eval} if self.lm_eval else {})}

    @staticmethod
    def parted(found: Any) -> Any:
        """What stands side by side in the file, as the record has it."""
        if not isinstance(found, dict):
            return found
        return {"benchmarks": {k: v for k, v in found.items() if k != "lm_eval"}, "lm_eval": found.get("lm_eval", {})}


@dataclass(frozen=True, slots=True)
class HeadToHead:
    """A judge's verdicts on each model's answers against those of the first one, by model and language.

    Attributes:
        complete: whether the budget reached for all pairs of answers.
        warning: why the verdicts say nothing, if they do.
        pairs: pairs of answers that there are.
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
        results: by label, also of answers that others gave.
        notes: for people, what was not measured and why.
    """

    models: Mapping[str, str]
    weights: Mapping[str, str]
    results: Mapping[str, Annotated[ModelResults, BeforeValidator(ModelResults.parted)]]
    head_to_head: HeadToHead | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Responses:
    """A sample's answers in one language.

    Attributes:
        sound: not empty, cut, in another language or endlessly repeated.
        off_target: None where the language cannot be identified.
        characters: the mean length.
        grade: a judge's mean, from 0 to 10.
    """

    sound: Share
    off_target: Share | None
    degenerate: Share
    cut: Share
    characters: float
    grade: Mean | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A non-dominant language beside the dominant one.

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
class Signal:
    """How much there is to learn from.

    Attributes:
        kind: `judge`: the share of decided pairs in which it prefers chosen; `visible`: of candidates that show without one.
        threshold: the share from which on a round is worth its training.
    """

    kind: str
    share: Share
    threshold: float

    @property
    def worth_it(self) -> bool:
        """Whether a round is."""
        return self.share.share >= self.threshold

    def json(self) -> dict[str, Any]:
        """Flat, as it stands in the file."""
        return {"kind": self.kind, **self.share.json(), "threshold": self.threshold, "worth_it": self.worth_it}

    @staticmethod
    def parted(found: Any) -> Any:
        """What is flat in the file, as the record has it."""
        return {**found, "share": found} if isinstance(found, dict) else found


@dataclass(frozen=True, slots=True)
class Probe:
    """What `lidr probe` measured.

    Attributes:
        prompts: how many of the sample were measured.
        responses: by language.
        against_dominant: by language, the dominant one left out.
        judged: by language, the verdicts on chosen against rejected; empty without a judge.
        judge_warning: why those say nothing, if they do.
        notes: for people, what was not measured and why.
    """

    prompts: int
    responses: Mapping[str, Responses]
    against_dominant: Mapping[str, Comparison]
    judged: Mapping[str, Verdicts]
    judge_warning: str | None
    dominant: Dominance
    signal: Annotated[Signal, BeforeValidator(Signal.parted)]
    notes: tuple[str, ...] = ()


def plain(value: Any) -> Any:
    """A record as JSON has it; a field that has its default is left out."""
    if isinstance(value, Share | Signal | ModelResults):
        value = value.json()
    elif is_dataclass(value):
        found = {field: getattr(value, field.name) for field in fields(value)}
        value = {field.name: item for field, item in found.items() if item != field.default}
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    return value


def read_results(path: Path) -> Results:
    """What `lidr eval` wrote, in this version or 0.1. Raises `InputError` if the file is damaged or not there."""
    return read(TypeAdapter(Results), path, "`lidr eval` writes it anew; its answers are in the store")


def read_probe(path: Path) -> Probe:
    """What `lidr probe` wrote, in this version or 0.1. Raises `InputError` if the file is damaged or not there."""
    return read(TypeAdapter(Probe), path, "`lidr probe` writes it anew; its answers are in the store")


def read(kind: TypeAdapter[T], path: Path, remedy: str) -> T:
    """The record in a JSON file.

    Raises:
        InputError: the file is damaged or not there; with the place and the remedy.
    """
    try:
        return kind.validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", remedy) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(f"{path}: damaged{place and f' at {place}'}: {first['msg']}", remedy) from None
