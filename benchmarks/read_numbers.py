"""The reader of final numbers against a person, on the labelled answers of tests/corpora/numbers.jsonl.

    python -m benchmarks.read_numbers [CORPUS]

The corpus may also be worked solutions of GSM8K in English (../shared/data/gsm8k/en.jsonl), which are read without their last line.

Right: what is read is the number, and nothing else; where an answer names two units ("3 hours 20 minutes"), in either of them.
Missed: nothing is read where a person reads a number. All else is wrong. Printed are the counts by language and every misreading.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from lidr_plugin.text.numbers import final_numbers

CORPUS = Path(__file__).resolve().parents[1] / "tests/corpora/numbers.jsonl"


class Labelled(NamedTuple):
    """An answer and the number that a person reads in it; none if there is none, two if it names two units."""

    id: str
    language: str
    text: str
    numbers: frozenset[Fraction]


class Reading(NamedTuple):
    """What was read in an answer, and how that fares: `right`, `wrong` or `missed`."""

    answer: Labelled
    read: frozenset[Fraction]
    verdict: str


def labelled(path: Path = CORPUS) -> Iterator[Labelled]:
    """The corpus: JSON lines of id, language, text, number and perhaps `also`, the number in the other unit."""
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if "final_answer" in row:
            solution = re.sub(r"<<[^>]*>>", "", row["answer"]).partition("\n####")[0]
            row |= {"language": "en", "text": solution, "number": row["final_answer"].replace(",", "")}
        numbers = [row["number"], row.get("also")]
        yield Labelled(row["id"], row["language"], row["text"], frozenset(Fraction(x) for x in numbers if x))


def measured(path: Path = CORPUS) -> Iterator[Reading]:
    """Every answer of a corpus, read."""
    for answer in labelled(path):
        read = frozenset(Fraction(number) for number in final_numbers(answer.text, answer.language))
        right = read <= answer.numbers and bool(read) == bool(answer.numbers)
        yield Reading(answer, read, "right" if right else "wrong" if read else "missed")


def main() -> None:
    """Prints the table and the misreadings."""
    readings = list(measured(Path(sys.argv[1]) if sys.argv[1:] else CORPUS))
    counts: dict[str, Counter[str]] = {}
    for reading in readings:
        for group in (reading.answer.language, "all"):
            counts.setdefault(group, Counter())[reading.verdict] += 1
    print(f"{'':8}{'right':>8}{'wrong':>8}{'missed':>8}")
    for group in sorted(counts, key=lambda name: (name == "all", name)):
        count = counts[group]
        print(f"{group:8}{count['right']:8}{count['wrong']:8}{count['missed']:8}")
    for answer, read, verdict in readings:
        if verdict != "right":
            wanted, found = (", ".join(map(str, sorted(numbers))) or "none" for numbers in (answer.numbers, read))
            print(f"{answer.id} {verdict}: {answer.text!r}: {wanted}, read {found}")
    misread = sum(reading.verdict != "right" for reading in readings)
    print(f"misread: {misread}/{len(readings)} = {misread / len(readings):.3f}")


if __name__ == "__main__":
    main()
