"""The section `mix`."""

from typing import Annotated

from pydantic import Field

from lidr_plugin.config.section import Number, Section

Share = Annotated[Number, Field(ge=0, le=1)]


class Mix(Section):
    """Templates of SFT rows, each with the share of the prompts that gets such a row in each language. x is a prompt, y an answer,
    d the dominant language, l another one, t the translation of y^d into l."""

    answer_d: Share = 0.0
    """x^d, answered with y^d. y^d is the text in `columns.response` where there is one, otherwise the model's own answer."""
    answer: Share = 0.0
    """x^l, answered with t."""
    translation: Share = 0.0
    """The request to translate y^d into l, answered with t. Teaches little unless `translation.engine` is another model."""
    question: Share = 0.0
    """The request to translate x^l into d, answered with x^d. The prompts must not be the model's own translations."""
    question_out: Share = 0.0
    """The request to translate x^d into l, answered with x^l. The prompts must not be the model's own translations."""
    cross_out: Share = 0.0
    """x^d and the order to answer in l, answered with t."""
    cross_in: Share = 0.0
    """x^l and the order to answer in d, answered with y^d."""
    plug: Share = 0.0
    """x^l, answered with x^d, y^d and t, each under its heading."""
    stage: int = Field(default=1, ge=1, le=2)
    """`method: qalign` has two stages with a training each: `question`, then `answer_d` with the model that the first made."""

    @property
    def shares(self) -> dict[str, float]:
        """The templates that are wanted at all, in their order."""
        values = self.model_dump(exclude={"stage"})
        return {name: share for name, share in values.items() if share}
