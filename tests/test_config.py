"""The configuration: how it is read, what is said of mistakes, and that it comes back from its JSON as it was."""

import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import lidr_plugin as lidr
from docs.generate import configuration
from lidr_plugin.config.engine import OtherModel
from lidr_plugin.config.file import config_of, load, resolved
from lidr_plugin.config.schema import Config
from lidr_plugin.config.section import HOW, keys, results_of
from lidr_plugin.files import write_json, yaml_of

ROOT = Path(__file__).resolve().parents[1]
NEEDED = "model_name_or_path: m\nlanguages: [de]\nprompts: '{language}.jsonl'\n"
EVERYTHING = """\
model_name_or_path: Qwen/Qwen2.5-0.5B-Instruct
model_revision: abc
trust_remote_code: true
template: qwen
language_names: {xyz: Xyzish}
dominant_language: "no"
languages: [no-NO, pt-BR, sw]
force_languages: [sw]
prompts: round-{round}/{language}.jsonl
method: imbalance
mix:
  {answer_d: 1, answer: 0.5, translation: 0, question: 1, question_out: 1, cross_out: 1, cross_in: 1, plug: 1, stage: 1}
columns: {id: key, instruction: question, input: more, final_answer: answer, response: gold}
join_on: row
max_prompts: 7
skip_prompts: 3
rounds: 4
mix_in: [{prompts: "skills/{language}.jsonl", share: 2e-1, name: sums, skip_prompts: 1}]
translate_prompts: true
task: math
prompt_template: "«{prompt}» in {language}\\nÜ\\x7F\\x85\\u2028\\u2029\\uFEFF\\uFFFF \\U0001F600"
dominant_pairs: all
language_pairs: 0.1
translation_prompts: ignore
translation_prompt_ids: ids.txt
answer_filter: contrast
engine:
  {backend: vllm, concurrency: 3, timeout: 5, max_retries: 1, max_failures: 2, weights: w, model: served, api_key_env: KEY,
   python: /bin/python, args: {rope: {factor: 2.0, on: yes}, x: null, list: [1, 2.5, "no"]}, startup_timeout: 90,
   device: cpu, replicas: 2, env: {OMP_NUM_THREADS: 4},
   dtype: float32, batch_size: 2, prompt_price: 1, completion_price: 2, max_cost: 3}
generation:
  {temperature: 1, top_p: 1, max_tokens: 9, repetition_penalty: 1, seed: 18446744073709551615, system: "no", thinking: true}
translation:
  temperature: 5e-1
  max_tokens: 10
  retries: 0
  refine: true
  template: "{text} into {language}"
  engine: {backend: openai, base_url: "http://127.0.0.1:1/v1", model: t, model_name_or_path: t/t, timeout: 3}
rank:
  {by: consistency, samples: 3, include_greedy: true, temperature: 1, top_p: 0.5, repetition_penalty: 1.2, max_tokens: 7,
   pool: language, select: every, pairs: 2, threshold: null, weights: ignore, reject_from: sound, dominant: false,
   scorer: {model: e, base_url: "http://127.0.0.1:1/v1"}, length_control: none, references: all, scoring_prompt: own,
   layer: middle, grades: 1}
filters:
  {truncated: false, identical: false, off_target: false, mixed_script: false, repetition: false, length_ratio: [0, 7],
    fidelity: false}
cluster: {workers: 4, gpus_per_worker: 0.5, cpus_per_worker: 2, shards: 16}
shards_dir: s3://bucket/run
output_dir: runs/x
store: other.sqlite
dataset_name: x
dataset_format: messages
train:
  method: qlora
  global_batch_size: 8
  stop_at_shift: 3e-1
  drop_over_cutoff: true
  allow_template_mismatch: true
  merge_dtype: float32
  python: /bin/python
  env: {NNODES: 2, MASTER_ADDR: 10.0.0.1}
  learning_rate: 5e-7
  num_train_epochs: 2
  eval_strategy: null
eval:
  models: {M0: a, 1: b}
  mgsm: mgsm/{language}.jsonl
  skills: {sums: 'sums/{language}.jsonl'}
  prompts: heldout/{language}.jsonl
  columns: {id: question_id, instruction: prompt, input: more, final_answer: number, response: gold}
  baselines: [vote, xlt]
  outputs: {other: 'outputs/{language}.json'}
  judge:
    {base_url: [http://127.0.0.1:1/v1, http://127.0.0.1:2/v1], model: j, preset: mr3, max_tokens: 4, prompt_price: 1,
     completion_price: 2,
     max_cost: 3, reference: dominant}
  lm_eval: {tasks: [arc], model: vllm, model_args: {dtype: bfloat16}, args: {limit: 5}, include_path: own, python: /bin/python}
  limit: 5
  max_tokens: 6
make_prompts:
  {seeds: topics, file: topics.txt, count: 5, shots: 2, temperature: 1, top_p: 0.9, max_tokens: 7,
   similarity: 1, template: "{seed}?"}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "lidr.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str, *overrides: str) -> list[str]:
    """The lines of the error, without its first, and without the folder in the places."""
    with pytest.raises(lidr.InputError) as caught:
        load(written(folder, text), overrides)
    return [line.strip().replace(f"{folder}/", "") for line in caught.value.message.splitlines()[1:]]


def test_norwegian_needs_no_quotes_and_numbers_no_point(tmp_path: Path) -> None:
    path = written(
        tmp_path, "model_name_or_path: m\nlanguages: [no, de]\nprompts: '{language}'\ntrain: {learning_rate: 5e-7}\n"
    )
    config = load(path)
    assert config.languages == ["no", "de"]
    assert config.train.llamafactory["learning_rate"] == 5e-7
    overridden = load(path, ["languages=[de]", "dominant_language=no", "train.learning_rate=1e-6", "engine.timeout=5"])
    assert (overridden.dominant_language, overridden.engine.timeout) == ("no", 5.0)
    assert overridden.train.llamafactory["learning_rate"] == 1e-6


def test_what_yaml_11_gave_a_meaning_is_text(tmp_path: Path) -> None:
    text = "dataset_name: 2024-01-01\ntemplate: 12:30\nmodel_revision: off\neval: {models: {0: <<, y: =}}\n"
    config = load(written(tmp_path, NEEDED + text))
    assert (config.dataset_name, config.template, config.model_revision) == ("2024-01-01", "12:30", "off")
    assert config.eval.models == {"0": "<<", "y": "="}


def test_aliases_stand_for_what_they_name_and_anchors_may_be_defined_anew(tmp_path: Path) -> None:
    text = (
        NEEDED
        + "engine: &e {timeout: 5, args: &a {x: 1}}\ntranslation: {engine: {model: &e t, args: *a}, template: null}\n"
    )
    config = load(written(tmp_path, text), ["engine.args.x=2"])
    assert (config.engine.args, config.translation.engine and config.translation.engine.args) == ({"x": 2}, {"x": 1})


def test_a_byte_order_mark_and_windows_line_ends_are_no_content(tmp_path: Path) -> None:
    path = tmp_path / "lidr.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + NEEDED.replace("\n", "\r\n").encode() + b"max_prompts: ten\r\n")
    with pytest.raises(lidr.InputError, match=r"lidr\.yaml:4: max_prompts: expected a whole number, found 'ten'"):
        load(path)


def test_a_text_written_as_json_escapes_is_the_same_text(tmp_path: Path) -> None:
    config = load(written(tmp_path, NEEDED + 'generation: {system: "\\ud83d\\ude00"}\n'))
    assert config.generation.system == "😀"


def test_every_problem_comes_at_once_with_its_place(tmp_path: Path) -> None:
    text = """\
