"""What a method is, and what it makes of a prompt: texts, rows, and candidates that became none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

from lidr_plugin.completions.client import Model
from lidr_plugin.completions.requests import Chat, Kind, Message, Need, Sampling, Score
from lidr_plugin.completions.steps import Steps
from lidr_plugin.methods.judging import Verdict
from lidr_plugin.prompts.prompt import Prompt, PromptText
from lidr_plugin.prompts.prompt_set import PromptSet

POLICY = "policy"
"""The role of the model that is asked and trained."""
TRANSLATOR = "translator"
"""The role of the model that translates; the policy itself, unless `translation.engine` names another."""


class Reason(StrEnum):
    """Why a candidate became no row (contract, section 4). A filter of one's own may give any other word."""

    TRANSLATION_FAILED = "translation_failed"
    TRUNCATED = "truncated"
    IDENTICAL = "identical"
    OFF_TARGET = "off_target"
    MIXED_SCRIPT = "mixed_script"
    REPETITION = "repetition"
    LENGTH_RATIO = "length_ratio"
    EMPTY = "empty"
    TRANSLATION_PROMPT = "translation_prompt"
    ANSWER = "answer"
    REQUEST_FAILED = "request_failed"
    UNFAITHFUL = "unfaithful"
    NO_CONTRAST = "no_contrast"
    NO_MAJORITY = "no_majority"
    THINNED = "thinned"
    UNREAD = "unread"


class Text(NamedTuple):
    """A text that a model wrote (a response or a translation), or the reason why there is none.

    Attributes:
        text: what there is of it, without tags and thoughts.
        cut: whether it stopped at `max_tokens`.
        failed: why it cannot be used; None if it can.
        echo: whether it is a translation of lidr's own request, and of no other text.
        refined: whether it took the place of a first translation, in which errors were found.
    """

    text: str
    cut: bool = False
    failed: str | None = None
    echo: bool = False
    refined: bool = False

    def translated(self, origin: str, target: str) -> str:
        """Where it comes from if it is a translation: `translation:en->de`, or `translation:en->de+refined`."""
        return f"translation:{origin}->{target}{'+refined' * self.refined}"


class Preference(NamedTuple):
    """A pair, with what the filters need to know about it.

    Attributes:
        source: the text that `chosen` was translated from; `chosen` itself where it is a response.
        answers_translation: whether the prompt asks for a translation and `chosen` is left untranslated.
        ranker: what gave the scores and the weight (`vote`, `reward`, …); empty where nothing did.
    """

    id: str
    language: str
    prompt: PromptText
    chosen: Text
    rejected: Text
    chosen_source: str
    rejected_source: str
    source: Text
    answers_translation: bool = False
    final_answer: str | None = None
    chosen_score: float | None = None
    rejected_score: float | None = None
    weight: float = 1.0
    ranker: str = ""

    @property
    def target(self) -> Text:
        """The text that the model is to learn."""
        return self.chosen

    @property
    def target_source(self) -> str:
        """Where the target comes from: `translation:en->de`."""
        return self.chosen_source

    @property
    def texts(self) -> tuple[Text, ...]:
        """All texts without which there is no row."""
        return self.source, self.chosen, self.rejected


class Sft(NamedTuple):
    """A prompt and the one answer to learn; the other fields as in `Preference`.

    Attributes:
        task: which of several kinds of rows it is, where the dataset has several.
    """

    id: str
    language: str
    prompt: PromptText
    output: Text
    output_source: str
    source: Text
    answers_translation: bool = False
    final_answer: str | None = None
    task: str = ""

    @property
    def target(self) -> Text:
        """The text that the model is to learn."""
        return self.output

    @property
    def target_source(self) -> str:
        """Where the target comes from: `translation:en->de`."""
        return self.output_source

    @property
    def texts(self) -> tuple[Text, ...]:
        """All texts without which there is no row."""
        return self.source, self.output


Row: TypeAlias = Preference | Sft


class Drop(NamedTuple):
    """A candidate that became no row."""

    row: Row
    reason: str


