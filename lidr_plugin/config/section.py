"""What all sections of the configuration share, and the walk over their keys."""

import ast
import inspect
import os
import textwrap
from collections.abc import Iterator, Set
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, NamedTuple, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo

HOW: JsonDict = {"changes_results": False}
"""Marks a key that says how the work is done, not what comes of it: `Field(json_schema_extra=HOW)`."""


class Section(BaseModel):
    """A section: frozen, no unknown keys, a docstring under each key. JSON, to which it is written, has no infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _as_float(value: Any) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**64
    return float(value) if whole else value


def _check_path(text: str) -> str:
    """Raises `ValueError` where no file can have this name."""
    longest = max(text.split("/"), key=lambda name: len(name.encode(errors="replace")))
    if len(longest.encode(errors="replace")) > _LONGEST_NAME:
        raise ValueError(f"{longest[:40]}… is longer than {_LONGEST_NAME} bytes, which no file's name may be")
    if len(text) > _LONGEST_PATH:
        raise ValueError(f"a path of {len(text):,} characters, longer than {_LONGEST_PATH:,}")
    if text.startswith("~") and os.path.expanduser(text) == text:
        raise ValueError(f"there is no user {text.partition('/')[0][1:]} here whose home this could be")
    return text


def needs(placeholder: str, example: str) -> AfterValidator:
    """Requires that a text contain a placeholder."""

    def check(text: str) -> str:
        if placeholder not in text:
            raise ValueError(f"needs {placeholder}, as in {example}")
        return text

    return AfterValidator(check)


_LONGEST_NAME = 255
_LONGEST_PATH = 3000
"""Linux takes 4,096 bytes, of which the file's folder and the names below need some."""

Number = Annotated[float, BeforeValidator(_as_float)]
"""A number that may be written without a decimal point."""
PathText = Annotated[str, AfterValidator(_check_path)]
"""The path of a file or folder, or a name that may be one."""


class Key(NamedTuple):
    """A key of the configuration, by its dotted name."""

    name: str
    parent: type[BaseModel]
    field: FieldInfo
    section: type[BaseModel] | None
    """The section that is its value, whether always there or optional."""

    @property
    def meaning(self) -> str:
        """Its docstring."""
        return docstrings(self.parent).get(self.name.rpartition(".")[2], "")

    @property
    def changes_results(self) -> bool:
        """Whether two runs that differ in this key alone may have different results."""
        return self.field.json_schema_extra != HOW


@cache
def docstrings(model: type[BaseModel]) -> dict[str, str]:
    """The docstring under each key of a section. Pydantic would read all of them at every start, which takes a third of it."""
    above = docstrings(model.__base__) if model.__base__ and issubclass(model.__base__, BaseModel) else {}
    if model is BaseModel:
        return {}
    (found,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    lines = found.body if isinstance(found, ast.ClassDef) else []
    return above | {
        key.target.id: inspect.cleandoc(below.value.value)
        for key, below in pairwise(lines)
        if isinstance(key, ast.AnnAssign) and isinstance(key.target, ast.Name)
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str)
    }


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[Key]:
    """Every key of a section and of the sections inside it, optional ones included, in the order of their definition."""
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *get_args(field.annotation)]
        section = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        yield Key(prefix + name, model, field, section)
        if section is not None:
            yield from keys(section, f"{prefix}{name}.")


def results_of(section: BaseModel, prefix: str = "") -> dict[str, Any]:
    """The keys that change results, by their dotted names, with JSON values; what is marked `HOW` is left out."""
    how = {prefix + key.name for key in keys(type(section)) if not key.changes_results}
    return dict(_flat(section.model_dump(mode="json"), how, prefix))


def _flat(values: dict[str, Any], without: Set[str], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        name = prefix + key
        if name in without:
            continue
        if isinstance(value, dict) and value:
            yield from _flat(value, without, f"{name}.")
        else:
            yield name, value
