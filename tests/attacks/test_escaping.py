"""Foreign texts that would leave their place

Promised: ids, texts, labels, names, answers and a server's or a child's words are shown as they are in terminal, page, Markdown,
YAML and JSON, and are nothing else there: no escape sequence, markup, script, comment, table cell or path is made of them. A
label or a name that cannot be a file's is refused with exit 2.

Not promised: what a terminal makes of letters alone, such as combining marks without end, or of names that look alike.
"""

import json
import re
from pathlib import Path

import pytest
import yaml

from lidr_plugin.config.file import config_of
from lidr_plugin.dataset.llamafactory import card
from lidr_plugin.errors import RunError
from lidr_plugin.errors.terminal import inert, one_line
from lidr_plugin.methods.base import Preference, Sft
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training.recipe import recipe_for
from lidr_plugin.training.shipped import copy_shipped, shipped
from tests.conftest import Lidr, prompts, rows_of, settings, write_config, write_prompts
from tests.support.browser import chromium
from tests.support.liar import Asked, Reply, completion, honest, lying, program
from tests.support.trained import pretend

ESCAPES = (
    "\x1b[31mred\x1b[0m \x1b]8;;http://x.invalid\x07link\x1b]8;;\x07 \x1b]52;c;ZXZpbA==\x07 "
    "\x9b2J \x90q\x9c \u202etxt.exe \r\b\x7f"
)
MARKUP = (
    "[red]m[/red] [/] [link=http://x.invalid]l[/link] :smile: {{ 7 * 7 }} {% raw %} ${HOME} %s {0} "
    "| cell | `code` ~~no~~ --- #"
)
SCRIPTS = (
    "<script>document.title = 'owned'</script></script></style><img src=x onerror=\"document.title='owned'\">"
    "'\"><svg/onload=alert(1)>"
)
HOSTILE = f"{ESCAPES} {MARKUP} {SCRIPTS}"
LABEL = "[red]<b>'x' | `y`"


