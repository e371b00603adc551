"""Building from a full store, without an engine: pairs a second on one core, and peak memory.

    python -m benchmarks.from_store --prompts 100000                     language filter off; limit 20,000 pairs/s
    python -m benchmarks.from_store --prompts 100000 --off-target        language filter on; limit 4,000 pairs/s
    python -m benchmarks.from_store --prompts 1000000                    and the memory limit of 400 MB

The prompts and the store are made first, by the product's own pipeline on a made-up model (not timed).
"""

import argparse
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import yaml

from lidr_plugin.completions.requests import Chat, Completion, request_json
from lidr_plugin.completions.rows import Entry
from lidr_plugin.completions.steps import Course
from lidr_plugin.completions.store import Store
from lidr_plugin.config.file import load
from lidr_plugin.dataset.prepare import Prepared
from tests.support.model import digest

WORDS = 40
VOCABULARY = {
    "en": """the of and to in is that it was for on are with as his they be at one have this from or had by hot but some
    what there we can out other were all your when up use word how said an each she which do their time if will way about
    many then them would write like so these her long make thing see him two has look more day could go come""".split(),
    "de": """der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat
    dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber vor zur bis mehr durch
    man sein wurde sei hatte kann gegen vom können schon wenn habe seine ihre dann unter wir soll ich""".split(),
}

CHILD = (
    "import atexit\nfrom lidr_cli.main import main\n"
    "atexit.register(lambda: print(open('/proc/self/status').read()))\nmain()"
)
"""The command, saying at its end what it used; a parent's own peak would show in the resource usage of its children."""


def made_up(request: Chat) -> Completion:
    """About 250 characters in the language that the request asks for."""
    user = request.messages[-1].content
    german = "into German" in user or user.startswith("[de]")
    chance, stock = random.Random(digest(user)), VOCABULARY["de" if german else "en"]
    text = " ".join(chance.choices(stock, k=WORDS))
    return Completion(text + "\n</translated>" if request.prefill else text, "stop", 100, 60, bool(request.prefill))


def entries(ready: Prepared) -> Iterator[Entry]:
    """Every request of the run with a made-up answer."""
    for prompt in ready.prompts:
        course = Course(ready.method.steps(prompt, ready.ask))
        while course.wanted:
            wanted, course.wanted = course.wanted, []
            for branch, request in wanted:
                answer = made_up(request)
                yield Entry(request_json(request), answer)
                course.answer(branch, answer)


def prepare(folder: Path, count: int, off_target: bool, *, full: bool = True) -> Path:
    """Prompts and a configuration, and where it is wanted a store with all answers."""
    for code in ("en", "de"):
        with (folder / f"{code}.jsonl").open("w") as file:
            for number in range(count):
                file.write(json.dumps({"id": f"p{number}", "instruction": f"[{code}] boat {number}"}) + "\n")
    config = folder / "lidr.yaml"
    settings = {
        "model_name_or_path": "made-up",
        "template": "qwen",
        "languages": ["de"],
        "prompts": "{language}.jsonl",
        "engine": {"backend": "openai", "base_url": "http://127.0.0.1:9/v1"},
        "filters": {"off_target": off_target},
        "output_dir": str(folder / "run"),
    }
    config.write_text(yaml.safe_dump(settings))
    if not full:
        return config
    (folder / "run").mkdir()
    with Prepared(load(config)) as ready, Store(ready.run.store) as store:
        stream = entries(ready)
        while batch := list(islice(stream, 20_000)):
            store.put_many(batch)
    return config


def on_disk(run: Path) -> str:
    """Bytes of a completion in the store, and of a line of the dataset or of `rejected.jsonl`."""
    with Store(run / "completions.sqlite", read_only=True) as store:
        number, size = len(store), store.size
        own = sum(len(entry.request) + len(entry.completion.text.encode()) for entry in store.entries())
    files = [*(run / "data").glob("*.jsonl"), run / "rejected.jsonl"]
    lines = sum(path.read_bytes().count(b"\n") for path in files)
    row = sum(path.stat().st_size for path in files) / lines
    return f"{size / number:,.0f} bytes a completion ({own / number:,.0f} of request and answer), {row:,.0f} a row"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=100_000)
    parser.add_argument("--off-target", action="store_true")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="lidr-bench-"))
    try:
        config = prepare(folder, args.prompts, args.off_target)
        command = [sys.executable, "-c", CHILD, "build-pairs", str(config)]
        core = {min(os.sched_getaffinity(0))}
        begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        pin = lambda: os.sched_setaffinity(0, core)  # noqa: E731
        done = subprocess.run(command, check=True, preexec_fn=pin, stdout=subprocess.PIPE, text=True)
        seconds, used = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
        busy = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
        report = json.loads((folder / "run/report.json").read_text())
        assert report["completions"]["generated"] == 0
        pairs, limit = sum(report["pairs"].values()), 4_000 if args.off_target else 20_000
        peak = int(re.findall(r"VmHWM:\s+(\d+) kB", done.stdout)[-1]) / 1024
        filtered = "on" if args.off_target else "off"
        print(
            f"{pairs:,} pairs in {seconds:.1f} s, language filter {filtered}, one core, start-up and prompt check included"
        )
        print(f"speed:  {pairs / seconds:,.0f} pairs/s = {pairs / seconds / limit:.2f} of the limit of {limit:,}")
        print(f"        {pairs / busy:,.0f} a second that the core worked for it")
        print(f"memory: {peak:.0f} MB peak = {peak / 400:.2f} of the limit of 400 MB")
        print(f"disk:   {on_disk(folder / 'run')}")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
