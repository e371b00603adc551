"""The configuration's section of evaluation."""

from typing import Any

from pydantic import Field, model_validator

from lidr_plugin.config.engine import OtherModel
from lidr_plugin.config.section import Number, Section


class Judge(OtherModel):
    """Who compares answers. Prices are the service's, in any currency, for a million tokens; its thinking is off."""

    max_tokens: int = Field(default=8, ge=1)
    """New tokens of a verdict at most; one letter is asked for."""
    prompt_price: Number = Field(default=0.0, ge=0)
    """Price of a million prompt tokens."""
    completion_price: Number = Field(default=0.0, ge=0)
    """Price of a million completion tokens."""
    max_cost: Number | None = Field(default=None, gt=0)
    """What all verdicts of this evaluation may cost, those in the store included. Null: no cap."""

    @model_validator(mode="after")
    def _priced(self) -> "Judge":
        if self.max_cost is not None and not (self.prompt_price or self.completion_price):
            raise ValueError("max_cost needs prompt_price and completion_price: lidr knows no price list")
        return self


class LmEval(Section):
    """Tasks of the lm-evaluation-harness, in an environment of its own (`lidr env create eval`)."""

    tasks: list[str] = Field(min_length=1)
    """`m_mmlu`, `arc`, `hellaswag`, `truthfulqa` and `belebele` are run in every language that they have; `mgsm` is MGSM from
    the files of `eval.mgsm` with the harness's own scorer; any other name is one of lm-eval's, and may have `{language}` in it."""
    model: str = "hf"
    """lm-eval's kind of model: `hf`, `vllm`, `local-completions`, …"""
    model_args: dict[str, Any] = Field(default={})
    """Its arguments beside the model's name: `{dtype: bfloat16}`, or `{base_url: http://127.0.0.1:8000/v1/completions}`."""
    args: dict[str, Any] = Field(default={})
    """Further arguments of `lm-eval run`: `{batch_size: 8, limit: 100, num_fewshot: 5, apply_chat_template: true}`."""
    include_path: str | None = None
    """Folder with tasks of your own in lm-eval's YAML, relative to the configuration file."""
    python: str | None = None
    """Interpreter that has lm-eval. Null: that of `lidr env create eval`."""


class Eval(Section):
    """What `lidr eval` measures, on prompts that were not trained on."""

    models: dict[str, str] = Field(default={})
    """Models to compare, each under a label: `{M0: Qwen/Qwen2-7B-Instruct, M1: runs/demo/model}`; for an `openai` server
    the names that it serves. Empty: `model_name_or_path`, and the run's `model/` if training left one."""
    mgsm: str | None = None
    """Path of MGSM's questions, with `{language}` in it; JSONL with `query` and `response`. Or `hub:juletxara/mgsm`: they are
    loaded once from the Hub. Null: not measured."""
    prompts: str | None = None
    """Path of held-out prompts, with `{language}` in it: language fidelity, the AlpacaEval export, and with a judge
    head-to-head comparisons. Null: none of them."""
    outputs: dict[str, str] = Field(default={})
    """Answers to `prompts` that others gave, each under a label: paths with `{language}` of JSON lists of `instruction` and
    `output`, as AlpacaEval has them. They are measured and judged beside the models."""
    judge: Judge | None = None
    """Who compares each model's answers with those of the first one, and for `lidr probe` chosen with rejected. Null: nobody."""
    lm_eval: LmEval | None = None
    """Tasks of the lm-evaluation-harness. Null: none."""
    limit: int | None = Field(default=None, ge=1)
    """The first so many questions and prompts. Null: all."""
    max_tokens: int = Field(default=1024, ge=1)
    """New tokens of an answer at most. What else an answer depends on is as in `generation`."""

    @model_validator(mode="after")
    def _placeholders(self) -> "Eval":
        if self.outputs and not self.prompts:
            raise ValueError("outputs: needs the prompts that they answer: set prompts")
        if both := sorted(set(self.models) & set(self.outputs)):
            raise ValueError(f"outputs: {', '.join(both)} is a label in models too")
        outputs = ((f"outputs.{label}", path) for label, path in self.outputs.items())
        for name, path in (("mgsm", self.mgsm), ("prompts", self.prompts), *outputs):
            if path is not None and "{language}" not in path and not (name == "mgsm" and path.startswith("hub:")):
                raise ValueError(f"{name}: needs {{language}} in its path, as mgsm/{{language}}.jsonl")
        return self