languages: [de, de, en]
prompts: prompts.jsonl
method: algnment
task: instruction
answer_filter: contrast
prompt_template: hello
engine:
  timeout: soon
  args: {token: x}
translation: {template: x}
filters: {length_ratio: [5, 1]}
task: math
eval:
  judge:
    modle: x
    max_cost: 1
generation: !!python/object:os.system {seed: x}
"""
    assert problems(tmp_path, text, "engine.retries=1", "x", "y=[", "train={lora_rnk: 1}") == [
        "lidr.yaml:12: task: duplicate key (first at line 4)",
        "lidr.yaml:17: generation: the tag python/object:os.system is not supported; only plain values are",
        "command line: x: write KEY=VALUE, as in engine.concurrency=64",
        "command line: y=[: the value is not valid YAML: expected the node content, but found '<stream end>'",
        "lidr.yaml:9: engine.args.token: secrets come from the environment: export HF_TOKEN (or log in once: hf auth login)",
        "lidr.yaml: model_name_or_path: missing; it has no default",
        "lidr.yaml:1: languages: de is listed more than once",
        "lidr.yaml:1: languages: en is the dominant language; list only the others",
        "lidr.yaml:2: prompts: needs {language}, as in prompts/{language}.jsonl; prompts in one language alone are a file named "
        "after it, with translate_prompts: true",
        "lidr.yaml:3: method: unknown method 'algnment'; did you mean alignment?",
        "lidr.yaml:6: prompt_template: needs {prompt}, as in '{prompt} Answer in {language}.'",
        "lidr.yaml:5: answer_filter: needs task: math",
        "lidr.yaml:8: engine.timeout: expected a number, found 'soon'",
        "command line: engine.retries=1: engine.retries: unknown key; did you mean engine.max_retries?",
        "lidr.yaml:17: generation.seed: expected a whole number, found 'x'",
        "lidr.yaml:10: translation.template: needs {language} and {text}",
        "lidr.yaml:11: filters.length_ratio: 5 to 1 is an empty range",
        "command line: train={lora_rnk: 1}: train.lora_rnk: neither lidr nor LLaMA-Factory knows this key; did you mean lora_rank?",
        "lidr.yaml:16: eval.judge.max_cost: needs prompt_price and completion_price, for lidr has no price list",
        "lidr.yaml:15: eval.judge.modle: unknown key; did you mean eval.judge.model?",
    ]


def test_an_override_of_a_section_is_where_its_keys_were_written(tmp_path: Path) -> None:
    found = problems(tmp_path, NEEDED + "engine:\n  timeout: 5\n", "engine={timeout: soon, timeout: 5}")
    place = "command line: engine={timeout: soon, timeout: 5}: engine.timeout"
    assert found == [f"{place}: duplicate key (first at line 1)"]
    found = problems(tmp_path, NEEDED + "engine:\n  timeout: 5\n", "engine={timeout: soon}")
    assert found == ["command line: engine={timeout: soon}: engine.timeout: expected a number, found 'soon'"]


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("eval.judge.modle", "eval.judge.model"),
        ("eval.judge.promt_price", "eval.judge.prompt_price"),
        ("eval.judges", "eval.judge"),
        ("eval.lm_eval.task", "eval.lm_eval.tasks"),
        ("translation.engine.base_ulr", "translation.engine.base_url"),
        ("translation.base_url", "translation.engine.base_url"),
        ("max_cost", "engine.max_cost"),
        ("max_token", "generation.max_tokens"),
        ("lang", "languages"),
        ("filters.temperature", "generation.temperature"),
    ],
)
def test_an_unknown_key_is_told_the_nearest_one_in_optional_sections_too(
    wrong: str, meant: str, tmp_path: Path
) -> None:
    optional = "translation: {engine: {model: t}}\neval: {judge: {model: j}, lm_eval: {tasks: [arc]}}\n"
    place = f"command line: {wrong}=x"
    assert problems(tmp_path, NEEDED + optional, f"{wrong}=x") == [
        f"{place}: {wrong}: unknown key; did you mean {meant}?"
    ]


def test_a_key_like_no_other_is_told_none(tmp_path: Path) -> None:
    assert problems(tmp_path, NEEDED + "xyzzy: 1\n") == ["lidr.yaml:4: xyzzy: unknown key"]


def in_the_schema(schema: dict[str, Any], section: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Every key by its dotted name, as pydantic's own JSON schema has it."""
    for name, field in section["properties"].items():
        yield prefix + name
        for kind in (field, field.get("items", {}), *field.get("anyOf", ()), *field.get("allOf", ())):
            if reference := kind.get("$ref"):
                yield from in_the_schema(schema, schema["$defs"][reference.rpartition("/")[2]], f"{prefix}{name}.")


