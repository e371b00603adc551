"""Each filter on text that is good and text that is bad."""

import pytest

from lidr_plugin.config.schema import Config
from lidr_plugin.methods import filters
from lidr_plugin.methods.base import Preference, Reason, Row, Sft, Text
from lidr_plugin.methods.imbalance import turns
from lidr_plugin.prompts.prompt import PromptText
from lidr_plugin.text.numbers import final_numbers, is_correct


def candidate(chosen: str, rejected: str = "x", language: str = "de", **changes: object) -> Preference:
    values: dict[str, object] = {
        "id": "1",
        "language": language,
        "prompt": PromptText("p"),
        "chosen": Text(chosen),
        "rejected": Text(rejected),
        "chosen_source": "translation:en->de",
        "rejected_source": "response:de",
        "source": Text(chosen),
        **changes,
    }
    return Preference(**values)  # type: ignore[arg-type]


def test_identical_length_ratio_and_cut_texts() -> None:
    assert filters.identical(candidate("a", "a")) is Reason.IDENTICAL
    assert filters.identical(candidate("a", "b")) is None
    check = filters.length_ratio(0.2, 5.0)
    assert check(candidate("abcde", "a")) is None
    assert check(candidate("abcdef", "a")) is Reason.LENGTH_RATIO
    assert check(candidate("a", "abcde")) is None
    assert check(candidate("a", "abcdef")) is Reason.LENGTH_RATIO
    assert filters.truncated(candidate("a", source=Text("s", cut=True))) is Reason.TRUNCATED
    assert filters.truncated(candidate("a")._replace(chosen=Text("s", cut=True))) is Reason.TRUNCATED
    assert filters.truncated(candidate("a", rejected=Text("s", cut=True))) is None


def test_every_filter_can_be_switched_off() -> None:
    values = {"model_name_or_path": "m", "languages": ["de"], "prompts": "{language}.jsonl"}
    off = dict.fromkeys(
        ("truncated", "identical", "off_target", "mixed_script", "repetition", "length_ratio", "fidelity"), False
    )
    with_all = filters.filters_of(Config.model_validate(values))
    with_none = filters.filters_of(Config.model_validate({**values, "filters": off}))
    assert len(with_all) - len(with_none) == len(off)


@pytest.mark.parametrize(
    ("text", "answer", "right"),
    [
        ("So she earns $1,000.", "1000.0", True),
        ("La respuesta es 1.000.", "1,000", True),
        ("Es sind 1 000 Euro.", "1000", True),
        ("Antwort: 2,5", "2.5", True),
        ("答えは１８個です。", "18", True),
        ("الجواب هو ١٨", "18", True),
        ("উত্তর ১৮", "18", True),
        ("The answer is 18, not 17.", "18", True),
        ("The answer is 18, not 17.", "17", False),
        ("It is \\boxed{-3}", "-3", True),
        ("It is −3", "-3", True),
        ("no number", "3", False),
        ("#### 1,234,567", "1234567", True),
        ("5.00", "5", True),
        ("15", "1.5", False),
    ],
)
def test_numbers_compare_as_numbers(text: str, answer: str, right: bool) -> None:
    assert is_correct(text, answer) is right


def test_the_last_number_counts() -> None:
    assert {int(x) for x in final_numbers("first 3, then 4.")} == {4}


def test_contrast_wants_a_right_chosen_and_a_wrong_rejected() -> None:
    assert filters.contrast(candidate("it is 5", "it is 4", final_answer="5")) is None
    assert filters.contrast(candidate("it is 5", "so 5.0", final_answer="5")) is Reason.ANSWER
    assert filters.answer(candidate("it is 5", "so 5.0", final_answer="5")) is None
    assert filters.answer(candidate("it is 6", "so 5.0", final_answer="5")) is Reason.ANSWER


def test_filters_are_of_a_text_or_of_a_pair_and_one_of_ones_own_is_of_a_pair() -> None:
    values = {"model_name_or_path": "m", "languages": ["de"], "prompts": "{language}.jsonl", "task": "math"}
    config = Config.model_validate({**values, "answer_filter": "contrast"})

    def mine(row: Row) -> str | None:
        return "mine"

    kinds = filters.Kinds.of([*filters.filters_of(config), mine])
    assert kinds.of_pairs[0] is filters.identical
    assert kinds.of_pairs[2:] == [filters.contrast, mine]
    text = Sft("1", "de", PromptText("p"), Text("Das ist 6."), "response:de#0", Text(""), final_answer="5")
    assert filters.weigh(text, kinds.of_texts) == "answer"
    assert filters.weigh(text._replace(output=Text("This is my answer in English, it is 5.")), kinds.of_texts) == (
        "off_target"
    )


def test_the_languages_take_turns_by_position() -> None:
    codes = ["de", "es", "fr"]
    assert [next(iter(turns(i, codes, "one"))) for i in range(4)] == ["de", "es", "fr", "de"]
    assert list(turns(1, codes, "one")) == ["es", "fr", "de"]
    assert list(turns(1, codes, "all")) == codes
    assert list(turns(1, codes, "last")) == ["fr"]
    assert list(turns(1, codes, "none")) == []
