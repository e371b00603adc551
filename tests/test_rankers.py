"""Rankers that ask for scores: the worked examples of the papers, and what their published code does wrong."""

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import lidr_plugin as lidr
from lidr_plugin.completions.requests import Score
from lidr_plugin.completions.translation_codes import scorer_codes
from lidr_plugin.methods.base import Preference
from tests.support.samples import Samples, config_of, method_of, outcomes

OTHER = {"model": "other", "base_url": "http://127.0.0.1:9/v1"}
"""A scorer, in whose place the tests put one of their own."""


def of(outcome: lidr.Outcome, language: str) -> list[tuple[int, int]]:
    """Chosen and rejected of a language's pairs, by their numbers."""
    found = []
    for row in outcome.rows:
        assert isinstance(row, Preference)
        if row.language == language:
            found.append((int(row.chosen_source.split("#")[1]), int(row.rejected_source.split("#")[1])))
    return found


def scorer(values: Callable[[Score], Sequence[float] | None]) -> Samples:
    return Samples({}, values=values)


def texts(prefix: str, count: int) -> list[str]:
    return [f"{prefix} {n}" for n in range(count)]


# --- reward ---


def rewarded(folder: Path, scores: Sequence[float], select: str, **changes: Any) -> lidr.Outcome:
    rank = {"by": "reward", "samples": len(scores), "select": select, "scorer": OTHER, "dominant": False}
    config = config_of(folder, ["de"], rank, **changes)
    answers = texts("Antwort", len(scores))
    engine = Samples({"de": answers})
    (outcome,) = outcomes(config, engine, scorer=scorer(lambda x: [scores[answers.index(x.text)]]))
    return outcome


def test_the_rejected_one_of_a_spread_is_two_deviations_below_and_no_outlier(tmp_path: Path) -> None:
    assert of(rewarded(tmp_path, [4, 3, 3, 2, 1, -3], "spread"), "de") == [(0, 5)]
    many = [2.0] * 14 + [-2, -6]
    assert of(rewarded(tmp_path, many, "spread"), "de") == [(0, 14)]
    assert of(rewarded(tmp_path, many, "extremes"), "de") == [(0, 15)]
    assert of(rewarded(tmp_path, [2, 1, 0.5, -1], "spread"), "de") == [(0, 3)]


def test_a_spread_of_five_answers_is_said_to_be_extremes(tmp_path: Path) -> None:
    for count, said in ((5, True), (6, False)):
        rank = {"by": "reward", "samples": count, "select": "spread", "scorer": OTHER, "dominant": False}
        config = config_of(tmp_path, ["de"], rank)
        answers = texts("Antwort", count)
        other = scorer(lambda x, answers=answers: [float(answers.index(x.text))])
        found = lidr.build_pairs(config, method=method_of(config, other), engine=Samples({"de": answers}))
        assert any("spread is extremes here" in note for note in found.report["notes"]) == said


def test_an_english_answer_is_not_chosen_however_much_the_reward_model_likes_it(tmp_path: Path) -> None:
    answers = [
        "The river carries every small boat slowly towards the old harbour where people wait.",
        "Der Fluss trägt jedes kleine Boot langsam zum alten Hafen, wo die Menschen warten.",
        "Die Menschen warten am alten Hafen auf das kleine Boot und trinken dabei ihren Tee.",
    ]
    rank = {"by": "reward", "samples": 3, "scorer": OTHER, "dominant": False}
    config = config_of(tmp_path, ["de"], rank, filters={})
    (outcome,) = outcomes(config, Samples({"de": answers}), scorer=scorer(lambda x: [4.0 - answers.index(x.text)]))
    assert of(outcome, "de") == [(1, 2)]


def test_an_answer_without_a_score_is_neither_chosen_nor_rejected(tmp_path: Path) -> None:
    scores = {"Antwort 0": [1.0], "Antwort 1": [3.0], "Antwort 2": None, "Antwort 3": [2.0]}
    rank = {"by": "reward", "samples": 4, "scorer": OTHER, "dominant": False}
    config = config_of(tmp_path, ["de"], rank)
    (outcome,) = outcomes(config, Samples({"de": texts("Antwort", 4)}), scorer=scorer(lambda x: scores[x.text]))
    assert of(outcome, "de") == [(1, 0)]
    (outcome,) = outcomes(config, Samples({"de": texts("Antwort", 4)}), scorer=scorer(lambda x: None))
    assert [drop.reason for drop in outcome.drops] == ["request_failed"]


