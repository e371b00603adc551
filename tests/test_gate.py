"""The gate: when a new model must not make data."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson
import pytest

from lidr_plugin.errors import InputError
from lidr_plugin.evaluation import gate
from lidr_plugin.evaluation.changes import Change
from lidr_plugin.evaluation.intervals import Share

GOLDEN = Path(__file__).parent / "golden/evaluation/results.json"


def paired(before: int, after: int, total: int = 100, *, kept: int | None = None) -> Change:
    """`kept` answers have the mark in both models; as many as can if nothing is said."""
    both = min(before, after) if kept is None else kept
    return Change(Share(before, total), Share(after, total), gained=after - both, lost=before - both)


CALM = {"degenerate": paired(4, 5), "cut": paired(5, 9, kept=3), "response_level": paired(95, 93)}


@pytest.mark.parametrize(
    ("mark", "change", "words"),
    [
        (
            "degenerate",
            paired(4, 40),
            "de: 40% of its answers repeat themselves without end (prompts), 4% before: +36 points",
        ),
        ("cut", paired(5, 60), "do not end"),
        (
            "response_level",
            paired(95, 50),
            "50% of its answers are in the right language (prompts), 95% before: -45 points",
        ),
    ],
)
def test_it_stops_a_model_that_repeats_does_not_end_or_leaves_its_language(
    mark: str, change: Change, words: str
) -> None:
    assert gate.harms({"prompts": {"de": CALM}}) == []
    (found,) = gate.harms({"prompts": {"de": {**CALM, mark: change}}})
    assert words in found
    assert gate.harms({"prompts": {"de": {**CALM, mark: change.opposite}}}) == [], "it may become better"


def test_a_few_prompts_decide_nothing_and_a_small_change_stops_nothing_however_sure() -> None:
    assert gate.harms({"prompts": {"de": {"degenerate": paired(0, 4, 6)}}}) == []
    small = paired(100, 250, 10_000)
    assert small.p_rise < 1e-9
    assert gate.harms({"prompts": {"de": {"degenerate": small}}}) == []
    assert gate.harms({"prompts": {"de": {"degenerate": paired(100, 350, 10_000)}}})


def test_it_sees_a_skill_that_is_lost_in_the_dominant_language_too() -> None:
    right = {"en": {"accuracy": paired(97, 86)}, "de": {"accuracy": paired(55, 61, kept=50)}}
    (found,) = gate.harms({"mgsm": right, "prompts": {"de": CALM}})
    assert found.startswith("en: 86% of its answers are right (mgsm), 97% before: -11 points (-1")
    assert found.endswith("p 0.00049")


def test_a_mark_that_it_does_not_know_is_left_alone() -> None:
    assert gate.harms({"own": {"de": {"polite": paired(100, 0)}}}) == []


EXPERIMENT = {  # of 40 answers each: docs/results.md
    ("M0", "M1"): {
        "prompts": {
            "en": {"degenerate": (2, 2), "cut": (4, 2), "response_level": (39, 39)},
            "de": {"degenerate": (5, 6), "cut": (14, 11), "response_level": (38, 38)},
            "es": {"degenerate": (8, 5), "cut": (12, 8), "response_level": (40, 40)},
        },
        "mgsm": {
            "en": {"accuracy": (8, 7), "off_target": (0, 0)},
            "de": {"accuracy": (0, 1), "off_target": (1, 8)},
            "es": {"accuracy": (1, 1), "off_target": (0, 0)},
        },
    },
    ("M1", "M2"): {
        "prompts": {
            "en": {"degenerate": (2, 0), "cut": (2, 1), "response_level": (39, 40)},
            "de": {"degenerate": (6, 2), "cut": (11, 5), "response_level": (38, 37)},
            "es": {"degenerate": (5, 1), "cut": (8, 2), "response_level": (40, 39)},
        },
        "mgsm": {
            "en": {"accuracy": (7, 0), "off_target": (0, 0)},
            "de": {"accuracy": (1, 0), "off_target": (8, 6)},
            "es": {"accuracy": (1, 1), "off_target": (0, 0)},
        },
    },
}
"""What 0.1's experiment measured of its rounds. Its gate let both models through."""


