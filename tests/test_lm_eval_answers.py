"""lm-eval's metrics of two models: which answers changed, and what the gate makes of it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lidr_plugin.errors import InputError
from lidr_plugin.evaluation import gate
from lidr_plugin.evaluation.changes import Change
from lidr_plugin.evaluation.intervals import Estimate, Share
from lidr_plugin.evaluation.lm_eval import _Found, _metrics
from lidr_plugin.evaluation.lm_eval_answers import changes_of


def metrics(hits: int, total: int = 40, **others: Estimate) -> dict[str, dict[str, Estimate]]:
    return {"arc_de": {"acc": Estimate(hits / total, 0.07, total), **others}}


def samples(folder: Path, values: Sequence[float], first: int = 0, **more: Any) -> Path:
    """A file of samples; returns that of results, which need not be there."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"doc_id": first + n, "doc_hash": f"h{n}", "filter": "none", "metrics": ["acc"], "acc": value, **more}
        for n, value in enumerate(values)
    ]
    (folder / "samples_arc_de_2026-01-01T00-00-00.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "results_2026-01-01T00-00-00.json"


def test_the_same_questions_are_compared_one_by_one(tmp_path: Path) -> None:
    before = samples(tmp_path / "M0", [1.0] * 30 + [0.0] * 10)
    after = samples(tmp_path / "M1", [0.0] * 5 + [1.0] * 27 + [0.0] * 8)
    found = changes_of(metrics(30), metrics(27), before, after)
    assert found == {"arc_de": {"acc": Change(Share(30, 40), Share(27, 40), gained=2, lost=5)}}


@pytest.mark.parametrize("case", ["no samples", "other questions", "graded"])
def test_without_the_same_samples_the_counts_are_compared(tmp_path: Path, case: str) -> None:
    before = samples(tmp_path / "M0", [1.0] * 30 + [0.0] * 10)
    after = {
        "no samples": tmp_path / "M1/results_2026-01-01T00-00-00.json",
        "other questions": samples(tmp_path / "M1", [1.0] * 40, first=7) if case == "other questions" else tmp_path,
        "graded": samples(tmp_path / "M2", [0.5] * 40) if case == "graded" else tmp_path,
    }[case]
    found = changes_of(metrics(30), metrics(20), before, after)
    assert found == {"arc_de": {"acc": Change(Share(30, 40), Share(20, 40))}}
    assert changes_of(metrics(30), metrics(20)) == found


def test_what_is_no_share_of_right_answers_or_is_not_there_twice_is_left_out() -> None:
    more = {"bleu": Estimate(0.4321, 0.1, 40), "ppl": Estimate(12.0, None, 40), "old": Estimate(0.5, 0.1)}
    assert set(changes_of(metrics(30, **more), metrics(20, **more))["arc_de"]) == {"acc"}
    assert changes_of({}, metrics(20)) == {}
    assert changes_of({"arc_de": {"acc_norm": Estimate(0.5, 0.1, 40)}}, metrics(20)) == {}


def test_a_damaged_sample_is_named_with_its_line(tmp_path: Path) -> None:
    before, after = samples(tmp_path / "M0", [1.0] * 40), samples(tmp_path / "M1", [1.0] * 39)
    with after.with_name("samples_arc_de_2026-01-01T00-00-00.jsonl").open("a") as file:
        file.write("{}\n")
    with pytest.raises(InputError, match=r"samples_arc_de_.*jsonl:40: no sample of lm-eval"):
        changes_of(metrics(30), metrics(20), before, after)


def test_the_answers_are_counted_of_metrics_of_which_more_is_better() -> None:
    found = _Found.model_validate(
        {
            "results": {
                "arc_de": {
                    "alias": "x",
                    "acc,none": 0.75,
                    "acc_stderr,none": 0.07,
                    "exact_match,strict": 0.5,
                    "err,none": 0.2,
                }
            },
            "n-samples": {"arc_de": {"original": 1000, "effective": 40}},
            "higher_is_better": {"arc_de": {"acc": True, "exact_match": True, "err": False}},
        }
    )
    assert _metrics(found)["arc_de"] == {
        "acc": Estimate(0.75, 0.07, 40),
        "exact_match (strict)": Estimate(0.5, None, 40),
        "err": Estimate(0.2, None),
    }


def test_the_gate_stops_a_model_that_lost_a_task_and_says_which_how_sure_and_what_to_try() -> None:
    lost = {"lm_eval": changes_of(metrics(160, 200), metrics(90, 200))}
    (told,) = gate.harms(lost)
    assert told.startswith(
        "arc_de: 45% of its answers are right (lm_eval, acc), 80% before: -35 points (-43 to -26), p "
    )
    assert gate.remedies(lost) == ["mix in prompts of what is lost (arc_de): mix_in"]
    assert gate.harms({"lm_eval": changes_of(metrics(90, 200), metrics(160, 200))}) == []


def test_many_tasks_are_looked_at_together_with_the_rest() -> None:
    slightly = Change(Share(20, 40), Share(11, 40), gained=0, lost=9)
    assert gate.harms({"lm_eval": {"arc_de": {"acc": slightly}}})
    others = {f"task{n}": {"acc": Change(Share(20, 40), Share(20, 40), gained=9, lost=9)} for n in range(60)}
    assert gate.harms({"lm_eval": {"arc_de": {"acc": slightly}, **others}}) == []
    assert gate.harms({"lm_eval": others, "mgsm": {"de": {"accuracy": slightly}}}) == []


def test_what_to_try_depends_on_what_became_worse() -> None:
    worse = Change(Share(2, 40), Share(22, 40), gained=20, lost=0)
    found = gate.remedies(
        {"sums": {"en": {"accuracy": worse.opposite}}, "prompts": {"de": {"off_target": worse}, "es": {"cut": worse}}}
    )
    assert [line.partition(":")[0] for line in found] == [
        "mix in prompts of what is lost (sums)",
        "look at the chosen texts in de",
        "look at how the chosen texts in es end",
    ]
    assert gate.remedies({}) == []
