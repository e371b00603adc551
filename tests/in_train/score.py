"""Scores that a file of requests asks of a model, by transformers in process: `score MODEL NEED DTYPE FILE`."""

import asyncio
import json
import sys
from pathlib import Path

from lidr_plugin.completions.engines.scorer import Scorer
from lidr_plugin.completions.requests import Message, Score


async def main(model: str, need: str, dtype: str, file: str) -> None:
    read = [Score(*item) for item in json.loads(Path(file).read_text())]
    requests = [item._replace(messages=tuple(Message(*turn) for turn in item.messages)) for item in read]
    loaded = {"revision": "main", "trust_remote_code": False, "device": "cpu", "dtype": dtype}
    async with Scorer(model, wanted=frozenset({need}), **loaded) as engine:  # type: ignore[arg-type]
        print("FOUND " + json.dumps([(await engine.score(request)).values for request in requests]))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
