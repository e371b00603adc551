"""What made prompts begin with: personas, topics, or prompts that are there."""

from importlib import resources
from pathlib import Path

from lidr_plugin.config.schema import Columns, Config
from lidr_plugin.errors import InputError
from lidr_plugin.machine.inputs import read_text
from lidr_plugin.prompts.files import read_rows
from lidr_plugin.prompts.prompt import PromptText

_SHIPPED = Path(str(resources.files("lidr_plugin.prompts") / "personas.txt"))


def seeds_of(config: Config) -> list[str]:
    """The seeds of a run, in the order of their file, each once.

    Raises:
        InputError: the file is not there, is broken or has none.
    """
    wanted = config.make_prompts
    path = config.folder / wanted.file if wanted.file else _SHIPPED
    if path.suffix == ".txt":
        found = [line.strip() for line in read_text(path).splitlines()]
    else:
        own = {"personas": Columns(instruction="persona"), "topics": Columns(instruction="topic")}
        rows = read_rows(path, own.get(wanted.seeds, config.columns), need_id=False)
        found = [PromptText(row.instruction, row.input).joined.strip() for row in rows]
    seeds = list(dict.fromkeys(filter(None, found)))
    if not seeds:
        raise InputError(f"{path}: no {wanted.seeds}", "one a line")
    return seeds
