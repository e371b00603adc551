"""Configurations that nobody sane writes.

Promised: numbers beyond every machine, NaN and infinity, impossible dates, NUL, halves of surrogate pairs, names longer than a file
system takes, nesting of thousands, aliases that multiply, tags, merge keys and types of any kind are refused at once, all in one
message, each with its place and key; nothing is computed with them and nothing waits.

Not promised: that a sensible number fits this machine; a configuration of more than a million characters.
"""

import json
import os
from pathlib import Path

import pytest
import yaml

from lidr_plugin.config.file import load
from lidr_plugin.errors import InputError
from tests.conftest import Lidr, settings
from tests.support.rubbish import within

HUGE = [10**9, 10**18, 2**63 - 1]
NUMBERS = [
    "engine.concurrency",
    "engine.batch_size",
    "engine.max_retries",
    "generation.max_tokens",
    "translation.max_tokens",
    "translation.retries",
    "eval.max_tokens",
    "rounds",
    "train.global_batch_size",
    "train.per_device_train_batch_size",
    "train.gradient_accumulation_steps",
    "train.cutoff_len",
    "train.lora_rank",
    "train.save_total_limit",
    "train.ray_num_workers",
]
FLOATS = [
    "engine.timeout",
    "engine.startup_timeout",
    "generation.temperature",
    "generation.repetition_penalty",
    "train.num_train_epochs",
]
PATHS = [
    "output_dir",
    "store",
    "model_name_or_path",
    "engine.python",
    "train.python",
    "translation_prompt_ids",
    "prompts",
]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sensible configuration, in the working directory."""
    monkeypatch.chdir(tmp_path)
    Path("lidr.yaml").write_text(yaml.safe_dump(settings(tmp_path)))
    return Path("lidr.yaml")


def refused(path: Path, *overrides: str) -> str:
    """What is said of a configuration that must not be read, within seconds."""
    with within(10), pytest.raises(InputError) as caught:
        load(path, overrides)
    return caught.value.message


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize("key", NUMBERS)
def test_a_number_beyond_every_machine_is_named(key: str, number: int, config: Path) -> None:
    assert f": {key}: " in refused(config, f"{key}={number}")


@pytest.mark.parametrize("number", ["1e308", "1e999", ".nan", ".inf", "-.inf", "-1", "'1'", "true", "[]", "{}"])
@pytest.mark.parametrize("key", FLOATS)
def test_a_number_that_is_none_is_named(key: str, number: str, config: Path) -> None:
    assert f": {key}: " in refused(config, f"{key}={number}")


@pytest.mark.parametrize(
    "value", ["9" * 400, "9" * 5000, str(2**64), str(-(2**63) - 1), "1e999", "!!int x", "!!float x", "0o" + "7" * 5000]
)
def test_a_number_of_any_key_has_64_bits(value: str, config: Path) -> None:
    for key in ("generation.seed", "engine.args.anything", "train.learning_rate"):
        assert f"{key}: " in refused(config, f"{key}={value}")


@pytest.mark.parametrize(
    "name", ["x" * 256, "한" * 100, "a/" + "b" * 300, "~nobody-of-this-name/x", "x/" * 2000, '"a\\0b"', '"\\ud800"']
)
@pytest.mark.parametrize("key", PATHS)
def test_a_path_that_no_file_can_have_is_named(key: str, name: str, config: Path) -> None:
    value = name.replace('"', '"{language}', 1) if key == "prompts" and name.startswith('"') else name
    value = f"{value}/{{language}}" if key == "prompts" and not name.startswith('"') else value
    assert f": {key}: " in refused(config, f"{key}={value}")


@pytest.mark.parametrize("text", ["\\0", "\\ud800", "\\udfff"])
@pytest.mark.parametrize(
    "key", ["template", "generation.system", "engine.model", "engine.args.x", "train.env.X", "columns.id"]
)
def test_what_is_no_text_is_named(key: str, text: str, config: Path) -> None:
    assert f": {key}: " in refused(config, f'{key}="a{text}b"')


BOMB = "a: &a0 x\n" + "".join(f"b{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
FILES = {
    "an alias bomb": BOMB,
    "an alias bomb of mappings": BOMB.replace("[", "{x: ").replace(", ", ", y: ", 1).replace("]", "}"),
    "an anchor in itself": "a: &a {b: *a}\n",
    "brackets": "a: " + "[" * 100_000,
    "closed brackets": "a: " + "[" * 3000 + "]" * 3000,
    "braces": "{" * 100_000,
    "dashes": "- " * 5000,
    "question marks": "? " * 5000,
    "indentation": "\n".join(" " * n + "a:" for n in range(400)),
    "a hundred megabytes of spaces": " " * 2_000_000,
    "keys by the thousand": "".join(f"k{n}: {n}\n" for n in range(5000)),
    "long keys": "".join(f"{'k' * 500}{n}: 1\n" for n in range(200)),
    "many documents": "a: 1\n---\n" * 100,
    "a binary": "a: !!binary aGVsbG8=\n",
    "a set": "languages: !!set {de, fr}\n",
    "an object": "engine: !!python/object/apply:os.system [echo]\n",
    "a merge of itself": "engine: &e\n  <<: *e\n",
    "a date": "languages: [2026-02-30]\nmax_prompts: 99999-12-31T25:61:61Z\n",
    "a byte order mark in the middle": "task: math\n\ufefftask: math\n",
    "a list of mappings": "- a: 1\n",
    "a key of three lines": "? |\n  a\n  b\n: 1\n",
    "all of the wrong type": "".join(
        f"{key}: [{{a: 1}}]\n" for key in ("engine", "filters", "train", "eval", "languages", "task")
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_rubbish_is_named(name: str, config: Path) -> None:
    config.write_text(FILES[name], encoding="utf-8")
    said = refused(config)
    assert "lidr.yaml" in said
    assert len(said) < 60_000


@pytest.mark.parametrize(
    "content", [b"\xff\xfea\x00", b"\xe9: 1", b"a: \xed\xa0\x80", b"\x00" * 100, b"\xfe\xff\x00a", b"a: '\x1b[2J'"]
)
def test_bytes_that_are_no_text_are_named(content: bytes, config: Path) -> None:
    config.write_bytes(content)
    assert "lidr.yaml" in refused(config)


@pytest.mark.parametrize(
    "override",
    [
        "=",
        "=1",
        "a..b=1",
        ".=1",
        "engine",
        "engine=",
        "engine.=1",
        "a." * 100 + "b=1",
        "engine.args." + "a." * 5000 + "b=1",
        "languages.0=de",
        "languages=[de",
        "languages=&a [*a]",
        "train=5",
        "train.env={'': 1}",
        "train.env={'A=B': 1}",
        "x" * 100_000 + "=1",
        "filters.length_ratio=[1e999, 2]",
        "filters.length_ratio=[[1], 2]",
        "engine.base_url=http://[::1",
        "engine.base_url=http://a:99999999",
        "engine.base_url=" + "http://" + "a" * 70_000,
        "train.stage=null",
        "train.stage=[dpo]",
        "train.dataset=[1]",
        "train.cutoff_len=null",
        "train.env.X=[1]",
        "columns=[a]",
        "dataset_name=" + "x" * 201,
        "dataset_name=..",
        "languages=[" + "de, " * 9000 + "de]",
        "\udcff=1",
    ],
)
def test_an_override_of_rubbish_is_named(override: str, config: Path) -> None:
    said = refused(config, override)
    assert "command line" in said


def test_a_run_s_config_json_is_read_with_the_same_care(config: Path, lidr: Lidr) -> None:
    values = {"lidr": "0.1.0", "folder": [1], **yaml.safe_load(config.read_text()), "rounds": 10**30}
    Path("config.json").write_text(json.dumps(values))
    assert "config.json" in refused(Path("config.json"))
    Path("config.json").write_text('{"lidr": 1, "folder": "/x", "languages": ' + "[" * 5000)
    assert "config.json" in refused(Path("config.json"))


@pytest.mark.parametrize("folder", ["x" * 300, 5, [], {}, "\\ud800", "a\\u0000b", "~nobody/x"])
def test_a_folder_in_a_config_json_that_is_none_is_named(folder: object, config: Path, lidr: Lidr) -> None:
    text = json.dumps({"lidr": "0.1.0", "folder": folder, **yaml.safe_load(config.read_text())}).replace("\\\\", "\\")
    Path("config.json").write_text(text)
    done = lidr("build-pairs", "config.json", "--dry-run")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")


GPUS = [
    "99999999x1",
    "0x80",
    "8x0",
    "1x1e9",
    "1x" + "9" * 400,
    "-1x80",
    "x",
    "",
    "8x80x2",
    "²x80",
    "9" * 5000 + "x1",
    "1x.5",
    "8 x 80",
    "nanxinf",
]


@pytest.mark.parametrize("gpus", GPUS)
def test_gpus_that_there_are_not_are_named(gpus: str, config: Path, lidr: Lidr, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    sizes = dict.fromkeys(
        ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size"), 8
    )
    (tmp_path / "model/config.json").write_text(json.dumps(sizes))
    with within(10):
        done = lidr("plan", config, "model_name_or_path=./model", "--gpus", gpus)
    assert done.returncode == 2
    assert "--gpus" in done.stderr


@pytest.mark.parametrize("batch", [1, 997, 999_983, 10_000_000])
def test_a_batch_is_split_within_seconds(batch: int, config: Path, lidr: Lidr, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    sizes = dict.fromkeys(
        ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size"), 8
    )
    (tmp_path / "model/config.json").write_text(json.dumps(sizes))
    for gpus in ("1x80", "100000x80"):
        with within(10):
            done = lidr(
                "plan", config, "model_name_or_path=./model", f"train.global_batch_size={batch}", "--gpus", gpus
            )
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["NPROC_PER_NODE", "NNODES", "NODE_RANK", "CUDA_VISIBLE_DEVICES"])
@pytest.mark.parametrize("value", ["²", "9" * 5000, "-1", "x", "1e9", "0x10", "1000000000"])
def test_an_environment_of_rubbish_is_named_or_of_no_account(name: str, value: str, config: Path, lidr: Lidr) -> None:
    with within(10):
        done = lidr("build-pairs", config, "--dry-run", env={"NNODES": "2", "FORCE_TORCHRUN": "1", name: value})
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("error: ")


def test_of_thousands_of_problems_a_hundred_are_told(config: Path) -> None:
    config.write_text("".join(f"key{n}: {n}\n" for n in range(9000)))
    assert refused(config).count("\n") < 120


def test_a_folder_whose_name_is_not_utf_8_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(folder)
    monkeypatch.chdir(os.fsdecode(folder))
    Path("lidr.yaml").write_text(yaml.safe_dump(settings(tmp_path)))
    assert "not UTF-8" in refused(Path("lidr.yaml"))