def test_every_key_is_in_the_document_optional_sections_included() -> None:
    schema = Config.model_json_schema()
    expected = list(in_the_schema(schema, schema))
    rows = re.findall(r"^\| \**`([a-z0-9_.]+)`", configuration(), re.MULTILINE)
    assert sorted(rows) == sorted(expected)
    assert {"eval.judge.max_cost", "translation.engine.base_url", "eval.lm_eval.tasks"} <= set(rows)
    assert len(rows) > 120


def test_every_key_of_the_document_has_a_meaning_and_a_mark_if_it_changes_no_result() -> None:
    rows = re.findall(r"^\| \**`([a-z0-9_.]+)`\**( †)? \|[^|]*\| (.*) \|$", configuration(), re.MULTILINE)
    assert len(rows) == len([*keys(Config)])
    assert all(len(meaning) > 10 for _, _, meaning in rows)
    marked = {name for name, mark, _ in rows if mark}
    assert {"engine.concurrency", "eval.judge.timeout", "eval.lm_eval.python", "store"} <= marked
    assert not {"engine.dtype", "generation.seed", "translation.engine.weights", "train.method"} & marked


def test_the_results_of_a_configuration_leave_out_what_is_marked_and_nothing_else(tmp_path: Path) -> None:
    config = load(written(tmp_path, EVERYTHING))
    found = results_of(config)
    assert found["eval.judge.max_cost"] == 3.0
    assert found["train.learning_rate"] == 5e-7
    assert found["eval.models.1"] == "b"
    assert found["languages"] == ["no-NO", "pt-BR", "sw"]
    marked = {key.name for key in keys(Config) if key.field.json_schema_extra == HOW}
    assert not [name for name in found if any(name == key or name.startswith(f"{key}.") for key in marked)]
    inside = tuple(f"{name}." for name in marked)
    leaves = {key.name for key in keys(Config) if key.section is None and not key.name.startswith(inside)} - marked
    filled = {"eval.models": "eval.models.1", "eval.outputs": "eval.outputs.other", "eval.skills": "eval.skills.sums"}
    filled["language_names"] = "language_names.xyz"
    filled |= {f"mix_in.{name}": "mix_in" for name in ("prompts", "share", "name", "skip_prompts")}
    filled |= {
        "eval.lm_eval.model_args": "eval.lm_eval.model_args.dtype",
        "eval.lm_eval.args": "eval.lm_eval.args.limit",
    }
    assert {filled.get(name, name) for name in leaves} <= set(found)
    assert results_of(config.train, "train.") == {k: v for k, v in found.items() if k.startswith("train.")}


