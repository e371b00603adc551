"""The filter `mixed_script` against a person, on the labelled texts of tests/corpora/mixed_script.jsonl and on real ones.

    python -m benchmarks.mixed_script [DATA]

Printed are misses and false alarms by language, and, of the parallel prompts in DATA (`<name>/<language>.jsonl` or `.json`),
all of them written by people or translated by a machine, the share that would be dropped.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lidr_plugin.text.mixed_script import slips

CORPUS = Path(__file__).resolve().parents[1] / "tests/corpora/mixed_script.jsonl"


class Labelled(NamedTuple):
    """A text, whether a person finds a word of the wrong script in it, and the prompt that it answers, where that matters."""

    id: str
    language: str
    text: str
    mixed: bool
    prompt: str = ""


def labelled(path: Path = CORPUS) -> Iterator[Labelled]:
    """The corpus."""
    for line in path.read_text(encoding="utf-8").splitlines():
        yield Labelled(**json.loads(line))


def misread(path: Path = CORPUS) -> Iterator[tuple[Labelled, list[str]]]:
    """The texts that the filter sees otherwise than the person, with the words that it finds in them."""
    for item in labelled(path):
        found = list(slips(item.text, item.language, item.prompt))
        if bool(found) != item.mixed:
            yield item, found


def prompts(path: Path) -> Iterator[str]:
    """The texts of a file of parallel prompts."""
    rows = json.loads(path.read_text()) if path.suffix == ".json" else map(json.loads, path.read_text().splitlines())
    for row in rows:
        yield row.get("instruction") or row.get("query") or ""


def main() -> None:
    """Prints the table, the misread texts, and the false alarms on real ones."""
    everything, wrong = list(labelled()), list(misread())
    for mixed, name in ((False, "good texts, dropped"), (True, "mixed texts, kept")):
        of = Counter(item.language for item in everything if item.mixed is mixed)
        missed = Counter(item.language for item, _ in wrong if item.mixed is mixed)
        print(f"{name}: {missed.total()} of {of.total()} in {len(of)} languages; {dict(missed)}")
    for item, found in wrong:
        print(f"{item.id} [{item.language}] {item.text!r} {found}")
    data = Path(sys.argv[1]) if sys.argv[1:] else Path("../shared/data")
    for path in sorted([*data.glob("*/??.json"), *data.glob("*/??.jsonl")]):
        texts = list(prompts(path))
        found = [list(slips(text, path.stem)) for text in texts]
        print(f"{path.parent.name}/{path.stem}: {sum(map(bool, found))} of {len(texts)} dropped")
        for words in list(filter(None, found))[:8]:
            print(f"    {words[:6]}")


if __name__ == "__main__":
    main()
