"""The control of the experiment: a run's pairs with chosen and rejected swapped in about half of them, at random.

    python swapped.py runs/lidr runs/swapped

What a training on these pairs gains cannot come from the language imbalance: their texts are the same, the direction is noise.
"""

import random
import shutil
import sys
from pathlib import Path

import orjson

from lidr_plugin import files
from lidr_plugin.dataset import llamafactory
from lidr_plugin.run_directory import RunDirectory

_SEED = 42


def swap(source: RunDirectory, target: RunDirectory, name: str) -> int:
    """Writes the control's dataset, with the other datasets of the run as they are; returns how many pairs were swapped."""
    drawn, swapped = random.Random(_SEED), 0
    with source.dataset(name).open("rb") as rows, files.replacing(target.dataset(name)) as file:
        for row in map(orjson.loads, rows):
            if drawn.random() < 0.5:
                swapped += 1
                row["chosen"], row["rejected"] = row["rejected"], row["chosen"]
                row["chosen_source"], row["rejected_source"] = row["rejected_source"], row["chosen_source"]
            file.write(files.dump_line(row))
    for other in source.data.glob("*.jsonl"):
        if other != source.dataset(name):
            shutil.copy(other, target.data)
    files.write_json(target.dataset_info, llamafactory.read_info(source.dataset_info))
    return swapped


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    count = swap(RunDirectory(Path(sys.argv[1])), RunDirectory(Path(sys.argv[2])), "lidr")
    print(f"{count} pairs swapped")