def names_in(values: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        yield f"{prefix}{name}"
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict):
                yield from names_in(each, f"{prefix}{name}.")


def test_the_configuration_with_everything_sets_every_key() -> None:
    """Those of other models aside: `engine` has them, and vLLM no address."""
    elsewhere = {
        f"{section}.{name}"
        for section in ("translation.engine", "rank.scorer", "eval.judge")
        for name in OtherModel.model_fields
    }
    given = {*names_in(yaml.safe_load(EVERYTHING)), *elsewhere, "engine.base_url"}
    assert not {key.name for key in keys(Config)} - given


def test_a_resolved_configuration_is_read_back_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    config = load(Path("project") / written(tmp_path / "project", EVERYTHING).name)
    path = tmp_path / "elsewhere/config.json"
    values = resolved(config)
    write_json(path, values)
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = load(path)
    assert repr(again) == repr(config), "the types are the same too"
    assert again.prompt_path("sw") == tmp_path / "project/round-{round}/sw.jsonl"
    assert resolved(again) == values
    assert isinstance(again.generation.temperature, float)
    assert again.filters.length_ratio == (0.0, 7.0)


@settings(deadline=None, max_examples=50)
@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_any_text_and_number_comes_back_from_the_json(text: str, number: float) -> None:
    needed = {"model_name_or_path": "m", "languages": ["de"], "prompts": "{language}"}
    config = config_of({**needed, "generation": {"system": text}, "engine": {"args": {f"x{text}": [number, text]}}})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        write_json(path, resolved(config))
        again = load(path)
    assert again.generation.system == text
    assert again.engine.args == {f"x{text}": [number, text]}


