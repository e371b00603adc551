"""`method:` and `lidr methods`: families, presets, what they stand for and what they cost."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import lidr_plugin as lidr_library
from lidr_plugin.completions.client import Model
from lidr_plugin.config.methods import FAMILIES, family_of
from lidr_plugin.config.presets import PRESETS
from lidr_plugin.errors import InputError
from lidr_plugin.methods import method_of
from tests.conftest import Lidr, write_config
from tests.support.fake import Fake

NEEDED: dict[str, Any] = {"model_name_or_path": "m", "languages": ["de"], "prompts": "{language}.jsonl"}


def configured(**values: Any) -> lidr_library.Config:
    return lidr_library.configure(**{**NEEDED, **values})


def test_there_are_three_families_and_the_presets_of_the_papers() -> None:
    by_family = {family: {name for name in PRESETS if family_of(name) == family} for family in FAMILIES}
    mixes = {"alignment", "stt", "qalign", "question_only", "xllm", "crossin", "plug", "mix"}
    ranks = "answer scpo calm mapo cm_align lacomsa best_of_n croco icr dice sao self_rewarding rank"
    assert by_family == {"imbalance": {"imbalance", "clo"}, "mix": mixes, "rank": set(ranks.split())}


@pytest.mark.parametrize("name", PRESETS)
def test_what_is_shown_of_a_method_loads_as_the_configuration_that_it_stands_for(
    name: str, tmp_path: Path, lidr: Lidr
) -> None:
    done = lidr("methods", "show", name)
    assert done.returncode == 0, done.stderr
    (tmp_path / "shown.yaml").write_text(done.stdout)
    config = lidr_library.load(tmp_path / "shown.yaml")
    assert config.method == name
    plain = lidr_library.configure(**{**NEEDED, "languages": config.languages, "method": name, **PRESETS[name].example})
    assert config.model_dump(exclude={"model_name_or_path", "prompts", "output_dir"}) == plain.model_dump(
        exclude={"model_name_or_path", "prompts", "output_dir"}
    )
    shown = json.loads(lidr("methods", "show", name, "--json").stdout)
    assert shown["configuration"] == yaml.safe_load(done.stdout)
    for key in shown["training"]:
        assert f"#   {key}: " in done.stdout


def test_every_method_is_listed_in_a_line_with_what_it_needs_and_asks(lidr: Lidr) -> None:
    done = lidr("methods")
    assert done.returncode == 0
    for name, preset in PRESETS.items():
        line = next(line for line in done.stdout.splitlines() if line.split(" ")[0] == name)
        assert preset.about in line
        assert preset.needs in line
        assert f"{preset.cost} requests a prompt" in line
    listed = json.loads(lidr("methods", "--json").stdout)
    assert [entry["name"] for entry in listed] == list(PRESETS)
    assert {entry["stage"] for entry in listed} == {"dpo", "sft"}


def test_a_name_that_no_method_has_is_answered_with_the_nearest(lidr: Lidr) -> None:
    done = lidr("methods", "show", "qualign")
    assert done.returncode == 2
    assert "did you mean qalign" in done.stderr
    with pytest.raises(InputError, match="unknown method 'crosin'; did you mean crossin"):
        configured(method="crosin")
    with pytest.raises(InputError, match="unknown method 'zzz'; there are imbalance, clo"):
        configured(method="zzz")
    with pytest.raises(InputError, match="expected text"):
        configured(method=["scpo"])


def test_the_users_keys_win_over_a_presets() -> None:
    config = configured(method="crossin", mix={"cross_out": 0.5, "question": 0})
    assert config.shares == {"answer_d": 1.0, "cross_out": 0.5, "cross_in": 0.1}
    scpo = configured(method="scpo", rank={"samples": 4, "weights": "thin"})
    assert (scpo.rank.samples, scpo.rank.weights, scpo.rank.by, scpo.rank.top_p) == (4, "thin", "vote", 0.9)
    assert configured(method="clo").language_pairs == 0.2
    assert configured(method="clo", language_pairs=0.05).language_pairs == 0.05
    assert configured(method="stt", columns={"response": "gold"}).columns.response == "gold"


def test_the_resolved_configuration_says_the_name_and_what_it_stands_for(tmp_path: Path) -> None:
    from lidr_plugin.config.file import resolved

    for name in ("scpo", "crossin", "qalign", "clo"):
        values = resolved(configured(method=name))
        assert values["method"] == name
        (tmp_path / "config.json").write_text(json.dumps(values))
        again = lidr_library.load(tmp_path / "config.json")
        assert resolved(again) == values
    assert resolved(configured(method="scpo"))["rank"]["threshold"] == 0.5
    assert resolved(configured(method="crossin"))["mix"]["cross_in"] == 0.1


def test_a_mix_of_nothing_is_refused_and_sections_of_other_methods_do_no_harm(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a mix needs a template with a share"):
        configured(method="mix")
    with pytest.raises(InputError, match=r"mix\.answer: input should be less than or equal to 1"):
        configured(method="mix", mix={"answer": 1.5})
    with pytest.raises(InputError, match=r"mix\.stage: alignment has one stage only"):
        configured(method="alignment", mix={"stage": 2})
    both = write_config(tmp_path, mix={"question": 1.0}, rank={"samples": 4})
    assert lidr_library.load(both).family == "imbalance"
    assert lidr_library.load(both, "method=mix").shares == {"question": 1.0}


def test_a_second_stage_has_its_own_templates() -> None:
    assert configured(method="qalign").shares == {"question": 1.0}
    assert configured(method="qalign", mix={"stage": 2}).shares == {"answer_d": 1.0}
    assert configured(method="qalign", mix={"stage": 2, "question_out": 0.5}).shares == {
        "answer_d": 1.0,
        "question_out": 0.5,
    }


@pytest.mark.parametrize("name", [name for name in PRESETS if family_of(name) != "rank"])
def test_what_a_method_asks_is_what_is_said_of_it(name: str) -> None:
    roles = {role: Model(Fake(lambda _: None), 1, 0, "m") for role in ("policy", "translator")}
    for count, languages in enumerate((["de"], ["de", "es"], ["de", "es", "fr"]), start=1):
        config = configured(**{"method": name, "languages": languages, **PRESETS[name].example})
        cost = PRESETS[name].cost
        assert method_of(config, [], roles).requests_at_most(10) == 10 * (cost.once + count * cost.each)