def controls(text: str) -> list[str]:
    """What a terminal would obey."""
    return re.findall(r"[^\n\t -~\u00a0-\uffff]|[\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)


def answering(asked: Asked) -> Reply:
    """The fake model, whose every answer has all of it at its end, and whose name is hostile as well."""
    if asked.path.endswith("/models"):
        return Reply(200, {"data": [{"id": MARKUP}, {"id": "fake"}]})
    said = honest(asked).content["choices"][0]["message"]["content"]
    before, tag, after = said.partition("</translated>")
    return completion(f"{before} {HOSTILE}{tag}{after}")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with hostile prompts under hostile ids."""
    monkeypatch.setenv("LIDR_HOME", str(tmp_path / "no-environments"))
    texts = [{code: f"{text} {HOSTILE}" for code, text in row.items()} for row in prompts(3)]
    write_prompts(tmp_path, texts)
    for path in (tmp_path / "prompts").iterdir():
        rows = [{**row, "id": f"{row['id']} {HOSTILE}\n---\nowned: true"} for row in rows_of(path)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_every_command_and_every_file(here: Path, lidr: Lidr) -> None:
    with lying(answering) as url:
        engine = {"base_url": url, "model": "fake"}
        evaluation = {"prompts": "prompts/{language}.jsonl", "models": {LABEL: "fake", "b": "fake"}, "judge": engine}
        config = write_config(here, engine=engine, eval=evaluation, generation={"system": HOSTILE})
        for command in (
            ["build-pairs", config, "--dry-run"],
            ["build-pairs", config],
            ["probe", config],
            ["eval", config],
            ["doctor", config],
            ["plan", config],
            ["report", "run"],
            ["store", "verify", "run"],
            ["store", "export", "run", "all.jsonl"],
            ["recipes", "ls"],
        ):
            done = lidr(*command)
            assert done.returncode == 0 or command[0] in ("doctor", "plan"), done.stderr
            assert controls(done.stdout + done.stderr) == []
            if command[0] == "eval":
                assert LABEL in done.stdout
    run = RunDirectory(here / "run")
    pairs = rows_of(run.dataset("demo"))
    assert pairs
    assert all(HOSTILE in row["instruction"] for row in pairs)
    markdown = run.report_md.read_text()
    assert controls(markdown) == []
    assert "\n---\n" not in markdown
    for table in re.findall(r"(?:^\|.*\n)+", markdown, re.MULTILINE):
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(cells) == 1, table
    assert front_matter((run.data / "README.md").read_text())["configs"][0]["config_name"] == "demo"
    text = run.report_html.read_text()
    assert text.count("<script") == 1
    assert 'onerror="' not in text
    dom = chromium(run.report_html, "--dump-dom")
    assert re.search(r"<title>(.*?)</title>", dom, re.DOTALL)[1] == "lidr: run"  # type: ignore[index]
    assert "owned" in dom


REFUSED = {
    "status": lambda: Reply(400, {"error": {"message": HOSTILE}}),
    "words": lambda: Reply(400, HOSTILE.encode()),
    "error as an answer": lambda: Reply(200, {"error": {"message": HOSTILE, "code": 400}}),
    "busy": lambda: Reply(503, HOSTILE.encode("latin-1", errors="replace")),
}


@pytest.mark.parametrize("at", ["models", "completions"])
@pytest.mark.parametrize("how", REFUSED)
def test_a_servers_words(how: str, at: str, here: Path, lidr: Lidr) -> None:
    with lying(lambda asked: REFUSED[how]() if asked.path.endswith(at) else honest(asked)) as url:
        config = write_config(here, engine={"base_url": url, "model": "fake", "max_retries": 0})
        for command in (
            ["build-pairs", config],
            ["build-pairs", config, "--dry-run"],
            ["doctor", config],
            ["probe", config],
        ):
            done = lidr(*command)
            assert controls(done.stdout + done.stderr) == []
        assert "\\x1b" in lidr("build-pairs", config).stderr


def test_an_id_in_a_failure_stays_on_its_line(here: Path, lidr: Lidr) -> None:
    def reply(asked: Asked) -> Reply:
        return Reply(400, {"error": "no"}) if "boat" in str(asked.body) else honest(asked)

    with lying(reply) as url:
        done = lidr("build-pairs", write_config(here, engine={"base_url": url, "model": "fake"}))
    assert done.returncode == 1
    assert "\nowned" not in done.stderr
    assert all(line.startswith(("error: ", "  hint: ")) for line in done.stderr.splitlines())


CHECK = """import json
print('LIDR', json.dumps({"template": "qwen", "checked": 1, "at_the_ends": 0, "mismatch": None, "fixes": [], "lengths": None}))
"""
LOGS = [
    {"loss": HOSTILE, "current_steps": 1, "total_steps": 2},
    {"loss": 0.5, "current_steps": HOSTILE, "total_steps": [2], "elapsed_time": HOSTILE, "remaining_time": HOSTILE},
    {"loss": None, "current_steps": 10**30, "accuracy": {}, "lr": "x"},
    [HOSTILE],
    HOSTILE,
    7,
]


@pytest.mark.parametrize("status", [0, 3])
def test_a_trainings_log(status: int, tmp_path: Path, lidr: Lidr) -> None:
    env = pretend(tmp_path, tmp_path / "home")
    row = {"id": "1", "language": "de", "instruction": "a", "input": "", "chosen": "b", "rejected": "c"}
    (tmp_path / "run/data/demo.jsonl").write_text(json.dumps(row) + "\n")
    program(tmp_path / "home/envs/train/bin/python", CHECK)
    lines = "\n".join([*map(json.dumps, LOGS), "{broken", ""])
    program(
        tmp_path / "home/envs/train/bin/llamafactory-cli",
        f"import pathlib, sys\npathlib.Path('checkpoint').mkdir(exist_ok=True)\n"
        f"pathlib.Path('checkpoint/trainer_log.jsonl').write_text({lines!r})\nprint({HOSTILE!r})\nsys.exit({status})\n",
    )
    done = lidr("train", write_config(tmp_path, train={"method": "full"}), env=env)
    assert done.returncode in (1, 2)
    assert controls(done.stdout + done.stderr) == []
    assert (status == 0) or "\\x1b[31m" in done.stderr


LABELS = [
    "../../up",
    "..",
    ".",
    ".hidden",
    "a/b",
    "a\\b",
    "",
    " ",
    "x\ny",
    "x\x1b[31m",
    "x\u202ey",
    "x\x85",
    "n" * 61,
    "tab\tx",
    "/etc/x",
]


@pytest.mark.parametrize("where", ["models", "outputs"])
@pytest.mark.parametrize("label", LABELS)
def test_a_label_that_cannot_name_a_file_is_refused(label: str, where: str, tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(1))
    value = "x" if where == "models" else "x/{language}.json"
    (tmp_path / "lidr.json").write_text(
        json.dumps(settings(tmp_path, eval={"prompts": "prompts/{language}.jsonl", where: {label: value}}))
    )
    before = sorted(tmp_path.rglob("*"))
    done = lidr("eval", "lidr.json")
    assert done.returncode == 2
    assert ("label" if label else "a key must be text") in done.stderr
    assert controls(done.stderr) == []
    assert sorted(tmp_path.rglob("*")) == before


def front_matter(text: str) -> dict[str, list[dict[str, str]]]:
    """A card's, as the Hub reads it."""
    assert text.startswith("---\n")
    loaded: dict[str, list[dict[str, str]]] = yaml.safe_load(text[4:].partition("\n---\n")[0])
    return loaded


NUMBERS = [
    "123",
    "1e3",
    "no",
    "null",
    "1_000",
    "0x1f",
    "0o17",
    "2020-01-01",
    "yes",
    "on",
    "y",
    "N",
    "NaN",
    "12e03",
    "1.5",
    "True",
    "0b1",
]


@pytest.mark.parametrize("rows", [Preference, Sft])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_datasets_name_that_yaml_would_read_as_something_else(
    name: str, rows: "type[Preference] | type[Sft]", tmp_path: Path
) -> None:
    config = config_of({**settings(tmp_path), "dataset_name": name, "languages": ["no"]})
    found = front_matter(card(config, rows, {"en": 1, "no": 2}))
    assert found["configs"] == [{"config_name": name, "data_files": f"{name}.jsonl"}]
    assert found["language"] == ["en", "no"]
    recipe = yaml.safe_load(recipe_for(config, RunDirectory(tmp_path), "dpo"))
    assert recipe["dataset"] == name


@pytest.mark.parametrize("name", ["../x", "a/b", ".x", "", "a b", "x\n", "ä", "-x", "x\x00", "a,b", "{x}", "'x'"])
def test_a_datasets_name_that_is_a_path_or_odd_is_refused(name: str, tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(1))
    (tmp_path / "lidr.json").write_text(json.dumps({**settings(tmp_path), "dataset_name": name}))
    done = lidr("build-pairs", "lidr.json")
    assert done.returncode == 2
    assert "dataset_name" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("model", [f"a{HOSTILE}", "x\n---\nowned: true\n---", "a`b|c\n\n# Head", "<script>x</script>"])
def test_a_models_name_in_the_card(model: str, tmp_path: Path) -> None:
    config = config_of({**settings(tmp_path), "model_name_or_path": model})
    text = card(config, Preference, {"en": 1, "de": 2})
    assert controls(text) == []
    assert text.count("\n---\n") == 1
    assert "<script" not in text
    assert text.count("`") % 2 == 0
    assert text.count("\n# ") == 1


@pytest.mark.parametrize(
    "folder", ["a\nowned: true", "a b", "a'b", "$(id)", "a;b", "\x1b[31m", "ä", "a\u2028b: 1", "x\r\ny: 1"]
)
def test_a_folder_in_the_head_of_a_recipe(folder: str, tmp_path: Path) -> None:
    config = config_of(settings(tmp_path, train={"env": {"NOTE": folder}}))
    text = recipe_for(config, RunDirectory(tmp_path / folder), "dpo")
    assert controls(text.partition("\nmodel_name")[0]) == []
    found = yaml.safe_load(text)
    assert found["output_dir"] == str(tmp_path / folder / "checkpoint")
    assert "owned" not in found
    assert "y" not in found


def test_a_recipe_that_is_copied_to_an_odd_place(tmp_path: Path) -> None:
    name = next(recipe.name for recipe in shipped() if "full" in recipe.name)
    (path, *_) = copy_shipped(name, tmp_path / "x: #y\nowned: true" / "r.yaml")
    found = yaml.safe_load(path.read_text())
    assert "owned" not in found
    assert Path(found["deepspeed"]).exists()


@pytest.mark.parametrize(
    "text",
    [ESCAPES, MARKUP, SCRIPTS, "\ud800half", "\U000e0041tag", "zero\ufeffwidth", "a\u061cb", "plain", "tab\tand\nline"],
)
def test_texts_become_inert_and_lose_nothing(text: str) -> None:
    shown = inert(text)
    assert controls(shown) == []
    assert shown.encode()
    assert inert(shown) == shown
    assert (
        "".join(c for c in text if c.isalnum() and c.isascii()) in "".join(c for c in shown if c.isalnum())
        or shown != text
    )
    assert "\n" not in one_line(text)
    assert str(RunError(text)) == RunError(text).message


def test_an_endless_id_hides_nothing_else_that_is_told(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(1))
    (tmp_path / "prompts/de.jsonl").write_text(json.dumps({"id": "x" * 100_000, "instruction": "y"}))
    done = lidr("build-pairs", write_config(tmp_path, languages=["de"]), "--dry-run")
    assert done.returncode == 2
    assert len(done.stderr) < 10_000
    assert "is not in the dominant language's file" in done.stderr
