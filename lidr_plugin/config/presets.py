"""The methods that `method:` can name: presets, each a dictionary of defaults for the family that makes its rows.

docs/methods.md says which is for whom. Numbers without another source are the paper's.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


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
        example: what a user must fill in, as an example.
    """

    family: str
    about: str
    needs: str
    cost: Cost
    paper: str
    defaults: Mapping[str, Any] = {}
    stages: tuple[Mapping[str, float], ...] = ()
    scores: Cost = Cost(0, 0)
    example: Mapping[str, Any] = {}


_PARALLEL = "prompts in every language"
_OTHERS = "prompts in every language, translated by someone else"
_ANSWERS = "final answers that are numbers (task: math)"
_CHECKABLE = "questions whose answer is a number; no answers"
_REFERENCE = {"rank": {"scorer": {"model_name_or_path": "models/before-its-dpo"}}}


def _rank(by: str, samples: int, temperature: float, **others: Any) -> dict[str, Any]:
    return {"rank": {"by": by, "samples": samples, "temperature": temperature, **others}}


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
        {"mix": {}},
        example={"mix": {"answer": 1.0, "question": 0.5, "cross_out": 0.1}},
    ),
    "rank": Preset(
        "rank",
        "pairs of several answers to one prompt, put in order by votes, scores or judges",
        "what rank.by needs",
        Cost(8, 8),
        "-",
    ),
    "answer": Preset(
        "rank",
        "pairs of right over wrong answers: the strongest signal where it can be had",
        _ANSWERS,
        Cost(8, 8),
        "IRPO, arXiv 2404.19733",
        _rank("answer", 8, 0.7, top_p=0.95, select="contrast", pairs=2),
        example={"task": "math"},
    ),
    "scpo": Preset(
        "rank",
        "pairs by majority vote over the answers in one language",
        _CHECKABLE,
        Cost(8, 8),
        "ScPO, arXiv 2411.04109",
        _rank("vote", 8, 0.7, top_p=0.9, pool="language", select="extremes", threshold=0.5, weights="copies"),
        example={"task": "math"},
    ),
    "calm": Preset(
        "rank",
        "pairs by majority vote over the answers in all languages",
        f"{_CHECKABLE}; three languages or more",
        Cost(3, 4),
        "CALM, arXiv 2501.18457",
        _rank("vote", 3, 0.7, pool="all", select="every", pairs=4, threshold=0.5, weights="ignore"),
        example={"task": "math"},
    ),
    "mapo": Preset(
        "rank",
        "pairs by how likely a translation model finds the dominant answer, given the other",
        f"{_PARALLEL}; NLLB (CC-BY-NC), or scorer: policy",
        Cost(20, 20),
        "MAPO, arXiv 2401.06838",
        _rank(
            "translation",
            20,
            0.8,
            top_p=1.0,
            max_tokens=512,
            references="medoid",
            select="every",
            pairs=8,
            scorer={"model_name_or_path": "facebook/nllb-200-distilled-600M", "backend": "transformers"},
        ),
        scores=Cost(0, 20),
    ),
    "cm_align": Preset(
        "rank",
        "pairs by closeness in meaning to the most consistent dominant answer",
        _PARALLEL,
        Cost(10, 10),
        "CM-Align, arXiv 2509.08541",
        _rank("consistency", 10, 0.9, top_p=1.0, references="medoid", select="extremes"),
        scores=Cost(10, 10),
    ),
    "lacomsa": Preset(
        "rank",
        "pairs by closeness of hidden states to up to 20 dominant answers",
        _PARALLEL,
        Cost(10, 10),
        "LaCoMSA, EACL 2026",
        _rank("consistency", 10, 0.9, top_p=1.0, references="all", layer="middle", select="every", pairs=1),
        scores=Cost(10, 10),
    ),
    "best_of_n": Preset(
        "rank",
        "pairs by a reward model, best over worst",
        "a reward model that knows the languages",
        Cost(16, 16),
        "arXiv 2407.02552 and others",
        _rank(
            "reward",
            16,
            1.0,
            top_p=1.0,
            select="extremes",
            scorer={"model_name_or_path": "Skywork/Skywork-Reward-V2-Qwen3-0.6B"},
        ),
        scores=Cost(16, 16),
    ),
    "croco": Preset(
        "rank",
        "pairs by a reward model, best over a bad one that is no outlier",
        "a reward model that knows the languages",
        Cost(64, 64),
        "CroCo, arXiv 2605.26293",
        _rank(
            "reward",
            64,
            1.0,
            top_p=1.0,
            select="spread",
            scorer={"model_name_or_path": "Skywork/Skywork-Reward-V2-Qwen3-8B"},
        ),
        scores=Cost(64, 64),
    ),
    "icr": Preset(
        "rank",
        "pairs by the implicit reward of a model that was trained on preferences, under the dominant prompt",
        f"{_PARALLEL}; the model as it was before its DPO",
        Cost(10, 10),
        "ICR, arXiv 2503.04647",
        _rank(
            "implicit",
            10,
            0.9,
            top_p=1.0,
            max_tokens=2400,
            scoring_prompt="cross",
            length_control="auto",
            select="extremes",
        ),
        scores=Cost(20, 20),
        example=_REFERENCE,
    ),
    "dice": Preset(
        "rank",
        "pairs by the implicit reward, each language under its own prompt",
        "the model as it was before its DPO",
        Cost(16, 16),
        "DICE, arXiv 2406.09760",
        _rank("implicit", 16, 0.9, scoring_prompt="own", length_control="auto"),
        scores=Cost(32, 32),
        example=_REFERENCE,
    ),
    "sao": Preset(
        "rank",
        "pairs by the model's own verdict on two answers, in both orders",
        "a model that can judge (7B and more); prompts of lidr make-prompts do",
        Cost(4, 4),
        "SAO, arXiv 2510.06652",
        _rank("judge", 2, 0.6),
    ),
    "self_rewarding": Preset(
        "rank",
        "pairs by the model's own grades",
        "a model that can judge (7B and more)",
        Cost(8, 8),
        "Self-Rewarding, arXiv 2401.10020",
        _rank("grade", 4, 0.7, select="extremes"),
    ),
}
