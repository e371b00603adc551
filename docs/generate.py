"""Writes docs/configuration.md from the configuration's docstrings and docs/commands.md from the commands' help."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import to_json
from typer.main import get_command

from lidr_plugin.config.schema import Config


def _rows(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *get_args(field.annotation)]
        section = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        text = " ".join((field.description or "").split())
        if section is None or field.default is None:
            default = "*needed*" if field.is_required() else f"`{to_json(field.default).decode()}`"
            yield f"| `{prefix}{name}` | {default} | {text} |"
        if section is not None and not prefix:
            if field.default is not None:
                yield f"| **`{name}`** | | {text} |"
            yield from _rows(section, f"{name}.")


def configuration() -> str:
    """docs/configuration.md."""
    head = (
        "# The configuration\n\nEvery key of `lidr.yaml`, made from the code by `python -m docs.generate`. Any key can be "
        "overridden on the command line as `KEY=VALUE` (`engine.concurrency=64`). Keys that LLaMA-Factory has too bear its "
        "names.\n\n| key | default | meaning |\n|---|---|---|\n"
    )
    return head + "\n".join(_rows(Config)) + "\n"


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
    from lidr_cli.main import app

    head = "# The commands\n\nMade from the code by `python -m docs.generate`. Exit status: 0 done; 1 the run failed, and what was "
    head += (
        "finished is kept; 2 the command line, the configuration or an input file is wrong, and nothing was written; "
    )
    return head + "130 interrupted.\n\n" + "\n".join(_help(get_command(app), "lidr"))


def main() -> None:
    """Writes both."""
    folder = Path(__file__).parent
    (folder / "configuration.md").write_text(configuration())
    (folder / "commands.md").write_text(commands())


if __name__ == "__main__":
    main()
