"""Presets of `method: rank` from the command to the dataset, with servers that lidr starts for policy and scorer."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Lidr, prompts, rows_of, write_config, write_prompts
from tests.support import vllm_server

SHAPE = {"num_hidden_layers": 4, "num_attention_heads": 8, "hidden_size": 512, "max_position_embeddings": 32768}
OFF = dict.fromkeys(("off_target", "mixed_script", "repetition", "length_ratio", "fidelity", "truncated"), False)
PRESETS: dict[str, tuple[dict[str, Any], str, Counter[str]]] = {
    "best_of_n": ({"samples": 3}, "the scorer", Counter({"/pooling": 18})),
    "icr": ({"samples": 3}, "the scorer", Counter({"/v1/completions": 36})),
    "mapo": ({"samples": 3, "scorer": "policy"}, "", Counter({"/v1/completions": 9})),
    "cm_align": ({"samples": 3}, "the scorer", Counter({"/v1/embeddings": 18})),
    "sao": ({}, "", Counter()),
    "self_rewarding": ({"samples": 3}, "the scorer", Counter()),
}
"""By preset: what is set otherwise, the model that scores where it is another one, and the scores asked for three prompts."""


def engine(folder: Path) -> dict[str, Any]:
    return {"backend": "vllm", "python": vllm_server.interpreter(folder), "concurrency": 8}


def checkpoint(folder: Path, name: str) -> str:
    path = folder / name
    path.mkdir()
    (path / "config.json").write_text(json.dumps({**SHAPE, "model_type": name}))
    return str(path)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_asks_servers_and_ends_in_pairs_and_asks_nothing_twice(
    preset: str, tmp_path: Path, lidr: Lidr, monkeypatch: pytest.MonkeyPatch
) -> None:
    # There, no train environment reads the made-up models' tokens.
    monkeypatch.setenv("LIDR_HOME", str(tmp_path / "home"))
    rank, scorer, asked = PRESETS[preset]
    if scorer:
        rank = {**rank, "scorer": {**engine(tmp_path), "model_name_or_path": checkpoint(tmp_path, scorer)}}
    write_prompts(tmp_path, prompts(3, ["en", "de"]))
    config = write_config(
        tmp_path,
        model_name_or_path=checkpoint(tmp_path, "policy"),
        engine=engine(tmp_path),
        languages=["de"],
        method=preset,
        rank={**rank, "temperature": 1.0, "max_tokens": 9},
        filters=OFF,
        generation={"max_tokens": 9},
        translation={"max_tokens": 9},
    )
    dry = lidr("build-pairs", config, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    done = lidr("build-pairs", config)
    assert done.returncode == 0, done.stderr
    logs = "\n".join(path.read_text() for path in (tmp_path / "run").glob("*.log"))
    served = [line.removeprefix("scored: ") for line in logs.splitlines() if line.startswith("scored: ")]
    trials = 2 if {"/pooling", "/v1/embeddings"} & set(asked) else 0
    assert Counter(served).total() == asked.total() + trials
    assert set(served) == set(asked)
    rows = rows_of(tmp_path / "run/data/demo.jsonl")
    assert {row["language"] for row in rows} == ({"de"} if preset == "mapo" else {"en", "de"})
    assert all(float(row["chosen_score"]) > float(row["rejected_score"]) for row in rows)
    report = json.loads((tmp_path / "run/report.json").read_text())
    assert report["scores"]["generated"] == asked.total()
    before = (tmp_path / "run/data/demo.jsonl").read_bytes()
    again = lidr("build-pairs", config)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "run/data/demo.jsonl").read_bytes() == before
    report = json.loads((tmp_path / "run/report.json").read_text())
    assert report["completions"]["generated"] == report["scores"]["generated"] == 0


@pytest.mark.parametrize(
    ("preset", "need"), [("best_of_n", "reward"), ("icr", "logprob"), ("mapo", "logprob"), ("lacomsa", "layer")]
)
def test_an_engine_that_gives_no_such_scores_is_refused_before_anything_is_asked(
    preset: str, need: str, tmp_path: Path, lidr: Lidr
) -> None:
    write_prompts(tmp_path, prompts(3, ["en", "de"]))
    text = {"backend": "vllm", "python": vllm_server.interpreter(tmp_path)}
    rank: dict[str, Any] = {"scorer": {"base_url": "http://127.0.0.1:9/v1", "model": "other"}}
    if preset == "best_of_n":
        rank = {"scorer": "policy"}
    if preset == "lacomsa":
        rank = {"layer": 2}
    config = write_config(
        tmp_path, languages=["de"], engine=text, method=preset, rank=rank, model_name_or_path=checkpoint(tmp_path, "p")
    )
    done = lidr("build-pairs", config)
    assert done.returncode == 2
    assert (f"gives no {need} scores" in done.stderr) or "needs a reward model" in done.stderr
    assert not (tmp_path / "run/completions.sqlite").exists()
