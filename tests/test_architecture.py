"""The house: who may import whom, how large things may be, what may not be loaded or written."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "lidr_plugin"
RULE = (
    "errors files languages run_directory | machine text | config | prompts | completions | methods | dataset | "
    "training evaluation | rounds pages doctor starter | __init__ | cli"
)
"""A name imports what stands before the bar that ends its group; in functions and for type checking too."""


class Budget(NamedTuple):
    """Lines of Python, docstrings included: those that the house wants, and those that it must not pass meanwhile."""

    names: str
    wanted: int
    most: int


BEYOND_ONE_MACHINE = (
    "completions/parts completions/engines/held config/cluster dataset/elsewhere dataset/merge dataset/shards dataset/surveys "
    "machine/mounts machine/places rounds/cluster rounds/crew"
)
"""A part of its own, whose modules lie in the folders of others."""
BUDGETS = {
    "shards and clusters": Budget(BEYOND_ONE_MACHINE, wanted=1000, most=1420),
    "what makes rows": Budget(
        "errors files languages run_directory text config prompts completions methods/base methods/translation "
        "methods/filters methods/imbalance methods/responses methods/translation_answers methods/translation_echo "
        "methods/translation_fidelity methods/translation_prompts methods/translation_quantities methods/translation_words "
        "methods/__init__ dataset",
        wanted=4300,
        most=15710,
    ),
    "training": Budget("training", wanted=1500, most=2420),
    "evaluation": Budget("evaluation", wanted=1200, most=3050),
    "rounds, pages, machine, doctor": Budget("rounds pages machine doctor", wanted=1200, most=5300),
    "cli": Budget("../cli", wanted=700, most=2050),
}


def names_of(path: Path) -> Iterator[str]:
    """The names of the package that a module imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "lidr_plugin":
            parts = (node.module or "").split(".")[1:]
            yield from parts[:1] or (alias.name for alias in node.names if alias.name != "__version__")


def test_everything_imports_only_what_stands_before_its_bar() -> None:
    rank = {name: place for place, group in enumerate(RULE.split("|")) for name in group.split()}
    modules = [(path.relative_to(PACKAGE).parts[0].removesuffix(".py"), path) for path in PACKAGE.rglob("*.py")]
    for name, path in [*modules, *(("cli", path) for path in (ROOT / "cli").glob("*.py"))]:
        if name == "starter":
            continue
        above = {other for other in names_of(path) if other != name and rank.get(other, 99) > rank[name]}
        assert not above, f"{path.relative_to(ROOT)} imports {above}"


def modules_of(folder: Path) -> dict[str, set[str]]:
    """Each module's imports within the package, by their dotted names."""
    found: dict[str, set[str]] = {}
    for path in folder.rglob("*.py"):
        dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found[dotted] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lidr_plugin"):
                found[dotted] |= {f"{node.module}.{alias.name}" for alias in node.names}
    # A name that is no module is something in the module that it is imported from.
    return {
        name: {full if full in found else full.rpartition(".")[0] for full in imports} - {name, "lidr_plugin"}
        for name, imports in found.items()
    }


def test_no_module_imports_itself_by_way_of_others() -> None:
    imports = modules_of(PACKAGE)
    while leaves := [name for name, needed in imports.items() if not needed]:
        imports = {name: needed - set(leaves) for name, needed in imports.items() if name not in leaves}
    assert not imports, f"a circle among {sorted(imports)}"


def test_every_folder_of_the_package_is_installed() -> None:
    installed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {".".join(path.parent.relative_to(ROOT).parts) for path in PACKAGE.rglob("*.py")}
    assert {name for name in installed if name.startswith("lidr_plugin")} == folders


def test_the_top_of_the_package_has_few_doors() -> None:
    siblings = [path for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    assert len(siblings) <= 18, sorted(path.name for path in siblings)


def test_only_methods_and_the_place_that_picks_one_name_a_method() -> None:
    names = {path.stem for path in (PACKAGE / "methods").glob("*.py") if "\ndef build(" in path.read_text()}
    assert {"imbalance", "mix"} <= names
    for module, imported in modules_of(PACKAGE).items():
        if module.split(".")[1:2] in (["completions"], ["dataset"]):
            assert not {f"lidr_plugin.methods.{name}" for name in names} & imported, module


def paths_of(names: str) -> set[Path]:
    """The modules with these names, and those of the folders with them."""
    paths = [path for name in names.split() for path in ((PACKAGE / name).rglob("*.py"), [PACKAGE / f"{name}.py"])]
    return {path.resolve() for group in paths for path in group if path.is_file()}


def lines_of(names: str, without: str = "") -> int:
    """Lines of the modules and folders with these names."""
    return sum(path.read_text().count("\n") for path in paths_of(names) - paths_of(without))


@pytest.mark.parametrize("part", BUDGETS)
def test_the_parts_keep_to_their_budgets(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    budget = BUDGETS[part]
    lines = lines_of(budget.names, "" if budget.names == BEYOND_ONE_MACHINE else BEYOND_ONE_MACHINE)
    with capsys.disabled():
        print(f"\n{part}: {lines:,} lines, {budget.wanted:,} wanted, {budget.most:,} at most", end="")
    assert 0 < lines <= budget.most


def test_a_further_method_is_short() -> None:
    assert 50 <= lines_of("methods/mix") <= 200


def test_sql_is_spoken_by_the_store_its_file_the_prompts_and_the_view_only() -> None:
    # The view's is the full-text index of `lidr view`: a copy of what lies elsewhere, in a file of its own.
    speakers = {path.name for path in PACKAGE.rglob("*.py") if "import sqlite3" in path.read_text()}
    assert speakers == {"store.py", "store_file.py", "prompt_set.py", "index.py"}


def test_files_and_functions_stay_small() -> None:
    for folder in (PACKAGE, ROOT / "cli"):
        for path in folder.rglob("*.py"):
            lines = path.read_text().count("\n")
            assert lines <= 300, f"{path}: {lines} lines"
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    length = (node.end_lineno or 0) - node.lineno + 1
                    assert length <= 50, f"{path}:{node.lineno} {node.name} is {length} lines long"


def test_nothing_swallows_every_exception() -> None:
    for folder in (PACKAGE, ROOT / "cli"):
        for path in folder.rglob("*.py"):
            assert not re.search(r"except Exception|except:|NotImplementedError|TODO", path.read_text()), path


def test_help_loads_nothing_heavy() -> None:
    heavy = "torch transformers vllm datasets pandas aiohttp huggingface_hub httpx pydantic jinja2 ruamel yaml".split()
    heavy += ["py3langid", "numpy", "langcodes"]
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom lidr_cli.app import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_test_imports_another_test() -> None:
    for path in (ROOT / "tests").rglob("*.py"):
        imported = re.findall(r"^from tests\.(test_\w+)", path.read_text(), re.MULTILINE)
        assert not imported, f"{path.name} imports {imported}"


def test_the_document_of_the_house_names_every_stage_and_every_place_that_there_is() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    stages = [name for name in RULE.replace("|", " ").split() if name != "cli"]
    table = text.partition("## A prompt on its way")[0]
    assert not [name for name in stages if f"`{name}.py`" not in table and f"`{name}/`" not in table]
    order = [
        table.index(f"`{name}.py`" if f"`{name}.py`" in table else f"`{name}/`")
        for name in ("machine", "text", "config")
    ]
    assert order == sorted(order)
    for place in re.findall(r"`((?:\w+/)+\w+\.(?:py|html))`", text):
        assert (PACKAGE / place).exists() or (ROOT / place).exists() or "<" in place, place
