"""Scores by a real vLLM server, beside those by transformers in process."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from lidr_plugin.completions.engines.purpose import Purpose
from lidr_plugin.completions.engines.servers import Vllm
from lidr_plugin.completions.requests import Message, Score, Scored
from lidr_plugin.config.engine import EngineSettings
from lidr_plugin.errors import RequestError
from tests.support.texts import SAMPLES
from tests.support.trained import in_train

pytestmark = [pytest.mark.vllm, pytest.mark.train]

ARGS = {"dtype": "float32", "max_model_len": 512, "max_num_seqs": 4, "enforce_eager": True}
TURNS = (Message("system", "Answer briefly."), Message("user", "When is the library open?"))
TEXTS = [Score("w", "logprob", TURNS[place % 2 :], text) for place, text in enumerate(SAMPLES.values())]
REQUESTS = [
    *TEXTS,
    TEXTS[0]._replace(cut=True),
    TEXTS[1]._replace(text=""),
    TEXTS[2]._replace(text=" \n12 + 3 = **15**\n"),
    TEXTS[3]._replace(text="Ja 👍🏽 <b>&amp;</b> <|im_start|>"),
]


def by_vllm(model: Path, log: Path, requests: list[Score], purpose: Purpose) -> list[Scored | RequestError]:
    """All at once."""

    async def one(engine: Vllm, request: Score) -> Scored | RequestError:
        try:
            return await engine.score(request)
        except RequestError as error:
            return error

    async def all_of_them() -> list[Scored | RequestError]:
        config = EngineSettings(backend="vllm", concurrency=4, args=ARGS)
        options: dict[str, Any] = {"revision": "main", "trust_remote_code": False, "log": log, "purpose": purpose}
        async with Vllm(config, model=str(model), **options) as engine:
            return await asyncio.gather(*(one(engine, request) for request in requests))

    return asyncio.run(all_of_them())


def by_transformers(
    python: Path, model: Path, need: str, requests: list[Score], folder: Path
) -> list[tuple[float, ...]]:
    (folder / "requests.json").write_text(json.dumps(requests))
    found = in_train(python, "score", model, need, "float32", folder / "requests.json")
    return [tuple(values) for values in found]


def test_vllm_and_transformers_agree_on_the_log_probabilities_of_texts(
    checkpoint: Path, train_python: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    too_long = TEXTS[0]._replace(text="a boat " * 600, row="7 [en]")
    *found, refused = by_vllm(checkpoint, tmp_path / "vllm.log", [*REQUESTS, too_long], Purpose("policy", 1))
    plain = by_transformers(train_python, checkpoint, "logprob", REQUESTS, tmp_path)
    assert isinstance(refused, RequestError)
    assert str(refused).startswith("7 [en]: the server refused it (400)")
    worst = 0.0
    for ours, theirs in zip(found, plain, strict=True):
        assert isinstance(ours, Scored)
        assert ours.values[1] == theirs[1], "the same tokens are measured"
        worst = max(worst, abs(ours.values[0] - theirs[0]) / theirs[1])
    with capsys.disabled():
        print(f"\nlog-probabilities of {len(REQUESTS)} texts: {worst:.1e} nats a token apart at most")
    assert worst < 1e-2


def test_vllm_and_transformers_agree_on_rewards_which_are_raw(
    checkpoint: Path, train_python: Path, tiny: Path, tmp_path: Path
) -> None:
    in_train(train_python, "scores", tiny, tmp_path)
    model, asked = tmp_path / "rewards/one", [request._replace(kind="reward") for request in REQUESTS[:8]]
    purpose = Purpose("scorer", 1, scores=frozenset({"reward"}))
    found = by_vllm(model, tmp_path / "scorer.log", asked, purpose)
    plain = by_transformers(train_python, model, "reward", asked, tmp_path)
    assert [item.values for item in found if isinstance(item, Scored)] == [pytest.approx(v, abs=1e-3) for v in plain]
    assert len({item.values for item in found if isinstance(item, Scored)}) > 1
