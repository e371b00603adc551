"""The sections of how texts are drawn and translated."""

from pydantic import Field, model_validator

from lidr_plugin.config.engine import OtherModel
from lidr_plugin.config.section import Number, Section


class Generation(Section):
    """How responses are drawn (paper, section 4.1 and appendix: greedy, repetition penalty 1.1, seed 42)."""

    temperature: Number = Field(default=0.0, ge=0)
    """0 takes the likeliest token."""
    top_p: Number = Field(default=1.0, gt=0, le=1)
    """Nucleus sampling's share of the probability."""
    max_tokens: int = Field(default=2048, ge=1)
    """New tokens of a response at most. A response that reaches it is cut, and so is no chosen text."""
    repetition_penalty: Number = Field(default=1.1, gt=0)
    """1.0 is none, and is not sent to the server."""
    seed: int = 42
    """Seed of the sampler."""
    system: str | None = None
    """System prompt of every response; it is written to the dataset too."""
    thinking: bool = False
    """False asks the chat template not to think, and removes `<think>…</think>` from what comes back."""


class Translation(Section):
    """How the model translates its own texts. What is not here (top_p, penalty, seed) is as in `generation`."""

    temperature: Number = Field(default=0.0, ge=0)
    """0 takes the likeliest token."""
    max_tokens: int = Field(default=4096, ge=1)
    """New tokens of a translation at most."""
    retries: int = Field(default=1, ge=0)
    """Further tries for a translation that is missing, empty or cut; they ask more plainly and in smaller parts."""
    template: str | None = None
    """The request's wording, with `{language}` (the target's English name) and `{text}`. Null: lidr's own."""
    engine: OtherModel | None = None
    """Another translator. Null: the model translates itself."""

    @model_validator(mode="after")
    def _placeholders(self) -> "Translation":
        missing = [name for name in ("{language}", "{text}") if self.template is not None and name not in self.template]
        if missing:
            raise ValueError(f"template lacks {' and '.join(missing)}")
        return self
