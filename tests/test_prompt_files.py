"""Prompt files are read whole and strictly: every row or a message that names the line."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lidr_plugin.config.columns import Columns
from lidr_plugin.errors import InputError
from lidr_plugin.prompts.files import Row, read_rows

IN_ONE_FOLDER = hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def rows(path: Path, content: str | bytes) -> list[Row]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_rows(path, Columns(), need_id=False))


def test_rows_of_a_json_list_know_the_line_on_which_they_begin(tmp_path: Path) -> None:
    content = (
        '\n[{"instruction": "a"}, {"instruction": "b"},\n\n {"instruction":\n "c]\\n"\n}\n,{"instruction": "d"}\n]\n'
    )
    found = rows(tmp_path / "x.json", content)
    assert [(row.line, row.instruction) for row in found] == [(2, "a"), (2, "b"), (4, "c]\n"), (7, "d")]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('[[{"instruction": "a"}],\n[{"instruction": "b"}]]', ("x.json:1: expected an object, found a list",)),
        ('[{"instruction": "a"}]\n[{"instruction": "b"}]', ("x.json:2: not valid JSON: Extra data",)),
        ('[{"instruction": "a"}]\nand more', ("x.json:2: not valid JSON: Extra data",)),
        ('[{"instruction": "a"}\n{"instruction": "b"}]', ("x.json:2: not valid JSON: Expecting ',' delimiter",)),
        ('[{"instruction": "a"},, {"instruction": "b"}]', ("x.json:1: not valid JSON",)),
        ('[{"instruction": "a"},\n', ("x.json:1: the JSON list is not closed: the file is cut",)),
        ('[{"instruction": "a"},\n{"instruction": "b', ("x.json:2: not valid JSON: Unterminated string",)),
        ('\n{"instruction": "a"}\n{"instruction": "b"}', ("x.json:2: expected a JSON list", ".jsonl")),
        ("", ("x.json:1: expected a JSON list",)),
        ("[]", ("no prompts in the file",)),
        ("[" * 100_000, ("x.json", "too deep")),
        ('[{"instruction": "a"},\n{"n": ' + "1" * 5000 + "}]", ("x.json", "not valid JSON")),
    ],
)
def test_json_that_is_no_list_of_objects_is_refused_with_its_line(
    content: str, says: tuple[str, ...], tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        rows(tmp_path / "x.json", content)
    for part in says:
        assert part in caught.value.message


@IN_ONE_FOLDER
@given(
    texts=st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=8),
    indent=st.sampled_from([None, 0, 2]),
    plain=st.booleans(),
)
def test_every_row_of_a_json_list_is_read(texts: list[str], indent: int | None, plain: bool, tmp_path: Path) -> None:
    items = [{"id": str(i), "instruction": text, "more": [{"in": "it"}]} for i, text in enumerate(texts)]
    found = rows(tmp_path / "x.json", json.dumps(items, indent=indent, ensure_ascii=plain))
    assert [(row.id, row.instruction) for row in found] == [(str(i), text) for i, text in enumerate(texts)]


@IN_ONE_FOLDER
@given(
    suffix=st.sampled_from(["json", "jsonl", "csv"]),
    content=st.one_of(st.binary(), st.text('[]{}",: \n\\0eE.-instruco').map(str.encode)),
)
def test_no_content_ends_in_anything_but_rows_or_a_message(suffix: str, content: bytes, tmp_path: Path) -> None:
    with suppress(InputError):
        assert all(row.instruction.strip() for row in rows(tmp_path / f"x.{suffix}", content))
