"""What all sections of the configuration share."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.config import JsonDict

HOW: JsonDict = {"changes_results": False}
"""Marks a key that says how the work is done and not what comes of it: `Field(json_schema_extra=HOW)`."""


class Section(BaseModel):
    """What all sections share: frozen, no unknown keys, a docstring under each key."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, strict=True)


def _as_float(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


Number = Annotated[float, BeforeValidator(_as_float)]
"""A number that YAML may write without a point."""


def results_of(section: BaseModel, prefix: str = "") -> dict[str, Any]:
    """The keys that change results, by their dotted names, with JSON values; what is marked `HOW` is left out."""
    return dict(_flat(section.model_dump(mode="json"), section, prefix))


def _flat(values: dict[str, Any], section: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    fields = type(section).model_fields if isinstance(section, BaseModel) else {}
    for key, value in values.items():
        if key in fields and fields[key].json_schema_extra == HOW:
            continue
        if isinstance(value, dict) and value:
            yield from _flat(value, getattr(section, key, None), f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
