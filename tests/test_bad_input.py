"""A corpus of malformed configurations and prompt files: an `InputError` that names the place, and no file written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from lidr_plugin import build_pairs, load
from lidr_plugin.errors import InputError
from tests.conftest import Lidr, prompts, settings, write_prompts


class Case(NamedTuple):
    """How to spoil a good run, and what the message must hold."""

    name: str
    spoil: Callable[[Path], object]
    says: tuple[str, ...]
    overrides: tuple[str, ...] = ()


def text(content: str | bytes) -> Callable[[Path], None]:
    """The whole of lidr.yaml is this."""
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / "lidr.yaml").write_bytes(data) and None


def line(extra: str) -> Callable[[Path], None]:
    """lidr.yaml with one more line at its end; without the key, if it has it already."""

    def spoil(folder: Path) -> None:
        path = folder / "lidr.yaml"
        values = yaml.safe_load(path.read_text())
        values.pop(extra.split(":", maxsplit=1)[0], None)
        path.write_text(yaml.safe_dump(values) + extra + "\n")

    return spoil


def prompt_file(name: str, content: str | bytes, **changes: object) -> Callable[[Path], None]:
    """One prompt file is this."""

    def spoil(folder: Path) -> None:
        data = content.encode() if isinstance(content, str) else content
        (folder / "prompts" / name).write_bytes(data)
        if changes:
            values = yaml.safe_load((folder / "lidr.yaml").read_text()) | changes
            (folder / "lidr.yaml").write_text(yaml.safe_dump(values))

    return spoil


def nothing(_: Path) -> None:
    """The mistake is on the command line."""


ROW = '{"id": "%s", "instruction": "text"}\n'
GOOD = "".join(ROW % i for i in range(3))

BOMB = (
    "model_name_or_path: [&a0 x" + "".join(f", &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)) + "]\n"
)
"""Twelve levels, each with ten times the one before: a million million values in one line."""

CASES = [
    Case("empty file", text(""), ("model_name_or_path", "missing")),
    Case("comments alone", text("# nothing yet\n"), ("model_name_or_path", "missing")),
    Case("a list", text("- a\n- b\n"), ("lidr.yaml:1", "found a list")),
    Case("plain text", text("hello"), ("lidr.yaml:1", "found 'hello'")),
    Case("broken yaml", text("a: b\nc: [1, 2\n"), ("lidr.yaml:", "not valid YAML")),
    Case("a tab", text("engine:\n\tconcurrency: 3\n"), ("lidr.yaml:2", "not valid YAML", "a tab; indent with spaces")),
    Case(
        "a path in braces",
        text("eval: {prompts: p/{language}.jsonl}\n"),
        ("lidr.yaml:1", "{language} in it needs quotes"),
    ),
    Case("two documents", text("a: 1\n---\nb: 2\n"), ("lidr.yaml:2", "not valid YAML")),
    Case("latin-1", text(b"task: math\ndataset_name: caf\xe9\n"), ("lidr.yaml:2", "not UTF-8")),
    Case("utf-16", text("task: math\n".encode("utf-16")), ("lidr.yaml:1", "not UTF-8")),
    Case("a control character", text("task: math\ntemplate: a\x00b\n"), ("lidr.yaml:2", "control character '\\x00'")),
    Case(
        "an escape of no character",
        text('template: "\\U00110000"\n'),
        ("lidr.yaml:1", "escape stands for no character"),
    ),
    Case(
        "an escape far too large", text('template: "\\UFFFFFFFF"\n'), ("lidr.yaml:1", "escape stands for no character")
    ),
    Case("a newer YAML", text("%YAML 1.3\n---\ntask: math\n"), ("lidr.yaml:1", "not valid YAML", "version")),
    Case("an alias of nothing", text("task: *math\n"), ("lidr.yaml:1", "undefined alias 'math'")),
    Case("an alias bomb", text(BOMB), ("lidr.yaml:1", "more than 10,000 values")),
    Case(
        "an alias that contains itself",
        text("languages: &all [*all]\n"),
        ("lidr.yaml:1", "an alias that contains itself"),
    ),
    Case("hundreds of brackets", text("languages: " + "[" * 600 + "]" * 600), ("lidr.yaml:1", "nested too deeply")),
    Case("a Python object", line("template: !!python/name:os.system"), ("template", "tag", "python/name:os.system")),
    Case("a tag of ones own", line("engine: !mine {concurrency: 3}"), ("engine", "tag !mine")),
    Case("a tag that does not fit", line("max_prompts: !!int ten"), ("max_prompts", "'ten' is not a valid int")),
    Case("a list as a key", line("? [a, b]\n: c"), ("lidr.yaml:", "a key must be text")),
    Case("a number as a key", line("5: x"), ("lidr.yaml:", ": 5: unknown key")),
    Case("a merge key", line("<<: {task: math}"), ("lidr.yaml:", "<<: unknown key")),
    Case("an endless number", line("engine: {timeout: .inf}"), ("engine.timeout", ".inf is out of range")),
    Case("a number too large", line("generation: {seed: 99999999999999999999}"), ("generation.seed", "out of range")),
    Case("half a character", line('template: "\\ud800"'), ("template", "half a surrogate pair")),
    Case("unknown key", line("langauges: [de]"), ("langauges", "did you mean languages", "lidr.yaml:")),
    Case("key in the wrong section", line("temperature: 0.5"), ("did you mean generation.temperature",)),
    Case(
        "unknown nested key",
        line("filters: {trunctated: true}"),
        ("filters.trunctated", "did you mean filters.truncated"),
    ),
    Case("true as a language", line("languages: [de, true]"), ("languages.1", "expected text, found True")),
    Case(
        "typo in an optional section",
        line("eval: {judge: {modle: x, base_url: 'http://a/v1', model: y}}"),
        ("eval.judge.modle", "did you mean eval.judge.model?"),
    ),
    Case("unknown language", line("languages: [de, xq]"), ("languages.1", "unknown language code 'xq'")),
    Case("no languages", line("languages: []"), ("languages",)),
    Case("languages as text", line("languages: de"), ("languages", "list")),
    Case("dominant among the others", line("languages: [de, en]"), ("languages", "en is the dominant language")),
    Case("language twice", line("languages: [de, de]"), ("languages", "de is listed more than once")),
    Case("key twice", line("task: math\ntask: instruction"), ("task", "duplicate key (first at line ")),
    Case("key twice in a section", line("engine:\n  timeout: 1\n  timeout: 2"), ("engine.timeout", "duplicate key")),
    Case("method unknown", line("method: imbalence"), ("method", "did you mean imbalance?")),
    Case("prompts without language", line("prompts: prompts/en.jsonl"), ("prompts", "{language}")),
    Case("number as text", line("max_prompts: ten"), ("max_prompts", "whole number", "'ten'")),
    Case("number too small", line("max_prompts: 0"), ("max_prompts", "greater than or equal to 1")),
    Case("policy unknown", line("dominant_pairs: some"), ("dominant_pairs", "'some'")),
    Case("answer filter without math", line("answer_filter: contrast"), ("answer_filter", "task: math")),
    Case("backend unknown", line("engine: {backend: tgi}"), ("engine.backend", "'tgi'")),
    Case("openai without address", line("engine: {backend: openai}"), ("engine", "base_url")),
    Case("address without scheme", line("engine: {base_url: localhost:8000}"), ("engine.base_url", "http")),
    Case("secret in address", line("engine: {base_url: 'http://me:pw@host/v1'}"), ("api_key_env",)),
    Case("secret in args", line("engine: {args: {api_key: abc}}"), ("secrets come from the environment",)),
    Case("template without text", line("translation: {template: 'into {language}'}"), ("translation", "{text}")),
    Case("template of prompt", line("prompt_template: hello"), ("prompt_template", "{prompt}")),
    Case("ratio of one", line("filters: {length_ratio: [1]}"), ("filters", "length_ratio")),
    Case("ratio reversed", line("filters: {length_ratio: [5, 0.2]}"), ("length_ratio", "empty range")),
    Case("dataset name with slash", line("dataset_name: a/b"), ("dataset_name",)),
    Case("ids file missing", line("translation_prompt_ids: nope.txt"), ("translation_prompt_ids", "nope.txt")),
    Case(
        "model directory missing",
        line("engine: {backend: transformers}"),
        ("no such directory",),
        ("model_name_or_path=/no/such/model",),
    ),
    Case("override without equals", nothing, ("command line: concurrency", "KEY=VALUE"), ("concurrency",)),
    Case(
        "override of unknown key",
        nothing,
        ("command line: engine.concurency=3", "engine.concurrency"),
        ("engine.concurency=3",),
    ),
    Case("override with bad value", nothing, ("command line: max_prompts=x", "whole number"), ("max_prompts=x",)),
    Case("prompt file missing", lambda f: (f / "prompts/es.jsonl").unlink(), ("prompts/es.jsonl", "translate_prompts")),
    Case("prompt file empty", prompt_file("de.jsonl", ""), ("prompts/de.jsonl:1", "no prompts")),
    Case("broken line", prompt_file("de.jsonl", GOOD + "{oops\n"), ("prompts/de.jsonl:4", "not valid JSON")),
    Case("line of another type", prompt_file("de.jsonl", GOOD + "[1]\n"), ("prompts/de.jsonl:4", "list")),
    Case("cut line", prompt_file("en.jsonl", GOOD + '{"id": "3", "instr'), ("prompts/en.jsonl:4",)),
    Case(
        "no instruction column",
        prompt_file("en.jsonl", '{"id": "0", "query": "x"}\n'),
        ("prompts/en.jsonl:1", "columns", "query"),
    ),
    Case("empty text", prompt_file("de.jsonl", '{"id": "0", "instruction": "  "}\n'), ("prompts/de.jsonl:1", "empty")),
    Case(
        "text of another type",
        prompt_file("de.jsonl", '{"id": "0", "instruction": 5}\n'),
        ("prompts/de.jsonl:1", "int"),
    ),
    Case("no id", prompt_file("en.jsonl", '{"instruction": "x"}\n'), ("prompts/en.jsonl:1", "join_on: row")),
    Case(
        "id of another type", prompt_file("en.jsonl", '{"id": [1], "instruction": "x"}\n'), ("prompts/en.jsonl:1", "id")
    ),
    Case("id twice, dominant", prompt_file("en.jsonl", GOOD + ROW % 1), ("prompts/en.jsonl:4", "line 2")),
    Case("id twice, other", prompt_file("fr.jsonl", GOOD + ROW % 1), ("prompts/fr.jsonl:4", "line 2")),
    Case("id unknown", prompt_file("fr.jsonl", GOOD + ROW % 9), ("prompts/fr.jsonl:4", "'9'", "dominant")),
    Case(
        "id missing in a language",
        prompt_file("fr.jsonl", ROW % 0 + ROW % 2),
        ("prompts/fr.jsonl", "'1'", "en.jsonl:2"),
    ),
    Case(
        "rows of unequal number", prompt_file("fr.jsonl", ROW % 0, join_on="row"), ("fr.jsonl: 1 rows", "equal length")
    ),
    Case(
        "latin-1 prompts",
        prompt_file("es.jsonl", GOOD.encode() + b'{"id": "3", "instruction": "ma\xf1ana"}\n'),
        ("prompts/es.jsonl:4", "UTF-8"),
    ),
    Case("utf-16 prompts", prompt_file("es.jsonl", GOOD.encode("utf-16")), ("prompts/es.jsonl:1", "UTF-16")),
    Case(
        "half a surrogate", prompt_file("es.jsonl", '{"id": "0", "instruction": "a\\ud800"}\n'), ("prompts/es.jsonl:1",)
    ),
    Case(
        "no final answer", line("answer_filter: chosen_correct\ntask: math"), ("answer_filter", "'0'", "final answer")
    ),
    *(
        Case(
            f"a final answer that is no number: {name}",
            prompt_file(
                "en.jsonl",
                GOOD.replace('"}', f'", "final_answer": {answer}}}'),
                answer_filter="chosen_correct",
                task="math",
            ),
            ("prompts/en.jsonl:1", "'0'", "no number that can be read"),
        )
        for name, answer in {
            "words": '"several"',
            "digits": f'"{"9" * 5000}"',
            "power": '"1e999999999"',
            "nan": '"NaN"',
        }.items()
    ),
]


def snapshot(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*")}


def refused(folder: Path, *overrides: str) -> str:
    """What `lidr build-pairs lidr.yaml` says before it ends with status 2; it must have written nothing."""
    before = snapshot(folder)
    with pytest.raises(InputError) as caught:
        build_pairs(load("lidr.yaml", *overrides))
    assert snapshot(folder) == before
    assert caught.value.exit_status == 2
    return f"{caught.value.message}\n{caught.value.hint}"


@pytest.fixture(autouse=True)
def _in_the_runs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_names_the_place_and_writes_nothing(case: Case, tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(3))
    (tmp_path / "lidr.yaml").write_text(yaml.safe_dump(settings(tmp_path)))
    case.spoil(tmp_path)
    said = refused(tmp_path, *case.overrides)
    for part in case.says:
        assert part in said


FILES = [
    ("json", '[{"id": 0, "instruction": "a"},\n{"id": 1, "instruction": "b",}]', (":2", "not valid JSON")),
    ("json", '{"id": 0, "instruction": "a"}', (":1", "JSON list")),
    ("json", '[{"id": 0, "instruction": "a"}', (":1", "not closed")),
    ("csv", "", (":1", "no header")),
    ("csv", "id,instruction\n0,a\n1,b,c\n", (":3", "3 fields where the header has 2")),
    ("csv", 'id,instruction\n0,"a\n', ("not valid CSV",)),
    ("parquet", "not parquet", ("not valid Parquet",)),
    ("txt", "hello", (".txt",)),
]


@pytest.mark.parametrize(("suffix", "content", "says"), FILES)
def test_bad_files_of_other_formats(suffix: str, content: str, says: tuple[str, ...], tmp_path: Path) -> None:
    for code in ("en", "de", "es", "fr"):
        (tmp_path / f"{code}.{suffix}").write_text(content)
    values = settings(tmp_path, prompts="{language}." + suffix)
    (tmp_path / "lidr.yaml").write_text(json.dumps(values))
    said = refused(tmp_path)
    for part in (f"en.{suffix}", *says):
        assert part in said


def test_a_broken_dataset_info_is_not_overwritten(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(3))
    (tmp_path / "lidr.yaml").write_text(yaml.safe_dump(settings(tmp_path)))
    info = tmp_path / "run/data/dataset_info.json"
    info.parent.mkdir(parents=True)
    info.write_text("{oops")
    assert "dataset_info.json" in refused(tmp_path)
    assert info.read_text() == "{oops"


def test_all_errors_of_a_file_come_at_once(tmp_path: Path, lidr: Lidr) -> None:
    (tmp_path / "lidr.yaml").write_text("model_name_or_path: 3\nlanguages: [xx]\nfoo: 1\nengine: {timeout: soon}\n")
    done = lidr("build-pairs", "lidr.yaml", "x=1")
    assert done.returncode == 2
    for part in ("lidr.yaml:1", "lidr.yaml:2", "lidr.yaml:3", "lidr.yaml:4", "command line: x=1", "prompts: missing"):
        assert part in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["lidr.yaml"]


@pytest.mark.parametrize(
    "arguments", [("build-pairs",), ("nonsense",), ("build-pairs", "--nope"), ("env", "create", "moon")]
)
def test_a_wrong_command_line_ends_with_2(arguments: tuple[str, ...], lidr: Lidr) -> None:
    assert lidr(*arguments).returncode == 2


def test_a_missing_configuration_says_how_to_make_one(lidr: Lidr) -> None:
    done = lidr("build-pairs", "nope.yaml")
    assert done.returncode == 2
    assert "nope.yaml: no such file" in done.stderr
    assert "lidr init" in done.stderr
