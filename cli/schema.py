"""`lidr schema`: the JSON Schema of the configuration."""

import typer


def schema() -> None:
    """Print the JSON Schema of lidr.yaml, for editors.

    lidr init puts it beside the configuration and names it in the first line, which editors with a YAML language server read:
    `# yaml-language-server: $schema=lidr.schema.json`.
    """
    from lidr_plugin.config.json_schema import json_schema

    from .terminal import say_json

    say_json(json_schema())


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("schema")(schema)
