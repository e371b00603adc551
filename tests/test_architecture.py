"""Layers: a module imports only rows below its own, in functions and for type checking too."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

LAYERS = [
    {"errors", "records", "hashing", "languages", "jsonl"},
    {
        "answers",
        "langid",
        "chat",
        "config",
        "config_engine",
        "config_eval",
        "environments",
        "progress",
        "rundir",
        "batch",
        "guard",
        "intrain",
        "recipes",
        "gate",
    },
    {"configfile", "filters", "promptfiles", "store", "engines", "launch"},
    {"prompts", "generate", "pairs", "recipe", "dataset", "tally", "memory"},
    {"work", "pipeline", "report", "views", "asking"},
    {"evals"},
    {"preflight"},
    {"build", "dryrun", "trainenv", "parity", "plan", "versus"},
    {"harness"},
    {"evaluate", "probe", "overview"},
    {"fit"},
    {"train"},
    {"doctor", "iterate"},
]
"""From the bottom up; modules of one row may use each other where that makes no circle."""

GENERIC = {"store", "engines", "generate", "jsonl", "hashing"}
"""What knows nothing of pairs: other ways to make training data will use it."""

METHOD = {"work", "pipeline", "filters", "pairs", "tally", "preflight", "build", "report"}


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / "lidr_plugin").rglob("*.py")):
        name = path.relative_to(ROOT / "lidr_plugin").parts[0].removesuffix(".py")
        if name != "__init__" and name not in ("starter", "templates"):
            yield name, path


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lidr_plugin"):
            parts = (node.module or "").split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
    return found - {"__version__"}


def row_of(name: str) -> int:
    return next(number for number, row in enumerate(LAYERS) if name in row)


@pytest.mark.parametrize(("name", "path"), list(modules()), ids=lambda x: str(x) if isinstance(x, str) else "")
def test_a_module_imports_only_its_own_row_and_those_below(name: str, path: Path) -> None:
    above = {other for other in imported(path) - {name} if row_of(other) > row_of(name)}
    assert not above, f"{path.name} imports from above: {above}"
    if name in GENERIC:
        assert not imported(path) & METHOD


def test_sql_is_spoken_in_two_files_only() -> None:
    speakers = {path.name for _, path in modules() if "import sqlite3" in path.read_text()}
    assert speakers == {"store.py", "prompts.py"}


def test_files_and_functions_stay_small() -> None:
    for folder in ("lidr_plugin", "cli"):
        for path in (ROOT / folder).rglob("*.py"):
            lines = path.read_text().count("\n")
            assert lines <= 400, f"{path}: {lines} lines"
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    length = (node.end_lineno or 0) - node.lineno + 1
                    assert length <= 60, f"{path}:{node.lineno} {node.name} is {length} lines long"


def test_nothing_swallows_every_exception() -> None:
    for folder in ("lidr_plugin", "cli"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not re.search(r"except Exception|except:|NotImplementedError|TODO", path.read_text()), path


def test_help_loads_nothing_heavy() -> None:
    heavy = ["torch", "transformers", "vllm", "datasets", "pandas", "httpx", "aiohttp", "lingua", "pydantic", "jinja2"]
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom lidr_cli.main import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
