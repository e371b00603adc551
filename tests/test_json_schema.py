"""The JSON Schema of `lidr.yaml`, as an editor uses it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from lidr_cli.app import app
from typer.testing import CliRunner

from lidr_plugin.config.json_schema import FILE, json_schema
from lidr_plugin.config.presets import PRESETS
from lidr_plugin.config.schema import Config
from lidr_plugin.config.section import keys
from tests.conftest import Lidr

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def examples() -> Iterator[tuple[str, str]]:
    """Every configuration that is shipped, and those that the documents show whole."""
    own = [path for path in ROOT.glob("examples/*/*.yaml") if path.parent.name != "cluster"]  # those are schedulers'
    for path in [*own, ROOT / "lidr_plugin/starter/lidr.yaml"]:
        yield str(path.relative_to(ROOT)), path.read_text()
    for name in PRESETS:
        text = CliRunner().invoke(app, ["methods", "show", name]).stdout
        yield f"lidr methods show {name}", text
    for path in [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/*.md")]:
        for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", path.read_text(), re.DOTALL)):
            if re.search("^model_name_or_path:", block, re.MULTILINE) and re.search("^languages:", block, re.MULTILINE):
                yield f"{path.name} {number}", block


@pytest.mark.parametrize(("name", "text"), list(examples()))
def test_every_example_is_valid(name: str, text: str) -> None:
    errors = [
        f"{'.'.join(map(str, e.absolute_path))}: {e.message}" for e in VALIDATOR.iter_errors(yaml.safe_load(text))
    ]
    assert errors == [], name


def test_there_are_examples() -> None:
    assert len(list(examples())) >= 4


def section_of(name: str) -> dict[str, Any]:
    """What the schema says of a key, by its dotted name."""
    found: dict[str, Any] = SCHEMA
    for part in name.split("."):
        found = found["properties"][part]
        for way in [*found.get("anyOf", [found]), found.get("items", {})]:
            if "$ref" in way:
                section = SCHEMA["$defs"][way["$ref"].rpartition("/")[2]]
                found = {**section, "description": found.get("description", section.get("description"))}
    return found


@pytest.mark.parametrize("name", [key.name for key in keys(Config)])
def test_every_key_is_explained(name: str) -> None:
    assert section_of(name).get("description"), name


@pytest.mark.parametrize(
    "change",
    [{"languges": ["de"]}, {"method": "imbalence"}, {"filters": {"truncated": "yes"}}, {"engine": {"concurrency": 0}}],
)
def test_what_is_wrong_is_underlined(change: dict[str, Any]) -> None:
    whole = {"model_name_or_path": "m", "languages": ["de"], "prompts": "{language}.jsonl"}
    assert VALIDATOR.is_valid(whole)
    assert not VALIDATOR.is_valid({**whole, **change})


def test_the_command_prints_it_and_init_puts_it_beside_the_configuration(tmp_path: Path, lidr: Lidr) -> None:
    assert json.loads(lidr("schema").stdout) == SCHEMA
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    lidr("init", "p")
    first = (tmp_path / "p/lidr.yaml").read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema={FILE}"
    assert json.loads((tmp_path / "p" / FILE).read_text()) == SCHEMA
