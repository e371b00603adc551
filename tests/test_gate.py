"""The gate: when a new model must not make data."""

from pathlib import Path

import orjson
import pytest

from lidr_plugin.errors import InputError
from lidr_plugin.evaluation import gate
from lidr_plugin.evaluation.gate import Fidelity
from lidr_plugin.evaluation.intervals import Share

GOLDEN = Path(__file__).parent / "golden/evaluation/results.json"


def fidelity(degenerate: int, cut: int, right: int | None, characters: float) -> dict[str, Fidelity]:
    level = None if right is None else Share(right, 100)
    return {"de": Fidelity(Share(degenerate, 100), Share(cut, 100), characters, level)}


def test_the_gate_stops_a_model_that_repeats_does_not_end_leaves_its_language_or_changes_its_length() -> None:
    before = fidelity(4, 5, 95, 300.0)
    assert gate.problems(before, fidelity(6, 9, 90, 250.0)) == []
    for after, word in (
        (fidelity(40, 5, 95, 300.0), "repeat themselves"),
        (fidelity(4, 60, 95, 300.0), "do not end"),
        (fidelity(4, 5, 50, 300.0), "another language"),
        (fidelity(4, 5, 95, 90.0), "0.3 times as long"),
    ):
        (found,) = gate.problems(before, after)
        assert found.startswith("de: ")
        assert word in found
    few = {"de": Fidelity(Share(2, 6), Share(5, 100), 300.0, Share(95, 100))}
    assert gate.problems(before, few) == [], "a few prompts decide nothing"


def test_a_language_that_cannot_be_identified_is_judged_by_the_rest() -> None:
    before = fidelity(4, 5, None, 300.0)
    assert gate.problems(before, fidelity(4, 5, None, 300.0)) == []
    assert len(gate.problems(before, fidelity(40, 5, None, 300.0))) == 1


def test_the_gate_reads_what_lidr_eval_wrote(tmp_path: Path) -> None:
    assert gate.problems_in(GOLDEN, "M0", "M1") == []
    found = orjson.loads(GOLDEN.read_bytes())
    marks = found["results"]["M1"]["prompts"]["de"]
    marks |= {"cut": {**marks["cut"], "hits": 15}, "response_level": {**marks["response_level"], "hits": 3}}
    file = tmp_path / "results.json"
    file.write_bytes(orjson.dumps(found))
    assert gate.problems_in(file, "M0", "M1") == [
        "de: 75% of its answers do not end, 0% before",
        "de: 85% of its answers are in another language, 0% before",
    ]
    for model in found["results"].values():
        del model["prompts"]
    file.write_bytes(orjson.dumps(found))
    assert gate.problems_in(file, "M0", "M1") == [], "no held-out prompts, no gate"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "not valid JSON"),
        (b'{"results": {"M0": {}}}', "M1 is missing"),
        (b'{"results": {"M0": {}, "M1": {"prompts": {"de": {}}}}}', "damaged at results.M1.prompts.de.degenerate"),
        (
            b'{"results": {"M0": {}, "M1": {"prompts": {"de": {"degenerate": {"hits": 0, "total": 1}, '
            b'"cut": {"hits": 0, "total": 1}, "characters": 1.0}}}}}',
            "de is missing",
        ),
    ],
)
def test_a_gate_that_cannot_read_its_input_lets_nothing_through(content: bytes, says: str, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        gate.problems_in(file, "M0", "M1")
    assert str(file) in caught.value.message
    assert says in caught.value.message
    assert "`lidr eval` writes it anew" in caught.value.hint
