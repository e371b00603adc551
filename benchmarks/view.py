"""The index of `lidr view` over made-up pairs: how fast it is made, how soon it opens, how long a search takes.

    python -m benchmarks.view --pairs 1000000      index at least 20,000 rows/s, opened in 3 s, median of a search 300 ms

The texts are drawn from a vocabulary of 50,000 words with frequencies as in natural language (Zipf), about 400 characters each,
a tenth of them Chinese characters. Opening includes the first page: items, counts of all facets.
"""

import argparse
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from lidr_plugin.files import dump_line
from lidr_plugin.pages.view.index import Index
from lidr_plugin.pages.view.words import terms_of
from lidr_plugin.run_directory import RunDirectory

LANGUAGES = ("en", "de", "sw", "zh", "yo")
SEARCHES = ("w1", "w20 w300", '"w3 w7"', "w49000", "w5* -w2", "chosen:w40 rejected:w90", "三", "w2 w4 w9", "nothing")


def vocabulary(chance: random.Random) -> list[str]:
    """Words of natural lengths; a few have names by which they are looked for."""
    letters = "etaoinshrdlu"
    words = ["".join(chance.choices(letters, k=chance.randint(2, 11))) for _ in range(50_000)]
    for number in (1, 2, 3, 4, 5, 7, 9, 20, 40, 90, 300, 49_000):
        words[number] = f"w{number}"
    return words


def texts(chance: random.Random) -> Iterator[str]:
    words = vocabulary(chance)
    weights = [1 / (rank + 2) for rank in range(len(words))]
    chinese = "一二三四五六七八九十百千的是不了人我在有他这为之大来以个中上们"
    while True:
        drawn = chance.choices(words, weights, k=62 * 200)
        for at in range(0, len(drawn), 62):
            text = " ".join(drawn[at : at + 62])
            yield "".join(chance.choices(chinese, k=130)) if chance.random() < 0.1 else text


def prepare(run: RunDirectory, count: int) -> int:
    chance = random.Random(1)
    source = texts(chance)
    run.data.mkdir(parents=True)
    with run.dataset("demo").open("wb") as file:
        for number in range(count):
            language = LANGUAGES[number % len(LANGUAGES)]
            chosen, rejected = next(source), next(source)
            file.write(
                dump_line(
                    {
                        "id": f"p{number // 5}",
                        "language": language,
                        "instruction": chosen[:90],
                        "input": "",
                        "chosen": chosen,
                        "rejected": rejected,
                        "chosen_source": f"translation:en->{language}",
                        "rejected_source": f"response:{language}",
                    }
                )
            )
    return run.dataset("demo").stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=100_000)
    count = parser.parse_args().pairs
    folder = Path(tempfile.mkdtemp(prefix="lidr-bench-"))
    try:
        run = RunDirectory(folder)
        size = prepare(run, count)
        begun = time.perf_counter()
        index = Index(run)
        for _ in index.catch_up():
            pass
        seconds = time.perf_counter() - begun
        index.close()
        print(f"{count:,} pairs, {size >> 20:,} MB; index of {run.view.stat().st_size >> 20:,} MB in {seconds:.1f} s")
        print(f"index:  {count / seconds:,.0f} rows/s = {count / seconds / 20_000:.2f} of the limit of 20,000")
        begun = time.perf_counter()
        index = Index(run)
        assert not index.is_behind()
        assert index.search([], {}, 0, 50).total == count
        opened = time.perf_counter() - begun
        print(f"opened: {opened:.2f} s = {opened / 3:.2f} of the limit of 3 s")
        spent = []
        for said in SEARCHES:
            for facets in ({}, {"language": "zh"}, {"language": "de", "source": "translation:en->de"}):
                begun = time.perf_counter()
                found = index.search(terms_of(said), facets, 0, 50)
                spent.append(1000 * (time.perf_counter() - begun))
                print(
                    f"  {said:28} {', '.join(facets.values()):26} {spent[-1]:6.0f} ms  {found.total:,}{'+' * found.more}"
                )
        median = statistics.median(spent)
        print(
            f"search: median {median:.0f} ms = {median / 300:.2f} of the limit of 300 ms, longest {max(spent):.0f} ms"
        )
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