def test_a_round_hands_over_a_configuration_that_was_changed_by_hand(tmp_path: Path) -> None:
    config = load(written(tmp_path, NEEDED))
    changed = config.model_copy(
        update={"output_dir": "x", "eval": config.eval.model_copy(update={"models": {"M0": "m"}})}
    )
    write_json(tmp_path / "stage.json", resolved(changed))
    again = load(tmp_path / "stage.json")
    assert (again.output_dir, again.eval.models, again.folder) == ("x", {"M0": "m"}, tmp_path)


def test_keyword_values_make_a_configuration_that_starts_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = lidr.configure(
        model_name_or_path="m",
        languages=["de"],
        prompts="prompts/{language}.jsonl",
        filters={"length_ratio": (0, 3)},
        train={"method": "qlora", "learning_rate": 1e-6},
    )
    assert isinstance(config, lidr.Config)
    assert (config.filters.length_ratio, config.train.llamafactory) == ((0.0, 3.0), {"learning_rate": 1e-6})
    monkeypatch.chdir(tmp_path)
    assert config.prompt_path("de").absolute() == tmp_path / "prompts/de.jsonl"
    assert resolved(config)["folder"] == str(tmp_path)


def test_keyword_values_that_are_wrong_are_an_input_error_with_all_problems() -> None:
    with pytest.raises(lidr.InputError) as caught:
        lidr.configure(
            languages=["de", "xq"], prompts=3, engine={"timeout": float("inf")}, eval={"judge": {"modle": "x"}}, a={}
        )
    assert caught.value.message.splitlines() == [
        "6 problems in the configuration:",
        "  model_name_or_path: missing; it has no default",
        "  languages.1: unknown language code 'xq'; codes look like de, sw or pt-BR; language_names can name others",
        "  prompts: expected text, found 3",
        "  engine.timeout: expected a finite number, found inf",
        "  eval.judge.modle: unknown key; did you mean eval.judge.model?",
        "  a: unknown key",
    ]


CONFIGURATIONS = [
    path
    for folder in ("examples", "lidr_plugin/starter")
    for path in (ROOT / folder).rglob("*.yaml")
    if path.parent.name != "cluster"  # those are schedulers'
]


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.parent.name)
def test_every_shipped_configuration_loads_with_prompts_beside_it(path: Path) -> None:
    config = load(path)
    assert config.languages
    assert config.folder == path.parent


def test_the_starter_loads_with_everything_that_it_has_in_comments(tmp_path: Path) -> None:
    text = (ROOT / "lidr_plugin/starter/lidr.yaml").read_text()
    config = load(
        written(
            tmp_path, re.sub(r"^( *)# (?=[a-z_ ]+: )", r"\1", text.split("\n\n", maxsplit=1)[1], flags=re.MULTILINE)
        )
    )
    assert (config.engine.backend, config.translate_prompts) == ("openai", True)
    assert config.eval.judge is not None


def test_the_example_of_the_docstring_loads(tmp_path: Path) -> None:
    lines = [line for line in (Config.__doc__ or "").splitlines() if line.startswith("        ")]
    config = load(written(tmp_path, textwrap.dedent("\n".join(lines))))
    assert config.languages == ["de", "no", "sw"]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abny~=<0123456789.:-_", min_size=1), inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(VALUES)
def test_what_is_written_for_llamafactory_is_read_by_yaml_11_as_the_same_values(value: Any) -> None:
    assert yaml.safe_load(yaml_of({"key": value})) == {"key": value}


@pytest.mark.parametrize(
    "word", ["no", "on", "y", "5e-7", "1:30", "0o7", "010", "1_0", "~", "=", "<<", "2024-01-01", ".inf", ""]
)
def test_words_that_yaml_11_would_misread_are_written_in_quotes(word: str) -> None:
    assert yaml.safe_load(yaml_of({"key": word})) == {"key": word}


def test_numbers_for_llamafactory_have_a_point() -> None:
    assert yaml_of({"a": 5e-7, "b": 1e22, "c": [1], "d": {}}) == "a: 5.0e-07\nb: 1.0e+22\nc:\n- 1\nd: {}\n"


def test_the_sections_do_not_load_the_reader_of_yaml() -> None:
    code = (
        "import sys, lidr_plugin as lidr\nlidr.Config\nprint('ruamel.yaml' in sys.modules, 'pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
