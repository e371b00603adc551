"""The readers of a judge's verdicts and grades against a person, on the labelled texts of tests/corpora/verdicts*.jsonl.

    python -m benchmarks.read_verdicts

Printed are the confusion of the verdicts (rows: the person; columns: what is read), the shares of both, and every misreading.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lidr_plugin.completions.requests import Completion
from lidr_plugin.methods.judging import letter
from lidr_plugin.text.grades import grade

CORPORA = sorted((Path(__file__).resolve().parents[1] / "tests/corpora").glob("verdicts*.jsonl"))


class Reading(NamedTuple):
    """A judge's text, the person's reading and ours; None: no verdict, no grade."""

    id: str
    kind: str
    text: str
    label: str | float | None
    read: str | float | None


def measured() -> Iterator[Reading]:
    """Every text of the corpora, read."""
    for line in (line for path in CORPORA for line in path.read_text(encoding="utf-8").splitlines()):
        row = json.loads(line)
        completion = Completion(row["text"], "stop", 0, 0)
        read = letter(completion) if row["kind"] == "verdict" else grade(row["text"])
        yield Reading(row["id"], row["kind"], row["text"], row["label"], read)


def main() -> None:
    """Prints the table and the misreadings."""
    readings = list(measured())
    table = Counter((str(x.label), str(x.read)) for x in readings if x.kind == "verdict")
    names = ("A", "B", "tie", "None")
    print(f"{'':8}" + "".join(f"{name:>8}" for name in names))
    for name in names:
        print(f"{name:8}" + "".join(f"{table[name, other]:8}" for other in names))
    for x in readings:
        if x.label != x.read:
            print(f"{x.id}: {x.text!r}: {x.label}, read {x.read}")
    for kind in ("verdict", "grade"):
        found = [x for x in readings if x.kind == kind]
        print(f"{kind}s misread: {sum(x.label != x.read for x in found)}/{len(found)}")


if __name__ == "__main__":
    main()