def test_a_reward_is_asked_under_the_prompt_as_it_was_sent_and_once_for_equal_texts(tmp_path: Path) -> None:
    rank = {"by": "reward", "samples": 3, "scorer": OTHER, "dominant": False}
    config = config_of(tmp_path, ["de"], rank, generation={"system": "Be kind."})
    engine, other = Samples({"de": ["a", "a ", "b"]}), scorer(lambda x: [1.0 if x.text == "a" else 0.0])
    built = lidr.build_pairs(config, method=method_of(config, other), engine=engine)
    assert sorted(x.text for x in other.scored) == ["a", "b"]
    assert {tuple(x.role for x in request.messages) for request in other.scored} == {("system", "user")}
    assert {request.messages[1].content for request in other.scored} == {"[de] How many apples?"}
    assert built.report["scores"]["generated"] == 2
    assert built.report["pairs"]["de"] == 1


def test_where_no_pair_can_come_no_score_is_asked(tmp_path: Path) -> None:
    rank = {"by": "reward", "samples": 2, "scorer": OTHER, "dominant": False}
    other = scorer(lambda x: [1.0])
    config = config_of(tmp_path, ["de"], rank)
    lidr.build_pairs(config, method=method_of(config, other), engine=Samples({"de": ["a", "a"]}))
    assert not other.scored


def test_all_languages_compete_for_one_pair_and_one_that_takes_most_is_told(tmp_path: Path) -> None:
    rank = {"by": "reward", "samples": 2, "scorer": OTHER, "pool": "all"}
    config = config_of(tmp_path, ["de"], rank)
    scores = {"a": 1.0, "b": 0.0, "c": 3.0, "d": 2.0}
    other = scorer(lambda x: [scores[x.text]])
    built = lidr.build_pairs(
        config, method=method_of(config, other), engine=Samples({"en": ["a", "b"], "de": ["d", "c"]})
    )
    assert built.report["pairs"] == {"en": 0, "de": 1}
    assert built.report["ranking"]["languages"]["chosen"] == {"en": 0, "de": 1}
    assert any("1 of 1 chosen texts are in de" in note for note in built.report["notes"])


# --- implicit ---

LENGTHS = {"A": [(10.0, 400), (9.0, 100), (2.0, 90), (1.0, 300)], "B": [(6.0, 350), (5.9, 120), (1.0, 110), (0.5, 60)]}


def padded(name: str, number: int, characters: int) -> str:
    return f"{name}{number} ".ljust(characters, "x")


class Pair(Samples):
    """Two prompts with the answers of section 3.7 (f)."""

    def answer(self, request: lidr.Chat) -> lidr.Completion:
        name = "AB"["second" in request.messages[-1].content]
        _, characters = LENGTHS[name][request.sample]
        return lidr.Completion(padded(name, request.sample, characters), "stop", 1, 1)


def implicit(request: Score) -> list[float]:
    """What the policy gives: the reward, for the reference gives -20."""
    reward, _ = LENGTHS[request.text[0]][int(request.text[1])]
    return [reward - 20.0, 7.0]


def two_prompts(folder: Path, **rank: Any) -> lidr.Config:
    rows = [{code: f"[{code}] the {n} prompt" for code in ("en", "de")} for n in ("first", "second")]
    wanted = {"by": "implicit", "samples": 4, "scorer": OTHER, "dominant": False, **rank}
    return config_of(folder, ["de"], wanted, rows=rows)


def test_the_price_of_a_character_is_found_by_all_prompts_of_a_language(tmp_path: Path) -> None:
    config, reference = two_prompts(tmp_path, length_control="auto"), scorer(lambda x: [-20.0, 7.0])
    engine = Pair({}, values=implicit)
    built = lidr.build_pairs(config, method=method_of(config, reference), engine=engine)
    assert built.report["ranking"]["length_control"] == {"de": 0.004}
    rows = [json.loads(line) for line in built.run.dataset("lidr").read_bytes().splitlines()]
    assert [(row["chosen_source"], row["rejected_source"]) for row in rows] == [("response:de#1", "response:de#3")] * 2
    assert rows[0]["chosen_score"] == "8.6", "9 less 0.004 a character"
    assert len(engine.asked) == 8, "the second pass finds everything in the store"
    assert (len(engine.scored), len(reference.scored)) == (8, 8)
    assert built.report["completions"] == {"generated": 8, "reused": 0, "failed": 0}


def test_without_control_the_longest_win(tmp_path: Path) -> None:
    found = outcomes(two_prompts(tmp_path), Pair({}, values=implicit), scorer=scorer(lambda x: [-20.0, 7.0]))
    assert [of(outcome, "de") for outcome in found] == [[(0, 3)], [(0, 3)]]
    found = outcomes(
        two_prompts(tmp_path, length_control=0.01),
        Pair({}, values=implicit),
        scorer=scorer(lambda x: [-20.0, 7.0]),
    )
    assert [of(outcome, "de") for outcome in found] == [[(1, 3)], [(1, 2)]], "of the equally bad ones the first"


