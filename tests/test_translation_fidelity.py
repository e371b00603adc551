"""What a translation must keep of its source: labelled pairs, real parallel texts, and what the filter concerns."""

from pathlib import Path

import pytest

from benchmarks.fidelity import labelled, real
from lidr_plugin.config.schema import Config
from lidr_plugin.methods import filters
from lidr_plugin.methods.base import Preference, Reason, Sft, Text
from lidr_plugin.methods.translation_fidelity import loss
from lidr_plugin.methods.translation_quantities import are_lost, numbers_of
from lidr_plugin.prompts.prompt import PromptText


def test_labelled_translations_are_told_apart() -> None:
    rows = list(labelled())
    good, bad = [row for row in rows if row.faithful], [row for row in rows if not row.faithful]
    assert len(rows) > 200
    assert sum(row.lost is not None for row in good) <= 0.01 * len(good)
    assert sum(row.lost is not None for row in bad) >= 0.97 * len(bad)


def test_real_parallel_texts_cause_few_alarms_and_strangers_with_numbers_cause_many(shared: Path) -> None:
    groups = {name: rows for name, rows in real(shared / "data") if name.startswith(("x-alpacaeval", "mgsm", "llama3"))}
    lost = {name: sum(row.lost is not None for row in rows) for name, rows in groups.items()}
    assert sum(lost.values()) <= 0.01 * sum(map(len, groups.values()))
    assert all(count <= 0.03 * len(groups[name]) for name, count in lost.items()), lost
    strangers = [
        row._replace(translation=other.translation)
        for row, other in zip(groups["mgsm en-de"], groups["mgsm en-de"][1:], strict=False)
    ]
    assert sum(row.lost == "numbers" for row in strangers) > 0.7 * len(strangers)


@pytest.mark.parametrize(
    ("text", "language", "values"),
    [
        ("1,280 metres", "en", {1280.0}),
        ("1.280 Meter", "de", {1280.0, 1.28}),
        ("1 280 m\u00e8tres", "fr", {1280.0}),
        ("27.5 million", "en", {27.5e6}),
        ("2750万", "zh", {27.5e6}),
        ("2.75 करोड़", "hi", {27.5e6}),
        ("٢٬٠٠٠", "ar", {2000.0}),
        ("2,00,000", "hi", {200000.0}),
        (" .75 bags", "en", {0.75}),
        ("20世纪90年代", "zh", {1990.0}),
    ],
)
def test_a_number_is_worth_the_same_however_it_is_written(text: str, language: str, values: set[float]) -> None:
    assert numbers_of(text, language) == [frozenset(values)]


def test_a_number_in_words_by_another_clock_or_in_roman_digits_is_not_lost() -> None:
    assert not are_lost("2 cats and 12 dogs", "zwei Katzen und zwölf Hunde")
    assert not are_lost("at 5:30 pm", "um 17:30 Uhr")
    assert not are_lost("the 21st century", "le XXIe siècle")
    assert not are_lost("the 1990s", "los años 90")
    assert are_lost("2 cats and 137 dogs", "zwei Katzen und viele Hunde")
    assert are_lost("100 people", "250 Leute")


def pair(source: str, chosen: str, made: str, *, echo: bool = False) -> Preference:
    texts = Text(chosen, echo=echo), Text("x")
    return Preference("1", "de", PromptText("p"), *texts, made, "response:de", Text(source))


def test_the_filter_looks_at_translations_that_are_to_be_learned() -> None:
    source, lost = "Call 555-0199 at 14:30.", "Rufen Sie uns an."
    assert filters.fidelity(pair(source, lost, "translation:en->de")) is Reason.UNFAITHFUL
    assert filters.fidelity(pair(source, lost, "response:de")) is None
    kept = pair(source, "Rufen Sie um 14:30 Uhr 555-0199 an.", "translation:en->de")
    assert filters.fidelity(kept) is None
    assert filters.fidelity(kept._replace(chosen=Text(kept.chosen.text, echo=True))) is Reason.UNFAITHFUL
    # A bad rejected translation does no harm.
    assert filters.fidelity(kept._replace(rejected=Text("nothing of it", echo=True))) is None
    row = Sft("1", "de", PromptText("p"), Text(lost), "translation:en->de", Text(source))
    assert filters.fidelity(row) is Reason.UNFAITHFUL
    assert filters.fidelity(row._replace(output_source="response:en")) is None


def test_the_reason_comes_after_those_of_the_older_filters() -> None:
    values = {"model_name_or_path": "m", "languages": ["de"], "prompts": "{language}.jsonl"}
    found = filters.filters_of(Config.model_validate(values))
    assert filters.weigh(pair("Call 555-0199.", "x", "translation:en->de"), found) == Reason.IDENTICAL
    assert filters.TextFilter(filters.fidelity) in found


def test_languages_of_which_no_length_was_measured_have_wide_bounds() -> None:
    source = "The library opens at nine, and on Saturdays there is a reading hour for the children of the town. " * 3
    assert loss(source, "x" * int(0.4 * len(source)), "en", "am") is None
    assert loss(source, "x" * int(0.1 * len(source)), "en", "am") == "length"
