"""The section `rank`."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from lidr_plugin.config.engine import OtherModel
from lidr_plugin.config.section import Number, Section

_NEEDS_SCORER = {
    "reward": "a reward model",
    "implicit": "the reference that the model was trained from",
}
_NO_SCORER = ("answer", "vote")
_ACROSS = ("vote", "reward")


def _policy(value: Any) -> Any:
    """`policy` is the model itself, as null is."""
    return None if value == "policy" else value


class Rank(Section):
    """How `method: rank` draws several answers to a prompt, puts them in order and makes pairs of them."""

    by: Literal["answer", "vote", "reward", "implicit", "translation", "consistency", "judge", "grade"] = "vote"
    """What puts the answers in order: their final `answer`, a majority `vote` for it, the score of a `reward` model, the `implicit`
    reward of a model that was trained on preferences, the likelihood of the dominant answer as their `translation`, their
    `consistency` with the dominant answers, a `judge` who compares two, or a `grade` for each."""
    samples: int = Field(default=8, ge=1, le=10_000)
    """Number of answers drawn for a prompt in each language."""
    include_greedy: bool = False
    """Whether the answer without chance, as `generation` has it, is among them. `method: imbalance` asks for the same one."""
    temperature: Number = Field(default=0.7, ge=0, le=100)
    """Temperature of the samples."""
    top_p: Number = Field(default=0.9, gt=0, le=1)
    """Share of the probability mass that nucleus sampling keeps."""
    repetition_penalty: Number = Field(default=1.0, gt=0, le=100)
    """1.0 is no penalty."""
    max_tokens: int | None = Field(default=None, ge=1, le=10_000_000)
    """Maximum number of new tokens in a sample. Null: that of `generation`."""
    pool: Literal["language", "all"] = "language"
    """Who votes or competes together: the answers of one `language`, or of `all`. All of them need `by: vote` or `by: reward`."""
    select: Literal["extremes", "spread", "contrast", "every"] = "extremes"
    """Which answers become pairs: the best against the worst (`extremes`); against the one two standard deviations below the mean
    (`spread`); right ones against wrong ones (`contrast`); `every` one against each that is worse."""
    pairs: int = Field(default=1, ge=1, le=100_000)
    """Maximum number of pairs for a prompt in a language, where `select` is `contrast` or `every`."""
    threshold: Number | None = Field(default=None, ge=0, le=1)
    """by vote: the share of all answers that the winner needs, abstentions included. Null: 0.5."""
    weights: Literal["ignore", "copies", "thin"] | None = None
    """by vote: what becomes of a pair's weight, the share of the votes by which its texts differ. `copies`: it is written once for
    each of these votes, and the recipe's epochs are divided by the mean number of copies; `thin`: it is kept with this
    probability; `ignore`: the column alone says it. Null: `copies`."""
    reject_from: Literal["any", "sound"] = "any"
    """Whether `any` answer with a word in it may be rejected, or only a `sound` one, which could be chosen as well."""
    dominant: bool = True
    """Whether there are pairs in the dominant language too."""
    scorer: Annotated[
        OtherModel | None, BeforeValidator(_policy, json_schema_input_type=OtherModel | Literal["policy"] | None)
    ] = None
    """The model that gives the scores, or judges. Null or `policy`: the model itself, where it can."""
    grades: int = Field(default=1, ge=1, le=1000)
    """by grade: how many are asked for each answer; more than one are drawn at a temperature of 0.7, and their mean counts."""
    length_control: Literal["none", "auto"] | Number = "none"
    """by reward or implicit: what each character costs. `auto`: the price, up to 0.999, at which chosen and rejected texts of a
    language are of about the same length."""
    references: Literal["medoid", "all"] = "medoid"
    """by translation or consistency: the dominant answers that others are held against, the most central or all (20 at most)."""
    scoring_prompt: Literal["cross", "own"] = "cross"
    """by implicit: whether an answer's likelihood is that under the dominant prompt, with its language named, or under its own."""
    layer: Annotated[int, Field(ge=0, le=10_000)] | Literal["middle"] | None = None
    """by consistency: the layer of the model whose hidden states are compared. Null: the sentence embedding of the scorer or, of
    the model itself, `middle`."""

    @property
    def answers(self) -> int:
        """To a prompt in a language."""
        return self.samples + self.include_greedy

    @property
    def votes_needed(self) -> float:
        """The threshold that holds."""
        return 0.5 if self.threshold is None else self.threshold

    @property
    def judges_itself(self) -> bool:
        """Whether the model is asked for verdicts on its own answers."""
        return self.by == "judge" and self.scorer is None

    @property
    def weighted(self) -> Literal["ignore", "copies", "thin"]:
        """What becomes of weights."""
        return self.weights or ("copies" if self.by == "vote" else "ignore")

    @model_validator(mode="after")
    def _coherent(self) -> "Rank":
        if problems := list(self._contradictions()):
            raise ValueError("\n".join(problems))
        return self

    def _contradictions(self) -> Iterator[str]:
        by = self.by
        if self.samples > 1 and not self.temperature:
            yield f"temperature: at 0 all {self.samples} samples are one text; set it above 0, or samples: 1"
        if self.samples == 1 and not self.include_greedy:
            yield "samples: a pair needs two answers; draw more, or set include_greedy"
        if by != "vote":
            if self.threshold is not None:
                yield f"threshold: is a share of votes, and by: {by} has none; leave it out, or set by: vote"
            if self.weights in ("copies", "thin"):
                yield f"weights: {self.weights} needs by: vote; by: {by} gives no weights"
        if self.pool == "all" and by not in _ACROSS:
            yield f"pool: all needs by: vote or by: reward; {by} ranks each language by itself"
        if self.select == "contrast" and by not in ("answer", "vote"):
            yield f"select: contrast needs right and wrong answers, which by: {by} does not tell apart; set by: answer"
        if self.length_control != "none" and by not in ("implicit", "reward"):
            yield f"length_control: needs by: implicit or by: reward, whose scores like length; by is {by}"
        if by != "grade" and self.grades > 1:
            yield f"grades: needs by: grade; by is {by}"
        if by == "judge" and self.answers != 2:
            yield "samples: a judge compares two answers; set samples: 2"
        if self.scorer is None and by in _NEEDS_SCORER:
            yield f"scorer: by: {by} needs {_NEEDS_SCORER[by]}: scorer: {{model_name_or_path: …}}"
        if self.scorer is not None and by in _NO_SCORER:
            yield f"scorer: by: {by} asks no model; leave it out"
