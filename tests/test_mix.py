"""SFT rows by templates: which rows, of which texts, and what is asked for them."""

import random
from hashlib import sha256
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

import lidr_plugin as lidr
from lidr_plugin.config.mix import Mix
from lidr_plugin.methods.draw import drawn
from lidr_plugin.methods.mix_templates import BESIDE, NEED_PROMPT, NEED_TRANSLATION, QUESTIONS, TEMPLATES
from lidr_plugin.prompts.prompt import Prompt, PromptText
from tests.conftest import prompts, rows_of, write_prompts
from tests.support.scripted import by_text, config_of, run

OFF = {"off_target": False, "mixed_script": False, "fidelity": False, "repetition": False}
COLOUR = Prompt(0, "p", {"en": PromptText("Name a colour."), "de": PromptText("Nenne eine Farbe.")})
REPLY = by_text({"Name a colour.": "Red."}, {("Red.", "de"): "Rot."})


def config(filters: dict[str, Any] | None = None, **values: Any) -> lidr.Config:
    return config_of(filters=OFF if filters is None else filters, **values)


def rows(outcome: lidr.Outcome) -> dict[str, tuple[str, str, str]]:
    """By template: language, prompt and output."""
    found = [row for row in outcome.rows if isinstance(row, lidr.Sft)]
    return {row.task: (row.language, row.prompt.joined, row.output.text) for row in found}


def reasons(outcome: lidr.Outcome) -> list[str]:
    return [str(drop.reason) for drop in outcome.drops]


def test_every_template_makes_the_row_that_it_is_said_to_make() -> None:
    names = dict.fromkeys(("answer", "cross_out", "cross_in", "plug", "answer_d"), 1.0)
    taken = run(config(method="mix", mix=names), COLOUR, REPLY)
    found = rows(taken.outcome)
    assert found["answer_d"] == ("en", "Name a colour.", "Red.")
    assert found["answer"] == ("de", "Nenne eine Farbe.", "Rot.")
    assert found["cross_out"] == ("de", "Name a colour.\n\nAnswer in German.", "Rot.")
    assert found["cross_in"] == ("en", "Nenne eine Farbe.\n\nAnswer in English.", "Red.")
    language, prompt, output = found["plug"]
    assert (language, prompt) == ("de", "Nenne eine Farbe.")
    parts = output.split("\n\n")
    assert [part.split("\n", 1)[1] for part in parts] == ["Name a colour.", "Red.", "Rot."]
    assert [part.split("\n", 1)[0] for part in parts] == [
        "[Prompt in English]",
        "[Answer in English]",
        "[Answer in German]",
    ]
    assert len(taken.asked) == 2, "one answer and one translation serve all five"


def test_questions_are_translated_without_asking_anything() -> None:
    dog = {"en": PromptText("How many legs has a dog?"), "de": PromptText("Wie viele Beine hat ein Hund?")}
    taken = run(config(method="mix", mix={"question": 1, "question_out": 1}), Prompt(0, "p", dog), REPLY)
    assert not taken.asked
    language, prompt, output = rows(taken.outcome)["question"]
    assert (language, output) == ("en", "<translated>How many legs has a dog?</translated>")
    assert "<sentence>\nWie viele Beine hat ein Hund?\n</sentence>" in prompt
    assert "into English" in prompt
    language, prompt, output = rows(taken.outcome)["question_out"]
    assert (language, output) == ("de", "<translated>Wie viele Beine hat ein Hund?</translated>")
    assert "into German" in prompt


def test_a_translation_row_is_the_request_that_lidr_sends() -> None:
    taken = run(config(method="mix", mix={"translation": 1}), COLOUR, REPLY)
    assert rows(taken.outcome)["translation"] == (
        "de",
        taken.asked[-1].messages[-1].content,
        "<translated>Rot.</translated>",
    )


def test_exactly_the_prompts_below_the_share_get_a_row() -> None:
    wanted = config(method="mix", mix={"question": 0.1, "question_out": 0.1})
    got: dict[str, set[str]] = {"question": set(), "question_out": set()}
    for number in range(300):
        prompt = Prompt(number, f"p{number}", COLOUR.texts)
        for row in run(wanted, prompt, REPLY).outcome.rows:
            assert isinstance(row, lidr.Sft)
            got[row.task].add(prompt.id)
    for name, ids in got.items():
        assert ids == {f"p{number}" for number in range(300) if drawn(42, f"p{number}", "de", name) < 0.1}
    assert 15 <= len(got["question"]) <= 45
    assert got["question"] != got["question_out"], "templates are drawn for each for itself"
    digest = sha256(b"42|p|de|question").digest()
    assert drawn(42, "p", "de", "question") == int.from_bytes(digest[:8], "big") / 2**64


