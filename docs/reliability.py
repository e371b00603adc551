"""Writes docs/reliability.md: the classes of attacks in tests/attacks, how many each has, and what is promised.

The docstring of a class's file is its row: the first line names the class, the paragraphs `Promised:` and `Not promised:`
say what holds and where it ends.
"""

import ast
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
ATTACKS = ROOT / "tests" / "attacks"
HEAD = """\
# What holds under attack

lidr is attacked by its own tests, class by class: what a person or a program may have damaged, what nobody sane writes, what
a model drifts to. Each attack is a test in `tests/attacks`, and the numbers below are counted from them by
`python -m docs.reliability`. A further case that gets through is a bug: please report it. `make attacks` tries them all, in
under two minutes on two cores.

| class | attacks | promised | not promised |
|---|---|---|---|
"""


class Row(NamedTuple):
    """A class of attacks, as its file describes it."""

    name: str
    promised: str
    not_promised: str


def row_of(path: Path) -> Row:
    """The class that a file of tests/attacks holds."""
    title, *paragraphs = re.split(r"\n\s*\n", ast.get_docstring(ast.parse(path.read_text())) or "")
    said = {head: " ".join(text.split()) for head, _, text in (paragraph.partition(":") for paragraph in paragraphs)}
    return Row(title.strip().rstrip("."), said["Promised"], said["Not promised"])


@cache
def counts() -> Counter[str]:
    """Attacks by the name of their file, as pytest collects them."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-p", "no:cacheprovider", str(ATTACKS)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    return Counter({name: int(count) for name, count in re.findall(r"(test_\w+\.py): (\d+)", done.stdout)})


def reliability() -> str:
    """docs/reliability.md."""
    found = counts()
    lines = [(row_of(ATTACKS / name), found[name]) for name in sorted(found)]
    table = "".join(f"| {row.name} | {count} | {row.promised} | {row.not_promised} |\n" for row, count in lines)
    return f"{HEAD}{table}| **all** | **{found.total()}** | | |\n"


def main() -> None:
    """Writes it."""
    (ROOT / "docs" / "reliability.md").write_text(reliability())


if __name__ == "__main__":
    main()
