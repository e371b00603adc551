"""The filter of repetition against a person, on the labelled texts of tests/corpora/repetition.jsonl, and on real answers.

    python -m benchmarks.repetition [CORPUS]

Printed are the counts by kind, every error, and how many real texts of ../shared/data are rejected, where it is there.
"""

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lidr_plugin.text.repetition import is_degenerate

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT / "tests/corpora/repetition.jsonl"
DATA = ROOT.parent / "shared/data"
REAL = {
    "answers of Llama-3-8B-Instruct, English": ("llama3-8b/en.responses.jsonl", "response"),
    "their translations into French": ("llama3-8b/en_to_fr.jsonl", "en2fr_reponse"),
    **{
        f"prompts of AlpaGasus, {code}": (f"alpagasus/{code}.jsonl", "instruction") for code in "en de ja zh ar".split()
    },
}


class Labelled(NamedTuple):
    """A text, the prompt that it answers (where it matters), and whether a person calls it degenerate."""

    id: str
    kind: str
    prompt: str
    text: str
    degenerate: bool


def counted(unit: str, n: int) -> str:
    """A unit of a loop in its n-th round: `{n}`, `{m}` for n + 1, `{3n}`, `{1990+n}`, `{30+5n}`."""

    def number(match: "re.Match[str]") -> str:
        return str(int(match[1] or 0) + int(match[2] or 1) * n)

    return re.sub(r"\{(?:(\d+)\+)?(\d*)n\}", number, unit.replace("{m}", str(n + 1)))


def text_of(row: dict[str, Any]) -> str:
    """The text as it stands, or `before`, `times` rounds of a `unit` (of several in turn), and `after`."""
    if "text" in row:
        return str(row["text"])
    units = row.get("units") or [row["unit"]]
    rounds = "".join(counted(units[n % len(units)], n + 1) for n in range(row["times"]))
    return str(row.get("before", "")) + rounds + str(row.get("after", ""))


def labelled(path: Path = CORPUS) -> Iterator[Labelled]:
    """The corpus."""
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield Labelled(row["id"], row["kind"], row.get("prompt", ""), text_of(row), row["degenerate"])


def real(path: str, key: str) -> list[str]:
    """The texts of a file of real data."""
    rows = map(json.loads, (DATA / path).read_text(encoding="utf-8").splitlines())
    return [row[key] for row in rows if row[key] and row[key] != "Translation Error"]


def main() -> None:
    """Prints the tables and the errors."""
    counts: dict[tuple[bool, str], Counter[bool]] = {}
    errors = []
    for item in labelled(Path(sys.argv[1]) if sys.argv[1:] else CORPUS):
        right = is_degenerate(item.text, item.prompt) is item.degenerate
        for kind in (item.kind, "all"):
            counts.setdefault((item.degenerate, kind), Counter())[right] += 1
        if not right:
            errors.append(f"{'kept' if item.degenerate else 'rejected'}: {item.id}: {item.text[:60]!r}")
    for (degenerate, kind), count in sorted(counts.items(), key=lambda x: (not x[0][0], x[0][1] == "all", x[0][1])):
        print(f"{'degenerate' if degenerate else 'good':12}{kind:22}{count[True]:5} right{count[False]:5} wrong")
    print(*errors, sep="\n")
    for name, place in REAL.items() if DATA.is_dir() else ():
        texts = real(*place)
        begun = time.process_time()
        rejected = sum(map(is_degenerate, texts))
        print(
            f"{name}: {rejected} of {len(texts)} rejected, {1e6 * (time.process_time() - begun) / len(texts):.0f} µs each"
        )


if __name__ == "__main__":
    main()
