"""Translation models: which checkpoint is one, and what it calls a language: `deu_Latn` (NLLB, FLORES-200) or `de` (MADLAD)."""

import os
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from lidr_plugin import languages
from lidr_plugin.completions.engines.base import backend_of
from lidr_plugin.config.engine import OtherModel
from lidr_plugin.config.schema import Config
from lidr_plugin.errors import InputError
from lidr_plugin.machine import hub
from lidr_plugin.machine.inputs import is_there, read_json

_KEY = "translation.engine"
_FLORES = dict(
    pair.split("=")
    for pair in (
        "ar=arb_Arab az=azj_Latn fa=pes_Arab ff=fuv_Latn fil=tgl_Latn gn=grn_Latn ko=kor_Hang "
        "kr=knc_Latn ku=kmr_Latn lv=lvs_Latn mg=plt_Latn mn=khk_Cyrl ms=zsm_Latn nb=nob_Latn ne=npi_Deva no=nob_Latn "
        "om=gaz_Latn or=ory_Orya ps=pbt_Arab qu=quy_Latn sq=als_Latn sw=swh_Latn uz=uzn_Latn yi=ydd_Hebr zh=zho_Hans "
        "zh-Hant=zho_Hant zh-TW=zho_Hant zh-HK=zho_Hant ay=ayr_Latn"
    ).split()
)
"""Languages whose code there is not the three letters of ISO 639-3 and the usual script."""
_MADLAD = {"tl": "fil"}
"""Languages that MADLAD calls by another code than lidr; it has `no` for both Norwegians' bokmål."""


def flores(language: str) -> str:
    """The code of FLORES-200, which NLLB has too; of a language that it lacks, one of its form."""
    import langcodes

    tag, script = langcodes.get(language), languages.tag(language).script
    usual = _FLORES.get(language) or _FLORES.get(str(tag.language))
    if usual and (script is None or usual.endswith(script)):
        return usual
    return f"{tag.to_alpha3()}_{script or tag.maximize().script or 'Latn'}"


def madlad(language: str) -> str:
    """MADLAD's code: BCP 47 without regions, and with a script only where it is not the usual one."""
    base, script = languages.tag(language)
    usual = languages.usual_script(base)
    return _MADLAD.get(base, base) + (f"_{script}" if script and script != usual else "")


def codes_of(config: Config) -> Mapping[str, str]:
    """What the translation model of `translation.engine` calls the languages of a run; empty if it is asked in words.

    Raises:
        InputError: it lacks one of them, is of a kind that lidr does not know, or is asked for what it cannot do.
    """
    wanted = config.translation
    name = _checkpoint_of(wanted.engine) if wanted.engine else ""
    if wanted.engine is None or not name or not _is_seq2seq(name):
        return {}
    if backend_of(wanted.engine) != "transformers":
        raise InputError(
            f"{_KEY}: {name} is a translation model, which vLLM cannot run", f"{_KEY}.backend=transformers"
        )
    if lost := [key for key, value in (("refine", wanted.refine), ("template", wanted.template)) if value]:
        keys = " and ".join(f"translation.{key}" for key in lost)
        raise InputError(f"{keys}: {name} is a translation model, which takes no words but the text", "leave it out")
    return _codes_in(name, _KEY, config)


def scorer_codes(config: Config) -> Mapping[str, str]:
    """What the translation model of `rank.scorer` calls the languages of a run; where nothing of it is here, by its name.

    Raises:
        InputError: it lacks one of them, or is of a kind that lidr does not know.
    """
    scorer = config.rank.scorer
    if scorer is None:
        return {}
    if name := _checkpoint_of(scorer):
        return _codes_in(name, "rank.scorer", config)
    called = madlad if "madlad" in scorer.name.lower() else flores
    return {code: called(code) for code in config.codes}


def _codes_in(name: str, key: str, config: Config) -> Mapping[str, str]:
    """By the tokens that a checkpoint has."""
    known = _vocabulary(name, key)
    if "eng_Latn" in known:
        codes = {code: flores(code) for code in config.codes}
        tokens = codes
    elif "<2en>" in known:
        codes = {code: madlad(code) for code in config.codes}
        tokens = {code: f"<2{called}>" for code, called in codes.items()}
    else:
        raise InputError(f"{key}: {name}: of translation models lidr knows NLLB and MADLAD", "name one of these")
    if lacking := [f"{name} has no {config.name_of(x)} ({x}): {tokens[x]}" for x in codes if tokens[x] not in known]:
        raise InputError.of(lacking, key, "leave these languages out, or take another translator")
    return codes


def _checkpoint_of(other: OtherModel) -> str:
    """The directory or Hub id that is loaded; empty where nothing is, or nothing can be of that name."""
    if backend_of(other) == "openai":
        return ""
    here = is_there(Path(os.path.expanduser(other.name)) / "config.json")
    return other.name if here or (not hub.is_path(other.name) and other.name.count("/") == 1) else ""


def _is_seq2seq(model: str) -> bool:
    found = read_json(_file(model, "config.json"))
    return isinstance(found, dict) and found.get("is_encoder_decoder") is True


def _vocabulary(model: str, key: str) -> Container[str]:
    """The tokens that a model has."""
    path = _file(model, "tokenizer.json", key)
    remedy = "AutoTokenizer.from_pretrained(…).save_pretrained(…) writes one"
    found: Any = read_json(path, remedy)
    try:
        pieces = [piece if isinstance(piece, str) else piece[0] for piece in found["model"]["vocab"]]
        return {*pieces, *(token["content"] for token in found["added_tokens"])}
    except (KeyError, TypeError, IndexError):
        raise InputError(f"{path}: no vocabulary in it", remedy) from None


def _file(model: str, name: str, key: str = _KEY) -> Path:
    folder = Path(os.path.expanduser(model))
    return folder / name if hub.is_path(model) else hub.download(model, name, key=key)
