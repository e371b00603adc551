"""The view of single texts that `train.stage: kto` trains on."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import lidr_plugin as lidr
from lidr_plugin.dataset.kto import _Place, apart
from tests.conftest import rows_of
from tests.support.samples import Samples, config_of
from tests.support.trained import in_train

ANSWERS = {"en": ["12", "so 12", "= 12", "7"], "de": ["12", "so 12", "= 12", "7"]}


class Named(Samples):
    """Answers that say which basket they are about, in letters."""

    def answer(self, request: lidr.Chat) -> lidr.Completion:
        number = request.messages[-1].content.rpartition(" ")[2].rstrip("?")
        letters = "".join(chr(ord("a") + int(digit)) for digit in number)
        found = super().answer(request)
        return found._replace(text=f"{letters}: {found.text}")


def built(folder: Path, prompts: int, **changes: Any) -> lidr.Config:
    rows = [{code: f"[{code}] How many apples are in basket {n}?" for code in ("en", "de")} for n in range(prompts)]
    config = config_of(folder, ["de"], {"by": "vote", "samples": 4}, rows=rows, train={"stage": "kto"}, **changes)
    lidr.build_pairs(config, engine=Named(ANSWERS))
    return config


def test_no_text_stands_beside_one_of_its_prompt_and_none_is_empty(tmp_path: Path) -> None:
    built(tmp_path, 5)
    pairs, rows = rows_of(tmp_path / "run/data/lidr.jsonl"), rows_of(tmp_path / "run/data/lidr_kto.jsonl")
    assert len(rows) == 2 * len(pairs)
    assert sum(row["kto_tag"] for row in rows) == len(pairs)
    assert all(row["output"] and isinstance(row["kto_tag"], bool) for row in rows)
    neighbours = zip(rows, [rows[-1], *rows[:-1]], strict=True)
    assert not [(a, b) for a, b in neighbours if a["id"] == b["id"]]
    entry = json.loads((tmp_path / "run/data/dataset_info.json").read_text())["lidr_kto"]
    assert entry["columns"] == {
        "prompt": "instruction",
        "query": "input",
        "response": "output",
        "kto_tag": "kto_tag",
    }
    recipe = yaml.safe_load((tmp_path / "run/train.yaml").read_text())
    assert (recipe["stage"], recipe["dataset"]) == ("kto", "lidr_kto")
    assert "pref_loss" not in recipe


def test_one_prompt_alone_has_no_other_to_be_compared_with(tmp_path: Path) -> None:
    with pytest.raises(lidr.RunError, match="more than half of the texts have one prompt"):
        built(tmp_path, 1)


def test_rows_to_imitate_are_no_pairs(tmp_path: Path) -> None:
    config = config_of(tmp_path, ["de"], {}, method="alignment", train={"stage": "kto"})
    with pytest.raises(lidr.InputError, match=r"train\.stage: kto needs pairs"):
        lidr.build_pairs(config, engine=Samples(ANSWERS))


@given(st.lists(st.integers(0, 6).map(str), min_size=2, max_size=40))
def test_texts_are_kept_apart_wherever_they_can_be(ids: list[str]) -> None:
    places = [_Place(id, at, "chosen") for at, id in enumerate(ids)]
    ordered = apart(places)
    if max(map(ids.count, ids)) > len(ids) // 2:
        assert ordered is None
    else:
        assert ordered is not None
        assert sorted(ordered) == sorted(places)
        assert all(a.id != b.id for a, b in zip(ordered, [ordered[-1], *ordered[:-1]], strict=True))


@given(st.lists(st.integers(0, 9).map(str), min_size=1, max_size=40), st.sampled_from([2, 4, 6, 10]))
def test_nor_do_the_ends_of_what_llamafactory_reads_at_once_have_one_prompt(ids: list[str], batch: int) -> None:
    ordered = apart([_Place(id, 0, side) for side in ("chosen", "rejected") for id in ids]) or []
    for start in range(0, len(ordered), batch):
        read = ordered[start : start + batch]
        assert all(a.id != b.id for a, b in zip(read, [read[-1], *read[:-1]], strict=True))


@pytest.mark.parametrize("changed", [{"val_size": 0.1}, {"max_samples": 7}, {"drop_over_cutoff": True}])
def test_what_would_bring_the_rows_into_another_order_is_refused(tmp_path: Path, changed: dict[str, Any]) -> None:
    with pytest.raises(lidr.InputError, match=rf"train\.{next(iter(changed))}: not with stage: kto"):
        config_of(tmp_path, ["de"], {}, train={"stage": "kto", **changed})


def test_no_part_is_held_out_where_a_preset_would(tmp_path: Path) -> None:
    rows = [{code: f"[{code}] How many apples are in basket {n}?" for code in ("en", "de")} for n in range(4)]
    config = config_of(tmp_path, ["de"], {"samples": 4}, method="scpo", rows=rows, train={"stage": "kto"})
    lidr.build_pairs(config, engine=Samples(ANSWERS))
    recipe = yaml.safe_load((tmp_path / "run/train.yaml").read_text())
    assert not {"val_size", "eval_strategy", "preprocessing_num_workers"} & set(recipe)


def test_epochs_are_divided_by_the_copies_of_a_pair(tmp_path: Path) -> None:
    given = config_of(tmp_path, ["de"], {"by": "vote", "samples": 4}, train={"num_train_epochs": 3})
    report = lidr.build_pairs(given, engine=Samples(ANSWERS)).report
    assert report["pairs"] == {"en": 2, "de": 2}
    assert report["ranking"]["copies"] == 2
    assert yaml.safe_load((tmp_path / "run/train.yaml").read_text())["num_train_epochs"] == 1.5
    ignored = given.model_copy(update={"rank": given.rank.model_copy(update={"weights": "ignore"})})
    lidr.build_pairs(ignored, engine=Samples(ANSWERS))
    assert yaml.safe_load((tmp_path / "run/train.yaml").read_text())["num_train_epochs"] == 3


def test_lengths_that_differ_much_are_told(tmp_path: Path) -> None:
    long = {code: ["12, and that is all there is to say about it", "so 12", "7", "12 again"] for code in ("en", "de")}
    report = lidr.build_pairs(config_of(tmp_path, ["de"], {"by": "vote", "samples": 4}), engine=Samples(long)).report
    assert report["ranking"]["characters"]["de"] == {"chosen": 44.0, "rejected": 1.0}
    assert any("de: chosen texts have 44 characters" in note for note in report["notes"])
    assert len(report["samples"]["de"]) == 1, "copies are shown once"


@pytest.mark.train
def test_llamafactory_reads_every_text_with_its_mark_beside_one_of_another_prompt(
    tmp_path: Path, tiny: Path, train_python: Path
) -> None:
    built(tmp_path, 260, template="qwen3_nothink")
    rows = rows_of(tmp_path / "run/data/lidr_kto.jsonl")
    assert len(rows) > 2000, "more than it reads at once"
    found = in_train(train_python, "read_kto", tmp_path / "run/train.yaml", tiny)
    assert [(row["text"].strip(), row["good"]) for row in found] == [(row["output"], row["kto_tag"]) for row in rows]
    assert all(row["instruction"] in read["whole"] for read, row in zip(found, rows, strict=True))
    basket = [row["output"].partition(":")[0] for row in rows]
    assert all(read["other"].strip().partition(":")[0] != name for read, name in zip(found, basket, strict=True))