def test_a_right_answer_of_the_data_takes_the_place_of_the_models_own() -> None:
    sums = {"en": PromptText("2 + 2?"), "de": PromptText("Was ist 2 + 2?")}
    prompt = Prompt(0, "p", sums, response="It is 4.")

    def made(translation: str, **values: Any) -> lidr.Outcome:
        reply = by_text({}, {("It is 4.", "de"): translation})
        return run(config(method="stt", task="math", prompt_template="{prompt}", **values), prompt, reply).outcome

    right = made("Es ist 4.")
    assert rows(right) == {
        "answer_d": ("en", "2 + 2?", "It is 4."),
        "answer": ("de", "Was ist 2 + 2?", "Es ist 4."),
    }
    assert [row.target_source for row in right.rows] == ["gold:en", "translation:en->de"]
    wrong = made("Es ist 5.", filters={**OFF, "fidelity": True})
    assert reasons(wrong) == ["answer"]
    assert list(rows(wrong)) == ["answer_d"]
    assert reasons(made("Es ist, wenn man es recht bedenkt und nichts vergisst, wohl 4.")) == ["length_ratio"]


def test_a_prompt_without_a_right_answer_is_answered_by_the_model() -> None:
    taken = run(config(method="stt"), COLOUR, REPLY)
    assert [row.target_source for row in taken.outcome.rows] == ["response:en", "translation:en->de"]


@pytest.mark.parametrize(
    ("german", "reason"),
    [
        ("Name a colour that you like, and say why it is so.", "off_target"),
        ("Tell me why it is that you like blue more than red.", "identical"),
    ],
)
def test_a_question_that_is_no_translation_makes_no_row(german: str, reason: str) -> None:
    english = "Tell me why it is that you like blue more than red."
    # What is off-target is said first; without that filter, equal texts still make no row.
    filters = OFF if reason == "identical" else {**OFF, "off_target": True}
    prompt = Prompt(0, "p", {"en": PromptText(english), "de": PromptText(german)})
    for name in ("question", "question_out"):
        taken = run(config(filters, method="mix", mix={name: 1}), prompt, REPLY)
        assert reasons(taken.outcome) == [reason], name


def test_prompts_that_ask_for_a_translation_make_none_but_the_answer_in_the_dominant_language() -> None:
    asks = {"en": PromptText("Translate into French: the cat."), "de": PromptText("Übersetze: die Katze.")}
    shares = dict.fromkeys(TEMPLATES, 1.0)
    taken = run(config(method="mix", mix=shares), Prompt(0, "p", asks), by_text({asks["en"].joined: "Le chat."}, {}))
    assert list(rows(taken.outcome)) == ["answer_d"]
    assert reasons(taken.outcome) == ["translation_prompt"] * 7
    assert len(taken.asked) == 1
    kept = run(
        config(method="mix", mix=shares, translation_prompts="untranslated"),
        Prompt(0, "p", asks),
        by_text({asks["en"].joined: "Le chat."}, {}),
    )
    assert {name: row[2] for name, row in rows(kept.outcome).items()} == {"answer_d": "Le chat.", "answer": "Le chat."}


def test_the_order_to_answer_stands_behind_the_input_and_math_names_the_answers_language() -> None:
    prompt = Prompt(0, "p", {"en": PromptText("Add.", "2 3"), "de": PromptText("Addiere.", "2 3")})
    reply = by_text({"Add.\n2 3": "5"}, {("5", "de"): "5"})
    taken = run(config(method="mix", mix={"cross_out": 1}), prompt, reply)
    assert taken.outcome.rows[0].prompt == PromptText("Add.", "2 3\n\nAnswer in German.")
    template = "{prompt} In {language}!"
    reply = by_text({"Add.\n2 3 In English!": "5"}, {("5", "de"): "5"})
    taken = run(config(method="mix", mix={"cross_out": 1, "cross_in": 1}, prompt_template=template), prompt, reply)
    assert [row.prompt.joined for row in taken.outcome.rows] == [
        "Add.\n2 3 In German!\n\nAnswer in German.",
        "Addiere.\n2 3 In English!\n\nAnswer in English.",
    ]


