"""The verdict on each language, as a table and what would help."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from lidr_plugin.evaluation.intervals import percent

from .terminal import cell

if TYPE_CHECKING:
    from rich.table import Table

    from lidr_plugin.evaluation.results import LanguageSignal


def signal_table(verdicts: "Mapping[str, LanguageSignal]") -> "Table":
    """A row for each language."""
    from rich.table import Table

    table = Table(
        title="is a round worth it? percent, with 95 % intervals", title_justify="left", box=None, pad_edge=False
    )
    for head in (
        "",
        "verdict",
        "benefit\nof a pair",
        "answers\nlacking",
        "translations\nlossy",
        "there and\nback, chrF",
        "pairs of\ncandidates",
    ):
        table.add_column(cell(head), justify="right" if head else "left")
    for code, x in verdicts.items():
        benefit = f"{100 * x.benefit.value:+.0f} ± {100 * x.benefit.half:.0f}" if x.benefit else ""
        trip = "" if x.round_trip is None else f"{100 * x.round_trip:.0f}"
        shares = percent(x.lacking), percent(x.lossy), trip, percent(x.kept)
        table.add_row(cell(code), cell(x.verdict), benefit, *shares)
    return table


def signal_lines(verdicts: "Mapping[str, LanguageSignal]") -> Iterator[str]:
    """Why a round is not worth it or cannot be told to be, and what would help; languages of which the same is true in one."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for code, x in verdicts.items():
        if x.verdict != "yes":
            groups.setdefault((x.verdict, x.why, *x.advice), []).append(code)
    for (verdict, why, *advice), codes in groups.items():
        yield f"{', '.join(codes)}: {verdict}: {why}"
        if advice:
            yield f"  what would help: {'; '.join(advice)}"
