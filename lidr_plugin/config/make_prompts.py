"""The section `make_prompts`."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from lidr_plugin.config.section import Number, PathText, Section, needs

SeedKind = Literal["personas", "topics", "prompts"]


class MakePrompts(Section):
    """How `lidr make-prompts` has the model write prompts, in the dominant language, and translate them into the others."""

    seeds: SeedKind = "personas"
    """What each prompt begins with: a person who might ask it (`personas`), a topic that it is about (`topics`), or `shots` of your
    own prompts, to write another of their kind (`prompts`)."""
    file: Annotated[PathText | None, Field(validate_default=True)] = None
    """File of the seeds, relative to the configuration file: `.txt` with one a line, or a prompt file whose column `persona`,
    `topic` or, for `prompts`, `columns.instruction` has them. Null: sixty personas that come with lidr."""
    count: int = Field(default=1000, ge=1, le=10_000_000)
    """So many are asked for, the seeds taking turns. Those that are no prompt, in another language, or like an earlier one drop
    out."""
    shots: int = Field(default=4, ge=1, le=100)
    """`seeds: prompts`: examples in a request."""
    temperature: Number = Field(default=0.9, gt=0, le=100)
    """How freely they are written; other settings (penalty, seed) are those of `generation`."""
    top_p: Number = Field(default=0.95, gt=0, le=1)
    """Share of the probability mass that nucleus sampling keeps."""
    max_tokens: int = Field(default=512, ge=1, le=10_000_000)
    """Maximum number of new tokens in a prompt. One that reaches it drops out."""
    similarity: Number = Field(default=0.7, ge=0.5, le=1)
    """From there two prompts are alike, and the later one drops out: the share of their sequences of four letters or figures
    that they have in common. 1: only those that are the same to a letter."""
    template: Annotated[str, needs("{seed}", "'Write what {seed} may ask, in {language}.'")] | None = None
    """Wording of the request, with `{seed}` and optionally `{language}` (its English name). The answer is expected between
    `<prompt>` and `</prompt>`. Null: lidr's own."""

    @field_validator("file")
    @classmethod
    def _given(cls, file: str | None, beside: ValidationInfo) -> str | None:
        seeds = beside.data.get("seeds", "personas")
        if file is None and seeds != "personas":
            raise ValueError(f"seeds: {seeds} needs a file of {seeds}")
        return file
