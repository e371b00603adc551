"""What the page shows of a run. Dataclasses, which pydantic reads and orjson writes as they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lidr_plugin.evaluation.results import HeadToHead, LanguageSignal, ModelResults, Signal

COUNTS = (
    "prompts candidates pairs rejected completions scores tokens seconds tokens_per_second model_name_or_path".split()
)
"""Of a build: the counts (contract, section 4), and whose."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """The least length of each bin in characters; by text (`chosen`, …) and language the rows in each bin."""

    bins: list[int]
    texts: dict[str, dict[str, list[int]]]

    def __post_init__(self) -> None:
        if any(len(rows) != len(self.bins) for by_language in self.texts.values() for rows in by_language.values()):
            raise ValueError("lengths: a text has more or fewer bins than there are")


@dataclass(frozen=True, slots=True)
class Timeline:
    """Completion tokens by time, in bins of so many seconds."""

    bin_seconds: float
    tokens: list[int]

    def __post_init__(self) -> None:
        if not self.bin_seconds > 0:
            raise ValueError(f"timeline: a bin of {self.bin_seconds:g} seconds")


@dataclass(frozen=True, slots=True)
class Sample:
    """A row of the dataset: a pair, or a prompt with its one output."""

    id: str
    instruction: str
    input: str = ""
    chosen: str | None = None
    chosen_source: str = ""
    rejected: str | None = None
    rejected_source: str = ""
    output: str | None = None
    output_source: str = ""


@dataclass(frozen=True, slots=True)
class Build:
    """A build's `report.json`: the counts (contract, section 4), then what lidr 0.1 did not write."""

    prompts: int
    candidates: dict[str, int]
    pairs: dict[str, int]
    rejected: dict[str, dict[str, int]]
    completions: dict[str, int]
    tokens: dict[str, int]
    seconds: float
    tokens_per_second: float
    model_name_or_path: str = ""
    reasons: dict[str, str] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)
    scores: dict[str, int] = field(default_factory=dict)
    lengths: Lengths | None = None
    timeline: Timeline | None = None
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    verdicts: dict[str, LanguageSignal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lacking = [f"pairs: no {code}" for code in self.candidates if code not in self.pairs]
        lacking += [
            f"completions: no {name}" for name in ("generated", "reused", "failed") if name not in self.completions
        ]
        lacking += ["tokens: no completion"] * ("completion" not in self.tokens)
        if self.lengths:
            lacking += [
                f"lengths: no {code} in {name}"
                for name, by_language in self.lengths.texts.items()
                for code in self.candidates
                if self.pairs.get(code) and not by_language.get(code)
            ]
        if lacking:
            raise ValueError(lacking[0])


@dataclass(frozen=True, slots=True)
class Point:
    """A step of a training; None where its stage has no such number."""

    step: int
    loss: float | None
    accuracy: float | None
    margin: float | None


@dataclass(frozen=True, slots=True)
class Training:
    """A training's state and course; the settings are those that decide what is learnt, as LLaMA-Factory names them."""

    status: str
    settings: Mapping[str, Any]
    merge: Mapping[str, Any] | None
    curve: Sequence[Point]
    held_out: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Round:
    """What a round has, and the versions of the packages that trained it; a run without rounds is its only one.

    `verdicts` are the probe's, which went both ways, and the build's in languages that have no other.
    """

    round: int
    build: Build | None
    signal: Signal | None
    training: Training | None
    configuration: Mapping[str, Any]
    versions: Mapping[str, str]
    verdicts: Mapping[str, LanguageSignal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Model:
    """A model that was measured. Path and weights are None where its answers came from a file."""

    path: str | None
    weights: str | None
    results: ModelResults


@dataclass(frozen=True, slots=True)
class Answers:
    """A held-out prompt and what each model answered, by its label."""

    language: str
    instruction: str
    answers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """All of a run; the head-to-heads by round. `notes` say whose results these are, where they are not those of the rows shown."""

    name: str
    in_rounds: bool
    total: Build | None
    rounds: Sequence[Round]
    models: Mapping[str, Model]
    head_to_head: Mapping[int, HeadToHead]
    answers: Sequence[Answers]
    notes: Sequence[str]
