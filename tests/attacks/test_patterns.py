"""Patterns that backtrack

Promised: no regular expression of lidr takes longer than a few seconds over a text of a quarter of a million characters,
whatever the text: runs of one character, alternations, almost-matches of the pattern itself. Every one is found in the source
and timed, so Ctrl-C never waits for one.

Not promised: that a text of many megabytes is read at once; the time grows with its length.
"""

import pytest

from tests.support.patterns import Use, modules, slowest, uses

SIZES = (1_000, 4_000, 32_000, 262_144)
LIMIT = 2.0
ALL = [use for path, name in modules("lidr_plugin", "cli=lidr_cli") for use in uses(path, name)]


def test_the_patterns_are_found() -> None:
    assert len(ALL) > 30


@pytest.mark.parametrize("use", ALL, ids=lambda use: use.where)
def test_no_pattern_backtracks(use: Use) -> None:
    taken, text = slowest(use, SIZES, LIMIT)
    assert taken < LIMIT, f"{use.where}: {taken:.1f} s for {text}"
