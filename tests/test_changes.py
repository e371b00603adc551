"""What became of a share: intervals and tests, with scipy and published figures as the judges."""

import random

import pytest
from scipy.stats import binomtest, fisher_exact

from lidr_plugin.evaluation.changes import Change, risen
from lidr_plugin.evaluation.intervals import Share


def test_the_interval_is_newcombes() -> None:
    # 56 of 70 against 48 of 80: the worked example of Newcombe 1998, table II, method 10.
    assert Change(Share(48, 80), Share(56, 70)).interval == pytest.approx((0.0524, 0.3339), abs=5e-5)
    same = Change(Share(5, 20), Share(5, 20), gained=0, lost=0)
    assert same.interval[0] < 0 < same.interval[1]


@pytest.mark.parametrize(("before", "after"), [(0, 0), (0, 20), (20, 0), (20, 20), (1, 19)])
def test_at_the_edges_it_is_still_an_interval(before: int, after: int) -> None:
    both = min(before, after)
    change = Change(Share(before, 20), Share(after, 20), gained=after - both, lost=before - both)
    low, high = change.interval
    assert -1 <= low <= change.rise <= high <= 1
    assert 0 <= change.least_p <= change.p_rise <= 1


def test_it_holds_the_true_change_in_about_95_of_100_samples() -> None:
    chance, held = random.Random(1), 0
    for _ in range(2000):
        # An answer is in the balance in both models (correlated), and a tenth changes for the better.
        easy = [chance.random() < 0.5 for _ in range(60)]
        old = [x and chance.random() < 0.8 for x in easy]
        new = [(x and chance.random() < 0.8) or chance.random() < 0.1 for x in easy]
        low, high = Change.of(old, new).interval
        held += low <= 0.06 <= high
    assert 0.93 < held / 2000 < 0.985


def test_its_tests_are_those_of_scipy() -> None:
    chance = random.Random(2)
    for _ in range(200):
        n = chance.randint(1, 60)
        old, new = ([chance.random() < 0.4 for _ in range(n)] for _ in range(2))
        change = Change.of(old, new)
        assert change.gained is not None
        assert change.lost is not None
        tosses = change.gained + change.lost
        wanted = binomtest(change.gained, tosses, alternative="greater").pvalue if tosses else 1.0
        assert change.p_rise == pytest.approx(wanted)
        apart = Change(change.before, change.after)
        table = [[share.hits, share.total - share.hits] for share in (apart.after, apart.before)]
        assert apart.p_rise == pytest.approx(fisher_exact(table, alternative="greater").pvalue)
        assert change.opposite.opposite == change
        assert change.opposite.rise == pytest.approx(-change.rise)


def test_of_many_changes_those_count_that_chance_does_not_explain_together() -> None:
    strong = Change(Share(0, 40), Share(12, 40), gained=12, lost=0)
    weak = Change(Share(5, 40), Share(11, 40), gained=7, lost=1)
    assert weak.p_rise < 0.05
    assert risen({"weak": weak}) == {"weak"}
    many = {str(n): weak for n in range(5)}
    assert risen(many) == set()
    assert risen({**many, "strong": strong}) == {"strong"}
    silent = {str(n): Change(Share(2, 40), Share(2, 40), gained=1, lost=1) for n in range(50)}
    assert risen({"weak": weak, **silent}) == {"weak"}, "tests that can decide nothing take nothing from it"
    assert risen({}) == set()
