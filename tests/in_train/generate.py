"""Runs the transformers engine on a tiny model and compares it with one text at a time; prints what it found."""

import asyncio
import json
import sys
from dataclasses import replace

from lidr_plugin.completions.engines.transformers import Transformers
from lidr_plugin.completions.requests import Chat, Message, Sampling
from lidr_plugin.errors import EngineError

SAMPLING = Sampling(temperature=0.0, top_p=1.0, max_tokens=12, repetition_penalty=1.1, seed=42, thinking=False)


def engine(model: str, batch_size: int) -> Transformers:
    return Transformers(
        model, revision="main", trust_remote_code=False, device="cpu", dtype="float32", batch_size=batch_size
    )


async def answers(model: str, batch_size: int, requests: list[Chat]) -> list[str]:
    async with engine(model, batch_size) as made:
        found = await asyncio.gather(*(made.complete(request) for request in requests))
    assert all(item.finish_reason in ("stop", "length") for item in found)
    assert all(
        0 < item.completion_tokens <= request.sampling.max_tokens for item, request in zip(found, requests, strict=True)
    )
    assert all(item.prefilled == bool(request.prefill) for item, request in zip(found, requests, strict=True))
    return [item.text for item in found]


async def main(model: str) -> None:
    plain = [Chat("w", (Message("user", "word " * n),), SAMPLING, row=str(n)) for n in range(1, 12)]
    prefilled = [request._replace(prefill="<translated>\n") for request in plain]
    longer = [request._replace(sampling=replace(SAMPLING, max_tokens=20)) for request in plain[:3]]
    requests = [*plain, *prefilled, *longer]
    alone = await answers(model, 1, requests)
    together = await answers(model, 4, requests)
    drawn = replace(SAMPLING, temperature=1.0)
    samples = [Chat("w", (Message("user", "word"),), drawn, sample=number) for number in range(4)]
    sampled = {size: [await answers(model, size, samples) for _ in range(2)] for size in (1, 4)}
    try:
        async with engine("/no/such/model", 1):
            refused = ""
    except EngineError as error:
        refused = error.message
    found = {"same": alone == together, "differ": alone[0] != alone[11], "refused": refused, "sampled": sampled}
    print("FOUND " + json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
