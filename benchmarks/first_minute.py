"""How long a person who has never seen lidr takes from a fresh clone to looking at pairs: under two minutes is wanted.

    python -m benchmarks.first_minute              a clone, pip install ., recorded completions, build-pairs, view

The completions are those of the example, so no model is asked; pip takes packages from wherever it is set up to.
"""

import argparse
import html
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 120.0
STEPS: list[tuple[str, float]] = []


@contextmanager
def timed(what: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    STEPS.append((what, time.perf_counter() - begun))
    print(f"{STEPS[-1][1]:7.1f} s  {what}", flush=True)


def command(*words: str | Path, folder: Path) -> None:
    """Runs a command, and shows what it said if it failed."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run([*map(str, words)], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}\n{done.stdout}{done.stderr}")


def look(lidr: Path, clone: Path) -> None:
    """Opens the view, and waits until a pair of the dataset is on the page."""
    row = json.loads(next((clone / "runs/quickstart/data").glob("*.jsonl")).read_text(encoding="utf-8").splitlines()[0])
    with subprocess.Popen([lidr, "view", "runs/quickstart"], cwd=clone, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            address = child.stdout.readline().strip()
            opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            until = time.monotonic() + 30
            while True:
                with opener.open(address) as answer:
                    page = html.unescape(answer.read().decode())
                if row["chosen"][:40].splitlines()[0] in page:
                    return
                if time.monotonic() > until:
                    raise SystemExit(f"the first pair is not on the page of {len(page):,} characters")
                time.sleep(0.2)
        finally:
            child.terminate()


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    folder = Path(tempfile.mkdtemp(prefix="lidr-first-"))
    clone, lidr = folder / "lidr", folder / "venv/bin/lidr"
    run = "runs/quickstart"
    try:
        with timed("git clone"):
            command("git", "clone", "-q", ROOT, clone, folder=folder)
        with timed("python -m venv"):
            command(sys.executable, "-m", "venv", folder / "venv", folder=folder)
        with timed("pip install ."):
            command(folder / "venv/bin/pip", "install", "-q", ".", folder=clone)
        with timed("lidr store import"):
            command(lidr, "store", "import", run, "examples/quickstart/completions.jsonl", folder=clone)
        with timed("lidr build-pairs"):
            command(lidr, "build-pairs", "examples/quickstart/lidr.yaml", f"output_dir={run}", folder=clone)
        with timed("lidr view, until a pair is on the page"):
            look(lidr, clone)
    finally:
        shutil.rmtree(folder)
    total = sum(seconds for _, seconds in STEPS)
    print(f"{total:7.1f} s  in all = {total / LIMIT:.2f} of the limit of {LIMIT:.0f} s")


if __name__ == "__main__":
    main()
