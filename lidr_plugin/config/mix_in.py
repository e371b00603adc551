"""The entries of `mix_in`."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from lidr_plugin.config.section import Number, PathText, Section, needs

PromptPath = Annotated[
    PathText,
    needs(
        "{language}",
        "prompts/{language}.jsonl; prompts in one language alone are a file named after it, with translate_prompts: true",
    ),
]


class MixIn(Section):
    """Prompts of another skill, whose rows are made beside the others, so that training does not forget it."""

    prompts: PromptPath
    """Path of the files, with `{language}` in it, relative to the configuration file. Same `columns` and `join_on`."""
    share: Number = Field(gt=0, lt=1)
    """Their share of all prompts of the run, or of a round: 0.2 adds 25 to 100 others. They are taken from the beginning, and asked
    as they are, without `prompt_template` or the wording of `task: math`."""
    name: str = Field(default="", max_length=60, pattern=r"^[A-Za-z0-9_-]*$")
    """The ids of their rows begin with it and a colon. Empty: `mix1` for the first entry, `mix2` for the second, and so on."""
    skip_prompts: int = Field(default=0, ge=0, le=10**12)
    """Number of prompts to skip at the beginning of the files. A round of `lidr iterate` skips those of earlier ones too."""


def checked(entries: Sequence[MixIn]) -> list[MixIn]:
    """The entries, each with a name of its own.

    Raises:
        ValueError: two have one name, or nothing is left for the main prompts.
    """
    named = [
        entry if entry.name else entry.model_copy(update={"name": f"mix{number}"})
        for number, entry in enumerate(entries, 1)
    ]
    names = [entry.name for entry in named]
    problems = [f"the name {name} is there more than once" for name in dict.fromkeys(names) if names.count(name) > 1]
    if sum(entry.share for entry in named) >= 1:
        problems.append("the shares come to 1 or more, and leave nothing for the prompts of the run")
    if problems:
        raise ValueError("\n".join(problems))
    return named


def beside(entry: MixIn, entries: Sequence[MixIn], prompts: int) -> int:
    """How many prompts of an entry come to so many main ones."""
    return round(entry.share / (1 - sum(each.share for each in entries)) * prompts)
