"""Putting shards together: rows a second of CPU time, and peak memory.

    python -m benchmarks.merge --prompts 1000000 --shards 16             limits: 50,000 rows/s, 400 MB

One shard is built by `lidr build-pairs --shard` from a full store of made-up answers (not timed). The others are copies of it, each
at its own place in the run: a merge reads every byte of them as if they differed, and a million prompts take minutes to build.
"""

import argparse
import json
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from itertools import islice
from pathlib import Path

from benchmarks.from_store import CHILD, entries, prepare
from lidr_plugin.completions.store import Store
from lidr_plugin.config.file import load
from lidr_plugin.dataset.shards import opened_for, write_made
from lidr_plugin.run_directory import RunDirectory


def build(config: Path, shards: int) -> None:
    """So many finished shards: one that is built from a store that is full, and its copies."""
    with opened_for(load(config), "0/1") as (ready, made):
        ready.run.path.mkdir(parents=True, exist_ok=True)
        with Store(ready.run.store) as store:
            stream = entries(ready)
            while batch := list(islice(stream, 20_000)):
                store.put_many(batch)
    command = [sys.executable, "-c", CHILD, "build-pairs", str(config), "--shard", "0/1"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    ready.run.store.unlink()  # the merge reads none
    assert made is not None
    for number in range(shards):
        copy = RunDirectory(shutil.copytree(ready.run.path, ready.run.path.with_name(f"{number}-of-{shards}")), None)
        size = made.total
        write_made(copy, replace(made, first=number * size, end=(number + 1) * size, total=shards * size))
    shutil.rmtree(ready.run.path)


def spent() -> float:
    """CPU seconds of all children until now."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=100_000)
    parser.add_argument("--shards", type=int, default=16)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="lidr-bench-"))
    try:
        config = prepare(folder, args.prompts // args.shards, off_target=False, full=False)
        build(config, args.shards)
        before = spent()
        command = [sys.executable, "-c", CHILD, "merge", str(config)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        seconds = spent() - before
        report = json.loads((folder / "run/report.json").read_text())
        rows = sum(report["candidates"].values())
        peak = int(re.findall(r"VmHWM:\s+(\d+) kB", done.stdout)[-1]) / 1024
        print(f"{rows:,} rows of {args.shards} shards in {seconds:.1f} s of CPU time, start and page included")
        print(f"speed:  {rows / seconds:,.0f} rows/s = {rows / seconds / 50_000:.2f} of the limit of 50,000")
        print(f"memory: {peak:.0f} MB peak = {peak / 400:.2f} of the limit of 400 MB")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