def test_what_a_row_shows_beside_the_text_to_learn_must_be_sound_as_well() -> None:
    english = "Der Hund und die Katze sind heute in den Garten gegangen."
    reply = by_text({"Name a colour.": english}, {(english, "de"): english})
    for name in ("plug", "translation"):
        taken = run(config({**OFF, "off_target": True}, method="mix", mix={name: 1}), COLOUR, reply)
        assert len(taken.outcome.drops) == 1, name
    assert not run(config(method="mix", mix={"plug": 1}), COLOUR, reply).outcome.drops


def test_a_failed_request_is_the_reason_of_every_row_that_needed_it() -> None:
    shares = dict.fromkeys(("answer_d", "answer", "question"), 1.0)
    taken = run(config(method="mix", mix=shares), COLOUR, by_text({"Name a colour.": "(fails)"}))
    assert reasons(taken.outcome) == ["request_failed", "request_failed"]
    assert list(rows(taken.outcome)) == ["question"]


def test_the_tables_of_templates_agree() -> None:
    assert list(TEMPLATES) == [name for name in Mix.model_fields if name != "stage"]
    assert QUESTIONS | NEED_PROMPT | NEED_TRANSLATION | BESIDE.keys() <= TEMPLATES.keys()


def test_questions_that_the_model_translated_itself_are_refused(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(3, ["en"]))
    values: dict[str, Any] = {
        "model_name_or_path": "m",
        "template": "qwen",
        "languages": ["de"],
        "prompts": str(tmp_path / "prompts/{language}.jsonl"),
        "translate_prompts": True,
        "output_dir": str(tmp_path / "run"),
        "engine": {"base_url": "http://127.0.0.1:9/v1"},
    }
    for method in ("qalign", "question_only", "crossin"):
        with pytest.raises(lidr.InputError, match="the model's own translations"):
            lidr.build_pairs(lidr.configure(**values, method=method))
    assert not (tmp_path / "run").exists()
    another = {"engine": {"base_url": "http://127.0.0.1:9/v1", "model": "another"}}
    assert lidr.dry_run(lidr.configure(**values, method="qalign", translation=another)).requests == 0


def test_a_mix_of_several_templates_says_in_each_row_which_it_is(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(4, ["en", "de"]))
    built = lidr.build_pairs(
        lidr.configure(
            model_name_or_path="m",
            template="qwen",
            languages=["de"],
            prompts=str(tmp_path / "prompts/{language}.jsonl"),
            output_dir=str(tmp_path / "run"),
            engine={"base_url": "http://127.0.0.1:9/v1"},
            filters={"off_target": False},
            method="mix",
            mix={"question": 1, "question_out": 1},
        )
    )
    found = rows_of(built.run.dataset("lidr"))
    assert [row["task"] for row in found] == ["question", "question_out"] * 4
    assert [row["language"] for row in found] == ["en", "de"] * 4
    assert {row["output_source"] for row in found} == {"prompt:en", "prompt:de"}
    assert built.report["completions"]["generated"] == 0


@pytest.mark.parametrize(
    "values",
    [
        {"method": "mix", "mix": dict.fromkeys(TEMPLATES, 1.0)},
        {"method": "clo", "language_pairs": 1.0},
        {"dominant_pairs": "all", "translation": {"refine": True}},
    ],
    ids=["every template", "pairs of languages", "refined"],
)
def test_the_order_of_the_answers_does_not_matter(values: dict[str, Any]) -> None:
    prompt = Prompt(0, "p", {code: PromptText(f"[{code}] Name a colour.") for code in ("en", "de", "es", "fr")})
    made = config(languages=["de", "es", "fr"], **values)

    def reply(request: lidr.Chat) -> lidr.Completion:
        said = "|".join(turn.content for turn in request.messages)
        return lidr.Completion(f"word{crc32(said.encode()) % 997}\n</translated>", "stop", 1, 1, True)

    first = run(made, prompt, reply).outcome
    assert first.rows
    for seed in range(20):
        assert run(made, prompt, reply, order=random.Random(seed)).outcome == first
