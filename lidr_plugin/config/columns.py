"""The section `columns`."""

from lidr_plugin.config.section import Section


class Columns(Section):
    """Names of the columns of the prompt files."""

    id: str = "id"
    """Column of the id."""
    instruction: str = "instruction"
    """Column of the prompt."""
    input: str = "input"
    """Column of the second part of the prompt, which follows the first after a line break. May be absent."""
    final_answer: str = "final_answer"
    """Column of the correct answer (a number), for `task: math`. May be absent."""
    response: str | None = None
    """Column of a right answer in the dominant language, which `method: mix` takes in place of the model's own. A prompt without
    one is answered by the model. Null: there is no such column."""