class Outcome(NamedTuple):
    """All that one prompt came to: its rows and its dropped candidates, each in their final order.

    Attributes:
        verdicts: what a judge said of its answers, if one was asked, rows or none.
    """

    position: int
    rows: tuple[Row, ...]
    drops: tuple[Drop, ...]
    verdicts: tuple[Verdict, ...] = ()

    @classmethod
    def of(cls, position: int, fates: Sequence[Row | Drop]) -> "Outcome":
        """Sorts a prompt's candidates into rows and drops."""
        return cls(
            position,
            rows=tuple([fate for fate in fates if not isinstance(fate, Drop)]),
            drops=tuple([fate for fate in fates if isinstance(fate, Drop)]),
        )


@dataclass(frozen=True, slots=True)
class Ask:
    """Makes requests to the models of a run, by their roles.

    Attributes:
        identities: by role, the identity of the weights that answer.
        codes: what the translator calls the languages, if it is a translation model; empty if it is asked in words.
    """

    identities: Mapping[str, str]
    codes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, roles: Mapping[str, Model]) -> "Ask":
        """For the models of a run, the translator among them."""
        return cls({role: model.identity for role, model in roles.items()}, roles[TRANSLATOR].codes)

    def chat(
        self,
        role: str,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        prefill: str = "",
        sample: int = 0,
        row: str = "",
    ) -> Chat:
        """A request to the model with this role; see `Chat` for the fields."""
        return Chat(self.identities[role], tuple(messages), sampling, prefill, sample, row=row)

    def score(
        self,
        role: str,
        kind: Kind,
        messages: Sequence[Message],
        text: str,
        *,
        layer: int | None = None,
        row: str = "",
        cut: bool = False,
    ) -> Score:
        """A request for a number about a text, to the model with this role; see `Score` for the fields."""
        return Score(self.identities[role], kind, tuple(messages), text, layer, row, cut)


class Method(Protocol):
    """Turns one prompt into rows. Pure: it yields requests and is sent answers; no I/O, no clock, no chance of its own.

    Attributes:
        rows: what it makes; decides the dataset's entry, LLaMA-Factory's stage and the card.
        roles: who is asked, by role. A role `policy` that is not named is the configuration's model.
        reasons: words for the reasons that it drops candidates for, beside those of lidr's own filters.
    """

    @property
    def rows(self) -> type[Preference] | type[Sft]: ...
    @property
    def roles(self) -> Mapping[str, Model]: ...
    @property
    def reasons(self) -> Mapping[str, str]: ...

    def problems(self, prompts: PromptSet) -> Sequence[str]:
        """All that is wrong with the prompts for this method, found before the first request."""

    def requests_at_most(self, prompts: int) -> int:
        """Requests for so many prompts if nothing were dropped or stored, second tries aside."""

    def steps(self, prompt: Prompt, ask: Ask) -> Steps[Outcome]:
        """The prompt's way from requests to rows."""


@runtime_checkable
class ScoringMethod(Protocol):
    """A method that asks for scores too.

    Attributes:
        scores: by role, what its engine must be able to do; looked at before the first request.
    """

    @property
    def scores(self) -> Mapping[str, frozenset[Need]]: ...

    def scores_at_most(self, prompts: int) -> int:
        """Scores for so many prompts, as `requests_at_most` counts completions."""


class Survey(Protocol):
    """A first pass over all prompts, for what a method must know of them together; the second finds everything in the store.

    Attributes:
        found: what it came to, by language, for the report.
    """

    def steps(self, prompt: Prompt, ask: Ask) -> Steps[Any]:
        """One prompt's way to what is to be known of it."""

    def add(self, seen: Any) -> None:
        """Takes what `steps` gave, in the order of the prompts."""

    @property
    def found(self) -> dict[str, float]: ...

    @property
    def noted(self) -> dict[str, list[int]]:
        """All that was taken so far, by language: what a shard tells the others."""

    def add_noted(self, noted: Mapping[str, Sequence[int]]) -> None:
        """Takes what was noted elsewhere of other prompts; the order does not matter."""

    def method(self) -> Method:
        """The method that makes the rows."""


@runtime_checkable
class SurveyingMethod(Protocol):
    """A method that may need a survey."""

    def survey(self) -> Survey | None:
        """The first pass; None where there is nothing to find."""