@pytest.mark.parametrize(
    ("models", "says"),
    [
        (
            ("M0", "M1"),
            "de: 20% of its answers are in another language (mgsm), 2% before: +18 points (4 to 32), p 0.0078",
        ),
        (("M1", "M2"), "en: 0% of its answers are right (mgsm), 18% before: -18 points (-32 to -5), p 0.0078"),
    ],
)
def test_it_stops_the_harm_that_the_rounds_of_version_0_1_did(models: tuple[str, str], says: str) -> None:
    changes = {
        benchmark: {
            # Where many answers have the mark, some change both ways.
            code: {
                mark: paired(x, y, 40, kept=max(0, min(x, y) - min(x, y, 40 - x, 40 - y) // 5))
                for mark, (x, y) in marks.items()
            }
            for code, marks in languages.items()
        }
        for benchmark, languages in EXPERIMENT[models].items()
    }
    assert gate.harms(changes) == [says]


def drawn(chance: random.Random, likely: Mapping[str, Sequence[float]]) -> dict[str, list[bool]]:
    return {mark: [chance.random() < p for p in each] for mark, each in likely.items()}


def test_it_takes_a_model_for_another_in_less_than_5_percent_of_a_thousand_pairs_of_samples() -> None:
    chance, stopped = random.Random(0), 0
    marks = {"prompts": ("degenerate", "cut", "response_level"), "mgsm": ("accuracy", "off_target", "cut")}
    # Most questions are answered alike at every try, some hang in the balance: the hardest case for a test of pairs.
    likely = {
        (name, code): {mark: [chance.betavariate(0.4, 0.6) for _ in range(40)] for mark in marks[name]}
        for name in marks
        for code in ("en", "de", "es")
    }
    for _ in range(1000):
        changes: dict[str, dict[str, dict[str, Change]]] = {name: {} for name in marks}
        for (name, code), each in likely.items():
            old, new = drawn(chance, each), drawn(chance, each)
            changes[name][code] = {mark: Change.of(old[mark], new[mark]) for mark in each}
        stopped += bool(gate.harms(changes))
    assert 0 < stopped < 50


def test_it_reads_what_lidr_eval_wrote_with_and_without_the_pairs(tmp_path: Path) -> None:
    assert gate.problems_in(GOLDEN, "M0", "M1") == ([], [])
    found = orjson.loads(GOLDEN.read_bytes())
    marks = found["results"]["M1"]["prompts"]["de"]
    marks |= {"cut": {**marks["cut"], "hits": 15}, "response_level": {**marks["response_level"], "hits": 3}}
    marks["characters"] = 6.0
    file = tmp_path / "results.json"
    file.write_bytes(orjson.dumps(found))
    told = gate.problems_in(file, "M0", "M1").found
    assert [line.partition(" (")[0] for line in told] == [
        "de: 15% of its answers are in the right language",
        "de: 75% of its answers do not end",
        "de: its answers are 0.3 times as long as before",
    ]
    cut = {"before": {"hits": 0, "total": 20}, "after": {"hits": 15, "total": 20}, "gained": 15, "lost": 0}
    found["changes"] = {"M1": {"prompts": {"de": {"cut": cut}}}}
    file.write_bytes(orjson.dumps(found))
    assert gate.problems_in(file, "M0", "M1").found == [
        "de: 75% of its answers do not end (prompts), 0% before: +75 points (48 to 89), p 3.1e-05",
        "de: its answers are 0.3 times as long as before",
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "not valid JSON"),
        (b'{"models": {"M0": "x"}, "weights": {}, "results": {"M0": {}}}', "M1 is missing"),
        (
            b'{"models": {"M0": "x"}, "weights": {}, "results": {"M0": {}, "M1": {"prompts": {"de": {}}}}}',
            "prompts in de of M0 is missing",
        ),
        (
            b'{"models": {"M0": "x"}, "weights": {}, "results": {"M0": {"p": {"de": {"cut": "?"}}}, "M1": {}}}',
            "damaged at results.M0.p.de.cut",
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
