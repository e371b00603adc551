"""`dataset_format: messages`: the same rows as conversations, and those in alpaca form beside them for LLaMA-Factory's loader."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lidr_plugin.dataset.messages import message_row
from tests.conftest import Lidr, prompts, rows_of, write_config, write_prompts
from tests.support.server import FakeServer, running
from tests.support.trained import in_train

PAIR = {"id": "1", "language": "de", "instruction": "Sag", "input": "Hallo", "chosen": "Hallo!", "rejected": "Hi"}


def build(folder: Path, lidr: Lidr, **values: Any) -> None:
    with running(FakeServer()) as url:
        done = lidr("build-pairs", write_config(folder, engine__base_url=url, **values))
    assert done.returncode == 0, done.stderr


def test_a_pair_is_two_conversations_and_a_row_to_imitate_one() -> None:
    asked = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Sag\nHallo"}]
    assert message_row({**PAIR, "system": "Be kind.", "chosen_source": "response:en"}) == {
        "id": "1",
        "language": "de",
        "chosen": [*asked, {"role": "assistant", "content": "Hallo!"}],
        "rejected": [*asked, {"role": "assistant", "content": "Hi"}],
        "chosen_source": "response:en",
    }
    assert message_row({"id": "1", "language": "de", "instruction": "Sag", "input": "", "output": "Ja"}) == {
        "id": "1",
        "language": "de",
        "messages": [{"role": "user", "content": "Sag"}, {"role": "assistant", "content": "Ja"}],
    }


@pytest.mark.parametrize("method", ["imbalance", "xllm"])
def test_both_forms_hold_the_same_rows_and_the_recipe_trains_on_that_of_alpaca(
    method: str, tmp_path: Path, lidr: Lidr
) -> None:
    write_prompts(tmp_path, prompts(6))
    data = tmp_path / "run/data"
    build(tmp_path, lidr, method=method)
    alpaca = rows_of(data / "demo.jsonl")
    build(tmp_path, lidr, method=method, dataset_format="messages")
    assert rows_of(data / "demo_alpaca.jsonl") == alpaca
    assert rows_of(data / "demo.jsonl") == [message_row(row) for row in alpaca]
    assert list(json.loads((data / "dataset_info.json").read_text())) == ["demo_alpaca"]
    assert yaml.safe_load((tmp_path / "run/train.yaml").read_text())["dataset"] == "demo_alpaca"
    assert "a whole conversation" in (data / "README.md").read_text()
    before = (data / "demo.jsonl").read_bytes()
    build(tmp_path, lidr, method=method, dataset_format="messages")
    assert (data / "demo.jsonl").read_bytes() == before
    (data / "demo.jsonl").write_bytes(before + b"{}\n")
    done = lidr("build-pairs", write_config(tmp_path, method=method, dataset_format="messages"))
    assert done.returncode == 2
    assert "edited since lidr wrote it" in done.stderr


@pytest.mark.train
def test_trl_and_llamafactory_read_every_form_with_their_own_code(
    tiny: Path, train_python: Path, tmp_path: Path, lidr: Lidr
) -> None:
    """One start for all: pairs and rows to imitate, as conversations and in alpaca form."""
    runs = {}
    for method in ("imbalance", "crossin"):
        folder = tmp_path / method
        folder.mkdir()
        write_prompts(folder, prompts(5))
        build(
            folder, lidr, method=method, dataset_format="messages", mix={"question": 1.0}, generation__system="Be kind."
        )
        runs[method] = folder / "run"
    found = in_train(
        train_python, "read_messages", tiny, *(path for run in runs.values() for path in (run, run / "train.yaml"))
    )
    for method, run in runs.items():
        seen, written = found[str(run)], rows_of(run / "data/demo.jsonl")
        assert seen["trl"] == written_to_trl(written)
        for aligned, row in zip(seen["v0"], rows_of(run / "data/demo_alpaca.jsonl"), strict=True):
            answers = [row["output"]] if "output" in row else [row["chosen"], row["rejected"]]
            assert [turn["content"] for turn in aligned["_response"]] == answers
            assert aligned["_system"] == "Be kind."
        if method == "imbalance":
            plain = [
                {
                    side: [
                        {"role": turn["role"], "content": "".join(part["value"] for part in turn["content"])}
                        for turn in row[f"{side}_messages"]
                    ]
                    for side in ("chosen", "rejected")
                }
                for row in seen["v1"]
            ]
            assert plain == [{side: row[side] for side in ("chosen", "rejected")} for row in written]
            weights = {turn["role"]: turn["loss_weight"] for row in seen["v1"] for turn in row["chosen_messages"]}
            assert weights == {"system": 0.0, "user": 0.0, "assistant": 1.0}


def written_to_trl(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What TRL should make of them: the prompt that both sides share, or the conversation as it is."""
    if "messages" in rows[0]:
        return [{"messages": row["messages"]} for row in rows]
    return [
        {"prompt": row["chosen"][:-1], "chosen": row["chosen"][-1:], "rejected": row["rejected"][-1:]} for row in rows
    ]