def test_an_answer_stands_under_the_dominant_prompt_with_its_language_named(tmp_path: Path) -> None:
    config, engine = two_prompts(tmp_path), Pair({}, values=implicit)
    reference = scorer(lambda x: [-20.0, 7.0])
    lidr.build_pairs(config, method=method_of(config, reference), engine=engine)
    assert {request.messages for request in engine.scored} == {request.messages for request in reference.scored}
    asked = engine.scored[0].messages[-1].content
    assert "German" in asked
    assert asked.endswith(("[en] the first prompt", "[en] the second prompt"))
    own = two_prompts(tmp_path, scoring_prompt="own")
    again = Pair({}, values=implicit)
    lidr.build_pairs(own, method=method_of(own, reference), engine=again)
    assert {request.messages[-1].content for request in again.scored} == {
        "[de] the first prompt",
        "[de] the second prompt",
    }


def test_log_probabilities_of_other_tokens_are_not_subtracted(tmp_path: Path) -> None:
    config, reference = two_prompts(tmp_path), scorer(lambda x: [-20.0, 8.0])
    # Answers are stored by then.
    with pytest.raises(lidr.RunError, match="another tokenizer or template"):
        lidr.build_pairs(config, method=method_of(config, reference), engine=Pair({}, values=implicit))


# --- translation ---

GERMAN = ["3·4=12. Antwort: 12", "3+4=7. Antwort: 7", "Tom hat 12 Äpfel: 12"]
ENGLISH = ["So it is 12", "12\n12", "They have 12"]
LOSSES = {GERMAN[0]: (0.5, 1.0), GERMAN[1]: (2.0, 4.0), GERMAN[2]: (1.0, 1.0)}


def likelihood(request: Score) -> list[float]:
    """Four tokens a reference."""
    assert [turn.role for turn in request.messages] == ["source:deu_Latn", "target:eng_Latn"]
    return [-4 * LOSSES[request.messages[0].content][(ENGLISH[0], ENGLISH[2]).index(request.text)], 4.0]


def by_translation(folder: Path, **changes: Any) -> lidr.Config:
    rank = {"by": "translation", "samples": 3, "select": "every", "pairs": 8, "references": "all", "scorer": OTHER}
    return config_of(folder, ["de"], {**rank, **changes.pop("rank", {})}, extra={"final_answer": "12"}, **changes)


def test_the_likelihood_of_the_dominant_answers_puts_others_in_order(tmp_path: Path) -> None:
    engine = Samples({"en": ENGLISH, "de": GERMAN})
    (outcome,) = outcomes(by_translation(tmp_path), engine, scorer=scorer(likelihood))
    assert set(of(outcome, "de")) == {(0, 2), (0, 1), (2, 1)}
    scores = {row.chosen_source: row.chosen_score for row in outcome.rows if isinstance(row, Preference)}
    assert scores == {"response:de#0": -0.75, "response:de#2": -1.0}
    assert of(outcome, "en") == []
    contrast = by_translation(tmp_path, task="math", answer_filter="contrast", prompt_template="{prompt}")
    (outcome,) = outcomes(contrast, engine, scorer=scorer(likelihood))
    assert set(of(outcome, "de")) == {(0, 1), (2, 1)}


def test_one_reference_that_is_nearly_certain_does_not_rule_the_others(tmp_path: Path) -> None:
    losses = {"a 12": (0.1, 10.0), "b 12": (2.0, 2.0), "c 12": (3.0, 3.0)}
    found = scorer(lambda x: [-4 * losses[x.messages[0].content][(ENGLISH[0], ENGLISH[2]).index(x.text)], 4.0])
    config = by_translation(tmp_path, rank={"select": "extremes"})
    (outcome,) = outcomes(config, Samples({"en": ENGLISH, "de": list(losses)}), scorer=found)
    assert of(outcome, "de") == [(1, 0)]
    (row,) = outcome.rows
    assert isinstance(row, Preference)
    assert row.rejected_score == -5.05


def test_the_policy_can_be_the_translator_and_one_reference_is_enough(tmp_path: Path) -> None:
    config = by_translation(tmp_path, rank={"scorer": "policy", "references": "medoid"}, task="math")
    config = config.model_copy(update={"prompt_template": "{prompt}"})
    engine = Samples({"en": ENGLISH, "de": GERMAN}, values=lambda x: [-float(len(x.messages[0].content)), 4.0])
    lidr.build_pairs(config, engine=engine)
    assert len(engine.scored) == 3
    assert all(x.text.startswith("<translated>\n") and "into English" in x.messages[0].content for x in engine.scored)


