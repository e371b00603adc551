"""Writes docs/configuration.md from the configuration's docstrings, docs/commands.md from the commands' help, docs/languages.md
from the tables of languages, docs/gpus.md from `lidr plan`, docs/evaluation.md
from the table of benchmarks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_json
from typer.main import get_command

from docs import evaluation, gpus
from lidr_plugin import languages
from lidr_plugin.config.schema import Config
from lidr_plugin.config.section import Key, keys
from lidr_plugin.text import scripts
from lidr_plugin.text.identifier import is_identifiable


def _row(key: Key) -> str:
    default = "*required*" if key.field.is_required() else f"`{to_json(key.field.default).decode()}`"
    if isinstance(key.field.default, BaseModel):
        default = ""  # its keys follow, each with its own
    name = f"**`{key.name}`**" if key.section else f"`{key.name}`"
    meaning = " ".join(key.meaning.split())
    return f"| {name}{'' if key.changes_results else ' †'} | {default} | {meaning} |\n"


def configuration() -> str:
    """docs/configuration.md."""
    head = (
        "# The configuration\n\nEvery key of `lidr.yaml`, made from the code by `python -m docs.generate`. Any key can be "
        "overridden on the command line as `KEY=VALUE` (`engine.concurrency=64`). Keys that LLaMA-Factory has too bear its "
        "names. Sections are in bold; one whose default is `null` is optional. The file is YAML 1.2: `no` is text, so Norwegian "
        "needs no quotes, and `5e-7` is a number.\n\n† says how the work is done, not what comes of it, and may be "
        "changed in the middle of a run.\n\n| key | default | meaning |\n|---|---|---|\n"
    )
    return head + "".join(map(_row, keys(Config)))


def _help(command: Any, name: str) -> Iterator[str]:
    for below in getattr(command, "commands", {}).values():
        yield from _help(below, f"{name} {below.name}")
    if not getattr(command, "commands", None):
        yield f"## {name}\n\n{' '.join((command.help or '').split())}\n"
        for parameter in command.params:
            label = " / ".join([*parameter.opts, *parameter.secondary_opts])
            if parameter.param_type_name == "argument":
                label = parameter.metavar or str(parameter.name).upper()
            if label != "--help":
                yield f"- `{label}`: {parameter.help}"
        yield ""


def commands() -> str:
    """docs/commands.md."""
    from lidr_cli.app import app

    head = "# The commands\n\nMade from the code by `python -m docs.generate`. Exit status: 0 done; 1 the run failed, and what was "
    head += (
        "finished is kept; 2 the command line, the configuration or an input file is wrong, and nothing was written; "
    )
    return head + "130 interrupted.\n\n" + "\n".join(_help(get_command(app), "lidr"))


def language_table() -> str:
    """docs/languages.md."""
    rows = ["| code | language | identified | scripts |", "|---|---|---|---|"]
    for code, name in languages.NAMES.items():
        usual = ", ".join(scripts.usual(languages.tag(code).base))
        rows.append(f"| `{code}` | {name} | {'yes' if is_identifiable(code) else 'by script alone'} | {usual} |")
    text = (Path(__file__).parent / "languages.head.md").read_text()
    identified = sum(map(is_identifiable, languages.NAMES))
    text = text.replace("{names}", str(len(languages.NAMES))).replace("{identified}", str(identified))
    return text + "\n" + "\n".join(rows) + "\n"


def main() -> None:
    """Writes them all."""
    folder = Path(__file__).parent
    (folder / "configuration.md").write_text(configuration())
    (folder / "commands.md").write_text(commands())
    (folder / "languages.md").write_text(language_table())
    (folder / "gpus.md").write_text(gpus.page())
    (folder / "evaluation.md").write_text(evaluation.page())


if __name__ == "__main__":
    main()
