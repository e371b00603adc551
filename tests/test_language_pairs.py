"""Pairs that differ in language alone: which there are, and that they cost nothing and change nothing else."""

import json
from pathlib import Path
from typing import Any

import lidr_plugin as lidr
from lidr_plugin.methods.base import Drop, Preference, Text
from lidr_plugin.methods.draw import drawn
from lidr_plugin.methods.language_pairs import LanguagePairs
from lidr_plugin.prompts.prompt import Prompt, PromptText
from tests.conftest import Lidr, prompts, rows_of, write_config, write_prompts
from tests.support.scripted import by_text, config_of, run
from tests.support.server import FakeServer, running

ORDINARY = Preference(
    "p",
    "de",
    PromptText("Nenne eine Farbe."),
    Text("Rot."),
    Text("Blau."),
    "translation:en->de",
    "response:de",
    Text("Red."),
)
ENGLISH = "The dog and the cat went into the garden today, and it was raining all day."
GERMAN = "Der Hund und die Katze sind heute in den Garten gegangen, und es hat den ganzen Tag geregnet."


def made(decided: bool, share: float = 1.0) -> list[Preference | Drop]:
    pairs = LanguagePairs(share, 42, "en", lambda text, code: decided, [])
    return pairs.made_of(ORDINARY, PromptText("Name a colour."))


def test_the_translation_is_preferred_under_the_one_prompt_and_its_source_under_the_other() -> None:
    pairs = [pair for pair in made(decided=True) if isinstance(pair, Preference)]
    assert [(pair.language, pair.prompt.joined, pair.chosen.text, pair.rejected.text) for pair in pairs] == [
        ("de", "Nenne eine Farbe.", "Rot.", "Red."),
        ("en", "Name a colour.", "Red.", "Rot."),
    ]
    assert [(pair.chosen_source, pair.rejected_source) for pair in pairs] == [
        ("translation:en->de", "response:en"),
        ("response:en", "translation:en->de"),
    ]


def test_texts_whose_languages_nobody_can_tell_make_no_pair() -> None:
    fates = made(decided=False)
    assert [str(fate.reason) for fate in fates if isinstance(fate, Drop)] == ["no_contrast"] * 2


def test_the_share_is_drawn_by_the_prompts_id() -> None:
    at = drawn(42, "p", "de", "language_pairs")
    assert made(decided=True, share=at) == []
    assert len(made(decided=True, share=min(1.0, at + 1e-9))) == 2


def test_code_has_no_language_and_a_translation_prompt_none_of_its_own() -> None:
    def fates(english: str, german: str, prompt: str) -> lidr.Outcome:
        texts = {"en": PromptText(prompt), "de": PromptText("[de] Erzähle.")}
        reply = by_text({prompt: english, "[de] Erzähle.": german}, {(english, "de"): german, (german, "en"): english})
        config = config_of(language_pairs=1.0, dominant_pairs="none", filters={"fidelity": False, "identical": False})
        return run(config, Prompt(0, "p", texts), reply).outcome

    assert len(fates(ENGLISH, GERMAN, "Tell me.").rows) == 3
    code = "```python\nprint(1)\n```"
    assert [str(drop.reason) for drop in fates(code, code, "Write code.").drops] == ["no_contrast"] * 2
    assert not [drop for drop in fates(ENGLISH, GERMAN, "Translate into French: x").drops if drop.row.language == "en"]


def test_a_share_adds_pairs_without_a_request_and_leaves_the_others_as_they_were(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(10))
    with running(FakeServer()) as url:
        first = lidr("build-pairs", write_config(tmp_path, engine__base_url=url))
        assert first.returncode == 0, first.stderr
        before = rows_of(tmp_path / "run/data/demo.jsonl")
        values: dict[str, Any] = {"engine__base_url": url, "method": "clo", "language_pairs": 1.0}
        second = lidr("build-pairs", write_config(tmp_path, **values))
        assert second.returncode == 0, second.stderr
    report = json.loads((tmp_path / "run/report.json").read_text())
    assert report["completions"]["generated"] == 0
    after = rows_of(tmp_path / "run/data/demo.jsonl")
    assert [row for row in after if row in before] == before
    assert sum(report["rejected"].get("no_contrast", {}).values()) or len(after) > len(before)