@pytest.mark.parametrize(
    ("model", "language", "code"),
    [
        ("facebook/nllb-200-distilled-600M", "de", "deu_Latn"),
        ("nllb", "ja", "jpn_Jpan"),
        ("nllb", "sw", "swh_Latn"),
        ("nllb", "zh-TW", "zho_Hant"),
        ("nllb", "ko", "kor_Hang"),
        ("nllb", "bn", "ben_Beng"),
        ("nllb", "pt-BR", "por_Latn"),
        ("nllb", "sr", "srp_Cyrl"),
        ("nllb", "zh-tw", "zho_Hant"),
        ("nllb", "az-Latn", "azj_Latn"),
        ("nllb", "sr-Latn", "srp_Latn"),
        ("google/madlad400-3b-mt", "de", "de"),
    ],
)
def test_translation_models_call_languages_by_their_own_names(
    model: str, language: str, code: str, tmp_path: Path
) -> None:
    scorer = {**OTHER, "model": model}
    config = config_of(tmp_path, [language], {"by": "translation", "scorer": scorer})
    assert scorer_codes(config)[language] == code


# --- consistency ---

VECTORS = {
    "e0": (1.0, 0.0),
    "e1": (0.6, 0.8),
    "e2": (0.8, 0.6),
    "y0": (1.0, 0.0),
    "y1": (0.0, 1.0),
    "y2": (0.6, 0.8),
}


def test_what_says_what_the_most_central_dominant_answer_says_is_chosen(tmp_path: Path) -> None:
    rank = {"by": "consistency", "samples": 3, "scorer": OTHER}
    config = config_of(tmp_path, ["de"], rank)
    found = scorer(lambda x: VECTORS[x.text])
    (outcome,) = outcomes(config, Samples({"en": ["e0", "e1", "e2"], "de": ["y0", "y1", "y2"]}), scorer=found)
    assert of(outcome, "de") == [(2, 1)]
    (row,) = [x for x in outcome.rows if x.language == "de"]
    assert isinstance(row, Preference)
    assert (row.chosen_score, row.rejected_score) == (0.96, 0.6)
    assert of(outcome, "en") == [(2, 0)]
    all_of_them = config_of(tmp_path, ["de"], {**rank, "references": "all"})
    (outcome,) = outcomes(all_of_them, Samples({"en": ["e0", "e1", "e2"], "de": ["y0", "y1", "y2"]}), scorer=found)
    (row,) = [x for x in outcome.rows if x.language == "de"]
    assert isinstance(row, Preference)
    assert row.rejected_score == pytest.approx((0 + 0.8 + 0.6) / 3, abs=1e-4)


def test_hidden_states_of_the_model_itself_are_read_under_the_prompt(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text('{"num_hidden_layers": 32}')
    config = config_of(
        tmp_path,
        ["de"],
        {"by": "consistency", "samples": 3},
        model_name_or_path=str(tmp_path / "model"),
        engine={"weights": "w"},
    )
    engine = Samples({"en": ["e0", "e1", "e2"], "de": ["y0", "y1", "y2"]}, values=lambda x: VECTORS[x.text])
    lidr.build_pairs(config, engine=engine)
    assert {request.layer for request in engine.scored} == {15}
    assert {request.messages[0].content for request in engine.scored if request.text == "y0"} == {
        "[de] How many apples?"
    }


def test_prompts_that_ask_for_a_translation_are_dropped_where_languages_are_compared(tmp_path: Path) -> None:
    rows = [{"en": "[en] Translate into French: the boat", "de": "[de] Translate into French: the boat"}]
    config = config_of(tmp_path, ["de"], {"by": "consistency", "samples": 3, "scorer": OTHER}, rows=rows)
    (outcome,) = outcomes(config, Samples({}), scorer=scorer(lambda x: None))
    assert [(x.row.language, x.reason) for x in outcome.drops] == [
        ("en", "translation_prompt"),
        ("de", "translation_prompt"),
    ]


# --- all of them ---


@pytest.mark.parametrize("by", ["reward", "implicit", "translation", "consistency"])
def test_the_order_of_answers_and_scores_does_not_matter(tmp_path: Path, by: str) -> None:
    def value(request: Score) -> list[float]:
        number = float(sum(map(ord, request.text + "".join(turn.content for turn in request.messages))) % 17)
        return {"reward": [number], "embed": [number, 1.0]}.get(request.kind, [-number - 1.0, 3.0])

    config = config_of(tmp_path, ["de", "sw"], {"by": by, "samples": 5, "scorer": OTHER, "select": "every", "pairs": 3})
    engine = Samples({code: texts(code, 5) for code in ("en", "de", "sw")}, values=value)
    other = scorer((lambda x: [-2.0, 3.0]) if by == "implicit" else value)
    first = outcomes(config, engine, scorer=other)
    assert first[0].rows
    for seed in range(20):
        assert outcomes(config, engine, random.Random(seed), other) == first
