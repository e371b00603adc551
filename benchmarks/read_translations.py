"""The readers of translations and of prompts against a person, on labelled texts.

    python -m benchmarks.read_translations

Three corpora in tests/corpora: `translation_shapes` (answers in all the shapes that they come in, and the text that a person
reads), `translation_prompts` (does the prompt ask for a translation?), `fidelity` (does a translation keep what it must?).
Printed are right, missed and false, and every misreading.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lidr_plugin.completions.requests import Completion
from lidr_plugin.methods.translation import parse_translation
from lidr_plugin.methods.translation_prompts import asks_for_translation

CORPORA = Path(__file__).resolve().parents[1] / "tests/corpora"


class Reading(NamedTuple):
    """A labelled text, what was wanted of it and what was read."""

    id: str
    text: str
    wanted: object
    read: object

    @property
    def verdict(self) -> str:
        """`missed`: nothing was read where there is something; `false`: anything else that is not right."""
        if self.read == self.wanted:
            return "right"
        return "false" if self.read else "missed"


def rows_of(name: str) -> Iterator[Mapping[str, Any]]:
    """A corpus."""
    return map(json.loads, (CORPORA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines())


def shapes() -> Iterator[Reading]:
    """Answers, read; where a text was found, with whether it was cut."""
    for row in rows_of("translation_shapes"):
        answer = Completion(row["answer"], row["finish"], 1, 1, row["prefilled"])
        found = parse_translation(answer, row["source"], thinking=False)
        wanted = (row["text"], row["cut"]) if row["text"] else None
        yield Reading(row["id"], row["answer"], wanted, tuple(found) if found.text else None)


def prompts() -> Iterator[Reading]:
    """Prompts, recognised or not."""
    for row in rows_of("translation_prompts"):
        yield Reading(row["id"], row["prompt"], row["asks"], asks_for_translation(row["prompt"]))


def main() -> None:
    """Prints the tables and the misreadings."""
    for name, readings in (("shapes", list(shapes())), ("prompts", list(prompts()))):
        counts = Counter(reading.verdict for reading in readings)
        for reading in readings:
            if reading.verdict != "right":
                print(f"{reading.id} {reading.verdict}: {reading.text!r}: {reading.wanted!r}, read {reading.read!r}")
        print(f"{name}: right {counts['right']}, missed {counts['missed']}, false {counts['false']} of {len(readings)}")


if __name__ == "__main__":
    main()
