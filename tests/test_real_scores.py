"""A real vLLM server that gives scores: beside those by transformers in process, and in runs of every kind of method."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import lidr_plugin
from lidr_plugin.completions.engines.base import Scoring
from lidr_plugin.completions.engines.purpose import Purpose
from lidr_plugin.completions.engines.servers import Vllm
from lidr_plugin.completions.requests import Message, Need, Score, Scored
from lidr_plugin.config.engine import EngineSettings
from lidr_plugin.errors import RequestError
from tests.conftest import Lidr, rows_of, write_config, write_prompts
from tests.support.lent import Lent, lent
from tests.support.texts import SAMPLES
from tests.support.trained import LOUD, in_train, loaded, losses, train

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


def vllm(model: Path, log: Path, *scores: Need) -> Vllm:
    """A server that lidr starts."""
    config = EngineSettings(backend="vllm", concurrency=4, args=ARGS)
    purpose = Purpose("model_name_or_path", 64, scores=frozenset(scores))
    return Vllm(config, model=str(model), revision="main", trust_remote_code=False, log=log, purpose=purpose)


@pytest.fixture(scope="module")
def server(lasting_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lent]:
    """The server of the real model, for all that follows."""
    with lent(vllm(lasting_checkpoint, tmp_path_factory.mktemp("server") / "vllm.log")) as engine:
        yield engine


async def all_at_once(engine: Scoring, requests: Sequence[Score]) -> list[Scored | RequestError]:
    async def one(request: Score) -> Scored | RequestError:
        try:
            return await engine.score(request)
        except RequestError as error:
            return error

    return await asyncio.gather(*map(one, requests))


def by_transformers(python: Path, model: Path, need: Need, requests: list[Score], folder: Path) -> list[list[float]]:
    (folder / "requests.json").write_text(json.dumps(requests))
    found: list[list[float]] = in_train(python, "score", model, need, "float32", folder / "requests.json")
    return found


def test_vllm_and_transformers_agree_on_the_log_probabilities_of_texts(
    server: Lent, lasting_checkpoint: Path, train_python: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    too_long = TEXTS[0]._replace(text="a boat " * 600, row="7 [en]")
    *found, refused = asyncio.run(all_at_once(server, [*REQUESTS, too_long]))
    plain = by_transformers(train_python, lasting_checkpoint, "logprob", REQUESTS, tmp_path)
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
    lasting_checkpoint: Path, train_python: Path, tiny: Path, tmp_path: Path
) -> None:
    in_train(train_python, "scores", tiny, tmp_path)
    model, asked = tmp_path / "rewards/one", [request._replace(kind="reward") for request in REQUESTS[:8]]

    async def all_of_them() -> list[Scored | RequestError]:
        async with vllm(model, tmp_path / "scorer.log", "reward") as engine:
            return await all_at_once(engine, asked)

    found = [item.values for item in asyncio.run(all_of_them()) if isinstance(item, Scored)]
    plain = by_transformers(train_python, model, "reward", asked, tmp_path)
    assert found == [pytest.approx(values, abs=1e-3) for values in plain]
    assert len(set(found)) == len(asked)


FACTORS = [(17, 23), (38, 46), (9, 14), (125, 87)]
SENTENCES = {"en": "What is {} times {}? Say the number alone.", "de": "Was ist {} mal {}? Sag nur die Zahl."}
SAMPLES_OF_ALL = {"samples": 4, "temperature": 1.2, "max_tokens": 24}
METHODS: dict[str, dict[str, Any]] = {
    "votes": {"method": "rank", "rank": {**SAMPLES_OF_ALL, "by": "vote", "threshold": 0.25}},
    "log-probabilities": {"method": "rank", "rank": {**SAMPLES_OF_ALL, "by": "translation"}},
    "implicit": {"method": "rank", "rank": {**SAMPLES_OF_ALL, "by": "implicit"}},
    "mix": {"method": "alignment"},
}
OFF = dict.fromkeys(("off_target", "mixed_script", "repetition", "length_ratio", "fidelity"), False)
"""What a small model says of large products is not what filters are tried with."""


@pytest.fixture(scope="module")
def runs(server: Lent, lasting_checkpoint: Path, train_python: Path, tmp_path_factory: Any) -> dict[str, Path]:
    """The folder of a run of each method, all with one store; the reference of the implicit reward has a server of its own."""
    root = tmp_path_factory.mktemp("runs")
    write_prompts(root, [{code: text.format(*factors) for code, text in SENTENCES.items()} for factors in FACTORS])
    (root / "reference").mkdir()
    in_train(train_python, "alter_model", lasting_checkpoint, root / "reference")
    reference = {"backend": "vllm", "model_name_or_path": str(root / "reference"), "concurrency": 4, "args": ARGS}
    for name, method in METHODS.items():
        (root / name).mkdir()
        config = write_config(
            root / name,
            model_name_or_path=str(lasting_checkpoint),
            languages=["de"],
            prompts=str(root / "prompts/{language}.jsonl"),
            engine={"backend": "vllm", "concurrency": 4},
            generation={"max_tokens": 24},
            translation={"max_tokens": 48, "retries": 0},
            filters=OFF,
            store=str(root / "completions.sqlite"),
            **method,
            **({"rank__scorer": reference} if name == "implicit" else {}),
        )
        lidr_plugin.build_pairs(lidr_plugin.load(config), engine=server)
    return {name: root / name for name in METHODS}


def test_every_kind_of_method_makes_rows_that_llamafactory_reads(
    runs: dict[str, Path], train_python: Path, tiny: Path
) -> None:
    read = loaded(train_python, tiny, *(folder / "run" for folder in runs.values()))
    for folder, found in zip(runs.values(), read, strict=True):
        assert len(found["rows"]) == len(rows_of(folder / "run/data/demo.jsonl")) > 0, folder.name
    reports = {name: json.loads((folder / "run/report.json").read_text()) for name, folder in runs.items()}
    assert all(report["scores"]["failed"] == 0 for report in reports.values())
    assert reports["votes"]["completions"]["generated"] == len(FACTORS) * 2 * 4
    assert reports["votes"]["scores"]["generated"] == 0
    for name in ("log-probabilities", "implicit"):
        assert reports[name]["completions"]["generated"] == 0, "the samples are those of the votes"
        assert reports[name]["scores"]["generated"] > 0


def test_pairs_by_implicit_reward_are_trained_on(runs: dict[str, Path], lidr: Lidr) -> None:
    # In 32 bits: a CPU without instructions for bf16 takes minutes over a step that it has to emulate.
    step = {**LOUD, "learning_rate": 1.0e-4, "max_steps": 1, "global_batch_size": 1, "cutoff_len": 128, "bf16": False}
    train(lidr, runs["implicit"] / "lidr.yaml", **step, env={"OMP_NUM_THREADS": "2"})
    assert len(losses(runs["implicit"] / "run")) == 1
