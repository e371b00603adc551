"""Translation models as `translation.engine`: how they are recognised and asked, and what they cannot do."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lidr_plugin.completions.requests import Chat, Completion, Message, Sampling, key_of, request_json
from lidr_plugin.completions.steps import Course
from lidr_plugin.completions.translation_codes import codes_of, madlad, scorer_codes
from lidr_plugin.config.file import load
from lidr_plugin.config.schema import Config
from lidr_plugin.errors import InputError
from lidr_plugin.methods import translation
from lidr_plugin.methods.base import Ask, Text
from lidr_plugin.text.sentences import lines_of, text_of
from tests.conftest import Lidr, prompts, write_config, write_prompts

NLLB = ["eng_Latn", "deu_Latn", "spa_Latn", "zho_Hans"]
MADLAD = ["<2en>", "<2de>", "<2es>", "<2zh>"]
SAMPLING = Sampling(0.0, 1.0, 100, 1.1, 42, False)


def checkpoint(folder: Path, tokens: Sequence[str], *, pieces: bool = False, **config: Any) -> str:
    """The files beside the weights of a translation model that knows these tokens."""
    folder.mkdir()
    vocabulary = [[token, 0.0] for token in tokens] if pieces else {"a": 0}
    added = [] if pieces else [{"id": number, "content": token} for number, token in enumerate(tokens)]
    (folder / "config.json").write_text(json.dumps({"is_encoder_decoder": True, **config}))
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}, "added_tokens": added}))
    return str(folder)


def config_of(folder: Path, model: str, *languages: str, **translation: Any) -> Config:
    engine = {"model_name_or_path": model, "backend": "transformers"}
    changes = {"languages": [*languages], "translation": {"engine": engine, **translation}}
    return load(write_config(folder, **changes))


def test_a_checkpoints_own_tokens_say_what_it_calls_a_language(tmp_path: Path) -> None:
    nllb = checkpoint(tmp_path / "a", NLLB)
    tagged = checkpoint(tmp_path / "b", MADLAD, pieces=True)
    wanted = {"en": "eng_Latn", "de": "deu_Latn", "zh-CN": "zho_Hans"}
    assert codes_of(config_of(tmp_path, nllb, "de", "zh-CN")) == wanted
    assert codes_of(config_of(tmp_path, tagged, "de", "zh-CN")) == {"en": "en", "de": "de", "zh-CN": "zh"}


def test_the_tokens_of_a_scorer_say_more_than_its_name(tmp_path: Path) -> None:
    scorer = {"backend": "transformers", "model_name_or_path": checkpoint(tmp_path / "my-nllb", MADLAD, pieces=True)}
    rank = {"method": "rank", "rank": {"by": "translation", "scorer": scorer}}
    assert scorer_codes(load(write_config(tmp_path, languages=["de"], **rank))) == {"en": "en", "de": "de"}
    with pytest.raises(InputError, match=r"rank\.scorer:\n.*has no French \(fr\): <2fr>"):
        scorer_codes(load(write_config(tmp_path, languages=["fr"], **rank)))


def test_a_chat_model_and_a_server_are_asked_in_words(tmp_path: Path) -> None:
    chat = checkpoint(tmp_path / "a", [], is_encoder_decoder=False)
    assert codes_of(config_of(tmp_path, chat, "de")) == {}
    served = {"model": "nllb", "base_url": "http://127.0.0.1:9/v1"}
    assert codes_of(load(write_config(tmp_path, translation__engine=served))) == {}


@pytest.mark.parametrize(
    ("language", "code"),
    [("pt-BR", "pt"), ("nb", "no"), ("tl", "fil"), ("iw", "he"), ("zh-TW", "zh_Hant"), ("sr-Latn", "sr_Latn")],
)
def test_madlad_has_scripts_and_no_regions(language: str, code: str) -> None:
    assert madlad(language) == code


@pytest.mark.parametrize(
    ("tokens", "languages", "changes", "said"),
    [
        (NLLB, ["de", "la"], {}, "has no Latin (la): lat_Latn"),
        (NLLB, ["de", "zh-TW"], {}, "has no Traditional Chinese (zh-TW): zho_Hant"),
        (MADLAD, ["de", "zh-Hant"], {}, "has no Traditional Chinese (zh-Hant): <2zh_Hant>"),
        (MADLAD, ["fr"], {}, "has no French (fr): <2fr>"),
        (["en_XX", "de_DE"], ["de"], {}, "lidr knows NLLB and MADLAD"),
        (NLLB, ["de"], {"translation__refine": True}, "translation.refine: "),
        (NLLB, ["de"], {"translation__template": "{text} {language}"}, "takes no words but the text"),
        (NLLB, ["de"], {"translation__engine__backend": "vllm"}, "which vLLM cannot run"),
    ],
)
def test_what_a_translation_model_cannot_do_is_told_before_anything_is_written(
    tokens: list[str], languages: list[str], changes: dict[str, Any], said: str, tmp_path: Path, lidr: Lidr
) -> None:
    write_prompts(tmp_path, prompts(3, ("en", *languages)))
    model = checkpoint(tmp_path / "m", tokens)
    engine = {"translation__engine__model_name_or_path": model, "translation__engine__backend": "transformers"}
    path = write_config(tmp_path, languages=languages, **{**engine, **changes})
    done = lidr("build-pairs", path)
    assert done.returncode == 2, done.stderr
    assert said in " ".join(done.stderr.split())
    assert not (tmp_path / "run").exists()


def test_a_tokenizer_without_a_vocabulary_is_wrong_input(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(3))
    model = checkpoint(tmp_path / "m", NLLB)
    path = write_config(
        tmp_path,
        translation__engine__model_name_or_path=model,
        translation__engine__backend="transformers",
    )
    for content in ("[]", '{"model": {"vocab": [[]]}, "added_tokens": []}', "{"):
        (tmp_path / "m/tokenizer.json").write_text(content)
        done = lidr("build-pairs", path)
        assert done.returncode == 2, done.stderr
        assert "tokenizer.json" in done.stderr


def test_it_gets_the_text_and_two_codes_and_its_answer_is_taken_as_it_is() -> None:
    translator = translation.Translator(SAMPLING, translation.TEMPLATE, retries=2, skip_cut=True, knows_echoes=True)
    text = "Write <translated>.\n\nTwo boats float."
    ask = Ask({"translator": "w"}, {"en": "eng_Latn", "de": "deu_Latn"})
    course, words = Course(translator.carried(Text(text), "en", "de", ask, "1")), Ask({"translator": "w"})
    ((branch, request),) = course.wanted
    assert isinstance(request, Chat)
    assert request.messages == (Message("source:eng_Latn", text), Message("target:deu_Latn", ""))
    assert request.prefill == ""
    assert request.sampling.repetition_penalty == 1.0
    asked_in_words = translator.way(text, "en", "de", words, "1")
    assert key_of(request_json(request)) != key_of(request_json(asked_in_words))
    course.answer(branch, Completion("Note: <translated> x", "stop", 1, 1))
    assert course.finished, "it would give the same again"
    assert course.result == Text("Note: <translated> x")


@pytest.mark.parametrize(("said", "cut", "failed"), [("", False, "translation_failed"), ("", True, "truncated")])
def test_an_answer_without_a_text_is_no_translation(said: str, cut: bool, failed: str) -> None:
    translator = translation.Translator(SAMPLING, translation.TEMPLATE, retries=1, skip_cut=True)
    ask = Ask({"translator": "w"}, {"en": "en", "de": "de"})
    course = Course(translator.carried(Text("A boat floats."), "en", "de", ask, "1"))
    ((branch, _),) = course.wanted
    course.answer(branch, Completion(said, "length" if cut else "stop", 1, 1))
    assert course.result.failed == failed


# --- sentences ---


def sentences(text: str) -> list[str]:
    return [sentence for line in lines_of(text) for sentence in line.sentences]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# A heading\n\n- one boat\n  2. two boats", ["A heading", "one boat", "two boats"]),
        ("3 boats float.", ["3 boats float."]),
        ("Before\n```python\nx = 'a boat'\n```\nafter", ["Before", "after"]),
        ("$$\n12 + 12 = 24\n$$", []),
        ("Dr. Smith sees that the river carries it. Then he goes home.", None),
        ("河流把每一条小船都带到港口去了，所以没有人知道它们从哪里来，也没有人问起过它们的名字。然后他回家了。", None),
    ],
)
def test_marks_code_and_formulas_are_no_sentences(text: str, expected: list[str] | None) -> None:
    found = sentences(text)
    assert len(found) == 2 if expected is None else found == expected
    assert text_of(lines_of(text), found) == text


@given(st.text("ab A.!。河\n`# -1", max_size=120))
def test_nothing_of_a_text_is_lost_but_spaces(text: str) -> None:
    again = text_of(lines_of(text), sentences(text))
    assert [line.split() for line in again.split("\n")] == [line.split() for line in text.split("\n")] or (
        "".join(again.split()) == "".join(text.split())
    )
    assert again.count("\n") == text.count("\n")


@given(st.text("ab. 河", max_size=3000))
def test_no_sentence_is_longer_than_a_model_reads(text: str) -> None:
    assert all(0 < len(sentence) <= 400 for sentence in sentences(text))


def test_sentences_are_joined_as_their_new_language_is_written() -> None:
    lines = lines_of("The river carries every small boat to the harbour. Nobody knows why it does.")
    assert text_of(lines, ["河流带着船。", "没有人知道。"]) == "河流带着船。没有人知道。"
    assert text_of(lines, ["Der Fluss trägt.", "Niemand weiß es."]) == "Der Fluss trägt. Niemand weiß es."
