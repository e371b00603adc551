"""The methods that `method:` can name: families, each with LLaMA-Factory's stage for its rows, and presets of them.

A preset is a dictionary of defaults which the user's keys override. The settings of its training are a layer of
recipes/layers.yaml, under the same name. `methods/<family>.py` makes the rows.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

Stage: TypeAlias = Literal["dpo", "sft"]
"""What LLaMA-Factory does with the rows: pairs are preferred, SFT rows imitated."""

FAMILIES: dict[str, Stage] = {
    "imbalance": "dpo",
    "mix": "sft",
}


class Cost(NamedTuple):
    """Requests for a prompt at most, second tries aside: `once`, and `each` for every other language."""

    once: int
    each: int

    def __str__(self) -> str:
        each = f"{self.each if self.each > 1 else ''}N" if self.each else ""
        return " + ".join(part for part in (str(self.once) if self.once else "", each) if part) or "0"


class Preset(NamedTuple):
    """A method under a name of its own.

    Attributes:
        about: what it makes, in a line.
        needs: beside prompts and a model.
        cost: completions for a prompt; N is the number of other languages.
        scores: numbers about given texts for a prompt.
        paper: where it comes from.
        defaults: keys of the configuration, by section.
        stages: of a method with several trainings one after another, the shares of `mix` in each.
    """

    family: str
    about: str
    needs: str
    cost: Cost
    paper: str
    defaults: Mapping[str, Mapping[str, Any] | Any] = {}
    stages: tuple[Mapping[str, float], ...] = ()
    scores: Cost = Cost(0, 0)


_PARALLEL = "prompts in every language"
_OTHERS = "prompts in every language, translated by someone else"

PRESETS: dict[str, Preset] = {
    "imbalance": Preset(
        "imbalance",
        "pairs: what began in the dominant language over what did not",
        _PARALLEL,
        Cost(2, 2),
        "LIDR, arXiv 2410.08964",
    ),
    "clo": Preset(
        "imbalance",
        "as imbalance, and for a fifth of the prompts pairs that differ in language alone",
        _PARALLEL,
        Cost(2, 2),
        "CLO, arXiv 2505.14297",
        {"dominant_pairs": "one", "language_pairs": 0.2},
    ),
    "alignment": Preset(
        "mix",
        "SFT rows: the model's answers in the dominant language, translated by itself",
        _PARALLEL,
        Cost(1, 1),
        "LIDR's baseline, arXiv 2410.08964",
        {"mix": {"answer": 1.0}},
    ),
    "stt": Preset(
        "mix",
        "SFT rows: answers in the dominant language and their translations",
        "prompts in every language (or translate_prompts), better with right answers in a column response",
        Cost(1, 1),
        "Self-Translate-Train, arXiv 2407.00454",
        {"mix": {"answer_d": 1.0, "answer": 1.0}, "columns": {"response": "response"}},
    ),
    "qalign": Preset(
        "mix",
        "SFT in two stages: questions into the dominant language, then answers in it",
        _OTHERS,
        Cost(0, 0),
        "QAlign, arXiv 2401.07817",
        {"columns": {"response": "response"}},
        ({"question": 1.0}, {"answer_d": 1.0}),
    ),
    "question_only": Preset(
        "mix",
        "SFT rows: questions translated out of the dominant language, no answers at all",
        _OTHERS,
        Cost(0, 0),
        "Spontaneous Multilingual Learners, arXiv 2405.13816",
        {"mix": {"question_out": 1.0}},
    ),
    "xllm": Preset(
        "mix",
        "SFT rows: answers, their translations, and translating itself",
        "prompts in every language, better with another translator (translation.engine)",
        Cost(1, 1),
        "x-LLaMA, arXiv 2308.04948",
        {"mix": {"answer_d": 1.0, "answer": 1.0, "translation": 1.0}},
    ),
    "crossin": Preset(
        "mix",
        "SFT rows: answers in the dominant language, and a tenth across languages",
        _OTHERS,
        Cost(1, 1),
        "CrossIn, arXiv 2404.11932",
        {"mix": {"answer_d": 1.0, "cross_out": 0.1, "cross_in": 0.1, "question": 0.1}},
    ),
    "plug": Preset(
        "mix",
        "SFT rows that think in the dominant language, then answer in the prompt's",
        _PARALLEL,
        Cost(1, 1),
        "PLUG, arXiv 2311.08711",
        {"mix": {"plug": 1.0, "answer_d": 1.0}},
    ),
    "mix": Preset(
        "mix",
        "SFT rows by templates, each with the share of prompts that gets one",
        "the shares, in the section mix",
        Cost(1, 1),
        "-",
    ),
}


def family_of(method: str) -> str:
    """The family that makes a method's rows."""
    return PRESETS[method].family


def shares_of(method: str, stage: int = 1) -> dict[str, float]:
    """The shares of `mix` that a preset stands for; with a zero where a template has its turn in another stage."""
    preset = PRESETS[method]
    if preset.stages:
        names = {name for shares in preset.stages for name in shares}
        now = preset.stages[min(stage, len(preset.stages)) - 1]
        return {name: now.get(name, 0.0) for name in sorted(names)}
    return dict(preset.defaults.get("mix", {}))


def expanded(data: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration's values with those that its method stands for beneath them; an unknown method changes nothing."""
    method = data.get("method", "imbalance")
    if not isinstance(method, str) or method not in PRESETS:
        return dict(data)
    given = data.get("mix")
    stage = given.get("stage", 1) if isinstance(given, Mapping) else 1
    defaults = dict(PRESETS[method].defaults)
    if PRESETS[method].stages and isinstance(stage, int):
        defaults["mix"] = shares_of(method, max(stage, 1))
    merged = dict(data)
    for key, value in defaults.items():
        own = data.get(key)
        if key not in data:
            merged[key] = value
        elif isinstance(value, Mapping) and isinstance(own, Mapping):
            merged[key] = {**value, **own} if key != "mix" or _makes_something({**value, **own}) else {**own, **value}
    return merged


def _makes_something(shares: Mapping[str, Any]) -> bool:
    """Not where every share is zero, as in the resolved configuration of another method."""
    return any(value != 0 for name, value in shares.items() if name != "stage")
