"""The documents: their site, and that every command and key in them is one that there is."""

import re
import shlex
from collections.abc import Iterator
from itertools import dropwhile, groupby, takewhile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from lidr_cli.app import app
from typer.exceptions import TyperException
from typer.main import get_command

from docs import each_method, evaluation, gpus, site
from lidr_plugin.config.json_schema import json_schema
from lidr_plugin.config.presets import PRESETS
from lidr_plugin.config.schema import Config
from lidr_plugin.config.section import keys

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [
    *sorted({path for path in site.sources().values() if path.name != "CHANGELOG.md"}),
    ROOT / "docs/languages.head.md",
]
FREE = ("train.", "engine.args.", "engine.env.", "eval.lm_eval.", "eval.skills.", "eval.models.", "rank.scorer.")
"""Sections whose keys are LLaMA-Factory's, vLLM's, lm-eval's or the user's."""
WHOLE = {"model_name_or_path": "m", "languages": ["de"], "prompts": "{language}.jsonl"}


def blocks(text: str, language: str) -> Iterator[str]:
    yield from re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def lines(text: str) -> Iterator[list[str]]:
    """The words of each `lidr …` that a reader would paste, without `lidr` itself."""
    for block in blocks(text, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.shlex(line, posix=True, punctuation_chars=True)
            words.whitespace_split = True
            for _, part in groupby(words, lambda word: word in ("&&", "||", "|", ";", "do")):
                rest = list(dropwhile(lambda word: re.fullmatch(r"[A-Z_]+=.*", word), part))
                if rest[:1] == ["lidr"]:
                    yield list(takewhile(lambda word: word != ">", rest[1:]))


def resolved(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words begin with, and the rest of them."""
    command: Any = get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    return command, words


def wrong_with(words: list[str]) -> str:
    """What the parser, or the configuration's list of keys, has against a command line; empty where nothing is wrong."""
    command, rest = resolved(words)
    if hasattr(command, "commands"):
        alone = command.invoke_without_command and not rest
        return (
            ""
            if alone or rest[:1] == ["--version"] or rest[:1] == ["--help"]
            else f"no such command: {shlex.join(words)}"
        )
    try:
        context = command.make_context("lidr", list(rest))
    except TyperException as error:
        said = str(error)
        return "" if said.endswith("does not exist.") else said
    known = {key.name for key in keys(Config)}
    given = context.params.get("overrides") or []
    unknown = [name for name in (x.partition("=")[0] for x in given) if name not in known and not name.startswith(FREE)]
    return f"no such key: {', '.join(unknown)}" if unknown else ""


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_of_the_documents_is_one_that_there_is(path: Path) -> None:
    problems = [
        f"lidr {shlex.join(words)}: {wrong}" for words in lines(path.read_text()) if (wrong := wrong_with(words))
    ]
    for said in re.findall(r"`lidr ([^`\n]+)`", path.read_text()):
        command, rest = resolved(said.split())
        options = {option for parameter in command.params for option in parameter.opts + parameter.secondary_opts}
        problems += [
            f"`lidr {said}`: {word}" for word in rest if word.startswith("--") and word not in {*options, "--help"}
        ]
        if hasattr(command, "commands") and rest and not rest[0].startswith(("-", "…")):
            problems.append(f"`lidr {said}`: no such command")
    assert problems == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("lidr build-pairs lidr.yaml --dry", "--dry"),
        ("lidr build lidr.yaml", "no such command"),
        ("lidr train", "Missing parameter: config"),
        ("cd x && lidr train lidr.yaml engine.concurency=4", "engine.concurency"),
        ("X=1 lidr eval lidr.yaml eval.limt=4 && lidr report x", "eval.limt"),
        ("lidr report x > y; lidr env", "no such command"),
    ],
)
def test_a_command_that_is_wrong_is_noticed(line: str, says: str) -> None:
    found = [wrong_with(words) for words in lines(f"```sh\n{line}\n```\n")]
    assert found
    assert says in "\n".join(found)


def test_there_are_many_commands_in_the_documents() -> None:
    assert sum(1 for path in DOCUMENTS for _ in lines(path.read_text())) > 60


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_key_of_the_documents_is_one_that_there_is(path: Path) -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    for block in blocks(path.read_text(), "yaml"):
        found = {**WHOLE, **yaml.safe_load(block)}
        assert [f"{e.json_path}: {e.message}" for e in validator.iter_errors(found)] == [], block


def test_what_fits_on_a_gpu_is_what_lidr_plan_says() -> None:
    assert (ROOT / "docs/gpus.md").read_text() == gpus.page(), "run python -m docs.generate"


def test_every_method_has_half_a_page_with_the_rows_that_it_makes() -> None:
    assert set(each_method.WORDS) == set(PRESETS) - {"mix", "rank"}
    assert each_method.PAGE.read_text() == each_method.page(), "run python -m docs.each_method"


def test_which_benchmark_has_which_language_is_what_lidr_eval_reads() -> None:
    assert (ROOT / "docs/evaluation.md").read_text() == evaluation.page(), "run python -m docs.generate"


def test_the_advice_takes_what_leaves_room_for_usual_rows() -> None:
    one, eight = gpus.CARDS[0], gpus.CARDS[-1]
    roomy, tight = gpus.Fit(2048, 1.0), gpus.Fit(512, 1.0)
    assert gpus.advice({"full": roomy, "lora": tight, "qlora": roomy}, one) == "`qlora`"
    assert gpus.advice({"full": roomy, "lora": roomy, "qlora": roomy}, eight) == "`full`"
    assert gpus.advice({"full": None, "lora": None, "qlora": tight}, one) == "`qlora`"
    assert gpus.advice({"full": None, "lora": None, "qlora": None}, one) == "a smaller model"


def test_the_site_is_built_and_all_its_links_lead_somewhere(tmp_path: Path) -> None:
    built = site.build(tmp_path)
    listed = (built / "llms.txt").read_text()
    for page in site.pages():
        assert (built / page.path).with_suffix(".html").is_file()
        assert (built / page.path).is_file(), "as Markdown, for programs"
        assert f"]({page.path}): " in listed
    for page in built.rglob("*.html"):
        assert not re.search(r'<(?:script|link|img)[^>]*(?:src|href)="https?://', page.read_text()), (
            "nothing is loaded from elsewhere"
        )


def test_a_page_that_the_navigation_lacks_stands_at_its_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "zensical.toml"
    config.write_text(site.CONFIG.read_text().replace('    { "Train" = "training.md" },\n', ""))
    monkeypatch.setattr(site, "CONFIG", config)
    assert site.pages()[-1] == site.Page("Further", "Training", "training.md")
    assert len(site.pages()) == len(site.sources())


def test_a_link_that_leads_nowhere_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<h2 id="here">x</h2><a href="b.html#there"></a><a href="#here"></a><img src="c.png">'
    )
    (tmp_path / "b.html").write_text('<a href="a.html#here"></a><a href="https://example.com/none"></a>')
    assert sorted(site.broken(tmp_path)) == ["a.html: b.html#there", "a.html: c.png"]


def test_a_list_stands_apart_from_the_paragraph_before_it() -> None:
    # Python-Markdown, which makes the site, takes it for a part of the paragraph otherwise.
    for path in DOCUMENTS:
        text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
        assert re.findall(r"^(?![-*|>#]|\d+\. |\s).+\n(?:- |1\. ).*", text, re.MULTILINE) == [], path
