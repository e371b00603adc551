"""The checks of what a translation must keep: hits and false alarms, on labelled pairs and on real parallel texts.

    python -m benchmarks.fidelity [--data ../shared/data]

Labelled pairs are those of tests/corpora/fidelity.jsonl. Of the real texts every one is a translation, made by machine or by
people, so that each alarm counts as false, though some of them are right; of strangers: with the next text's translation instead.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from lidr_plugin.methods.translation_fidelity import loss

CORPUS = Path(__file__).resolve().parents[1] / "tests/corpora/fidelity.jsonl"


class Labelled(NamedTuple):
    """A translation, and whether a person calls it faithful."""

    id: str
    origin: str
    target: str
    source: str
    translation: str
    faithful: bool

    @property
    def lost(self) -> str | None:
        return loss(self.source, self.translation, self.origin, self.target)


def labelled() -> Iterator[Labelled]:
    """The corpus."""
    for line in CORPUS.read_text(encoding="utf-8").splitlines():
        yield Labelled(**json.loads(line))


def real(data: Path) -> Iterator[tuple[str, list[Labelled]]]:
    """Real parallel texts, by their source and language, both ways."""

    def rows(path: str, text: str) -> dict[str, str]:
        raw = (data / path).read_text(encoding="utf-8")
        items = json.loads(raw) if path.endswith(".json") else list(map(json.loads, raw.splitlines()))
        return {str(item.get("id", place)): item[text] for place, item in enumerate(items)}

    for name, suffix, text in (
        ("alpagasus", "jsonl", "instruction"),
        ("x-alpacaeval", "json", "instruction"),
        ("mgsm", "jsonl", "query"),
    ):
        english = rows(f"{name}/en.{suffix}", text)
        for path in sorted((data / name).glob(f"*.{suffix}")):
            code = path.stem
            if code != "en":
                other = rows(f"{name}/{code}.{suffix}", text)
                both = [id for id in english if id in other]
                yield f"{name} en-{code}", [Labelled(i, "en", code, english[i], other[i], True) for i in both]
                yield f"{name} {code}-en", [Labelled(i, code, "en", other[i], english[i], True) for i in both]
    answers = [
        json.loads(line) for line in (data / "llama3-8b/en_to_fr.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    kept = [row for row in answers if row["en2fr_reponse"] != "Translation Error"]
    yield (
        "llama3-8b en-fr",
        [Labelled(row["id"], "en", "fr", row["response"], row["en2fr_reponse"], True) for row in kept],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--show", type=int, default=0, help="so many false alarms of each group")
    args = parser.parse_args()
    corpus = list(labelled())
    for row in corpus:
        if (row.lost is None) is not row.faithful:
            print(f"{row.id} [{row.origin}-{row.target}] read as {row.lost or 'faithful'}: {row.translation!r}")
    good, bad = [row for row in corpus if row.faithful], [row for row in corpus if not row.faithful]
    print(f"corpus: hits {sum(row.lost is not None for row in bad)} of {len(bad)}, ", end="")
    print(f"false alarms {sum(row.lost is not None for row in good)} of {len(good)}")
    total, alarms, strays, begun = 0, 0, 0, time.process_time()
    for name, rows in real(args.data) if args.data else ():
        lost = Counter(row.lost for row in rows)
        stray = sum(row._replace(translation=other.translation).lost is not None for row, other in pairwise(rows))
        words = ", ".join(f"{what} {count}" for what, count in lost.most_common() if what)
        print(
            f"{name:22} alarms {1 - lost[None] / len(rows):6.2%} of {len(rows)} ({words}); "
            f"of strangers {stray / (len(rows) - 1):.0%}"
        )
        total, alarms, strays = total + len(rows), alarms + len(rows) - lost[None], strays + stray
        for row in [row for row in rows if row.lost][: args.show]:
            print(f"   {row.id} {row.lost}: {row.source[:300]!r} -> {row.translation[:300]!r}")
    if total:
        print(f"all: alarms {alarms / total:.2%} of {total}; of strangers {strays / total:.1%}; ", end="")
        print(f"{(time.process_time() - begun) / total / 2 * 1e6:.0f} us a text")


if __name__ == "__main__":
    main()
