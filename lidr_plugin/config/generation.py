"""The sections `generation` and `translation`."""

from pydantic import Field, field_validator

from lidr_plugin.config.engine import OtherModel
from lidr_plugin.config.section import Number, Section


class Generation(Section):
    """How responses are generated (paper, section 4.1 and appendix: greedy, repetition penalty 1.1, seed 42)."""

    temperature: Number = Field(default=0.0, ge=0, le=100)
    """0 takes the likeliest token."""
    top_p: Number = Field(default=1.0, gt=0, le=1)
    """Share of the probability mass that nucleus sampling keeps."""
    max_tokens: int = Field(default=2048, ge=1, le=10_000_000)
    """Maximum number of new tokens in a response. A response that reaches it is cut off, and is never chosen."""
    repetition_penalty: Number = Field(default=1.1, gt=0, le=100)
    """1.0 is no penalty, and is not sent to the server."""
    seed: int = 42
    """Seed of the sampler."""
    system: str | None = None
    """System prompt of every response; it is also written to the dataset."""
    thinking: bool = False
    """False: the chat template is asked not to think, and `<think>…</think>` is removed from responses."""


class Translation(Section):
    """How texts are translated. Other settings (`top_p`, penalty, seed) are those of `generation`."""

    temperature: Number = Field(default=0.0, ge=0, le=100)
    """0 takes the likeliest token."""
    max_tokens: int = Field(default=4096, ge=1, le=10_000_000)
    """Maximum number of new tokens in a translation."""
    retries: int = Field(default=1, ge=0, le=100)
    """Maximum number of retries of a translation that is missing, empty or cut off; they ask more plainly and in smaller parts."""
    template: str | None = None
    """Wording of the request, with `{language}` (English name of the target language) and `{text}`. Null: lidr's own."""
    refine: bool = False
    """Whether the translator then looks for errors in its translation and, where it finds some, translates again (TEaR). Up to two
    requests more for each; small models find no errors. The way there and back of `lidr probe` tells whether it pays."""
    engine: OtherModel | None = None
    """Another translator. Null: the model translates its own texts. With `backend: transformers` it may be a translation model
    (NLLB, MADLAD), which is asked with the text alone, a sentence at a time, without a penalty on repetition or retries."""

    @field_validator("template")
    @classmethod
    def _placeholders(cls, template: str | None) -> str | None:
        missing = [name for name in ("{language}", "{text}") if template is not None and name not in template]
        if missing:
            raise ValueError(f"needs {' and '.join(missing)}")
        return template
