"""The JSON Schema of `lidr.yaml`: what an editor completes, explains and underlines."""

from collections.abc import Mapping
from typing import Any

from lidr_plugin.config.presets import PRESETS
from lidr_plugin.config.schema import Config
from lidr_plugin.config.section import keys

FILE = "lidr.schema.json"
"""Its name beside a configuration."""
LINE = f"# yaml-language-server: $schema={FILE}\n"
"""The first line of a configuration whose editor is to know it."""


def json_schema() -> dict[str, Any]:
    """Every key with its docstring, its kind and its default. What depends on other keys is told by `lidr` itself alone."""
    schema = Config.model_json_schema()
    for key in keys(Config):
        properties = (schema if key.parent is Config else schema["$defs"][key.parent.__name__])["properties"]
        name = key.name.rpartition(".")[2]
        if key.meaning:
            properties[name] = dict(sorted({**properties[name], "description": key.meaning}.items()))
    schema = _plain(schema)
    schema["properties"]["method"]["enum"] = sorted(PRESETS)
    schema["$defs"]["Train"]["properties"]["method"]["enum"].append("sft_baseline")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "lidr.yaml"}


def _plain(value: Any) -> Any:
    """Without what says nothing to an editor: pydantic's titles, lidr's own marks, line breaks within a sentence."""
    if isinstance(value, Mapping):
        found = {name: _plain(item) for name, item in value.items() if not _is_noise(name, item)}
        if isinstance(found.get("description"), str):
            found["description"] = " ".join(found["description"].split())
        return found
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _is_noise(name: str, item: Any) -> bool:
    return (name == "title" and isinstance(item, str)) or (name == "changes_results" and isinstance(item, bool))
