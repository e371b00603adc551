"""The section `eval`."""

import re
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from lidr_plugin.config.columns import Columns
from lidr_plugin.config.engine import OtherModel
from lidr_plugin.config.section import HOW, Number, PathText, Section
from lidr_plugin.errors.terminal import inert

_LABEL = 60
"""Characters of a label: four bytes each, and two of them beside each other, still make a file's name."""


_LONGEST = {"plain": 8, "mr3": 16_384, "m-prometheus": 2048}
"""New tokens of a verdict, by the preset."""


class Judge(OtherModel):
    """The model that compares answers. Prices are in any currency."""

    preset: Literal["plain", "mr3", "m-prometheus"] = "plain"
    """How it is asked and read: `plain`, for any chat model, with thinking turned off; `mr3` (`rubricreward/mR3-Qwen3-14B-…`) and
    `m-prometheus` (`Unbabel/M-Prometheus-7B`) as these judges were trained, with their reasons before the verdict."""
    max_tokens: int = Field(default=8, ge=1, le=10_000_000)
    """Maximum number of new tokens in a verdict: one letter or, where `preset` sets another default, 16384 (`mr3`) or 2048."""
    reference: Literal["dominant"] | None = None
    """`dominant`: in `lidr eval` it also grades each answer in another language, beside the first model's answer to the same prompt
    in the dominant language. Null: no grades there."""
    prompt_price: Number = Field(default=0.0, ge=0, le=1e9)
    """Price of a million prompt tokens."""
    completion_price: Number = Field(default=0.0, ge=0, le=1e9)
    """Price of a million completion tokens."""
    max_cost: Number | None = Field(default=None, gt=0, le=1e15)
    """Maximum cost of all verdicts of this evaluation, including those already in the store. Null: no maximum."""

    @model_validator(mode="before")
    @classmethod
    def _of_the_preset(cls, data: Any) -> Any:
        longest = _LONGEST.get(data.get("preset", "plain")) if isinstance(data, dict) else None
        return {"max_tokens": longest, **data} if longest else data


class LmEval(Section):
    """Tasks of the lm-evaluation-harness, run in its own environment (`lidr env create eval`)."""

    tasks: list[str] = Field(min_length=1)
    """Families are run in every language of the run that they cover: `belebele`, `include`, `global_mmlu`, `global_mmlu_lite`,
    `mmmlu`, `mmlu_prox`, `mmlu_prox_lite`, `global_piqa`, and the machine translations `m_mmlu`, `arc`, `hellaswag` and
    `truthfulqa`; docs/evaluation.md says which has what. `mgsm` is MGSM from the files of `eval.mgsm`, scored by the harness. Any
    other name is lm-eval's own and may contain `{language}`."""
    model: str = "hf"
    """lm-eval's type of model: `hf`, `vllm`, `local-completions`, …"""
    model_args: dict[str, Any] = Field(default={})
    """Its arguments other than the model's name: `{dtype: bfloat16}`, `{base_url: http://127.0.0.1:8000/v1/completions}`."""
    args: dict[str, Any] = Field(default={})
    """Other arguments of `lm-eval run`: `{batch_size: 8, limit: 100, num_fewshot: 5, apply_chat_template: true}`."""
    include_path: PathText | None = None
    """Folder of your own tasks in lm-eval's YAML format, relative to the configuration file."""
    python: PathText | None = Field(default=None, json_schema_extra=HOW)
    """Python interpreter that has lm-eval. Null: that of `lidr env create eval`."""


class Eval(Section):
    """What `lidr eval` measures, on data that was not trained on."""

    models: dict[str, PathText] = Field(default={})
    """Models to compare, by label: `{M0: Qwen/Qwen2-7B-Instruct, M1: runs/demo/model}`. For an `openai` server, the names that
    it serves. Empty: `model_name_or_path`, and the run's `model/` if there is one."""
    mgsm: PathText | None = None
    """Path of MGSM's questions (JSONL with `query` and `response`), with `{language}` in it, relative to the configuration file;
    or `hub:juletxara/mgsm`, which downloads them once. Null: MGSM is not measured."""
    skills: dict[str, PathText] = Field(default={})
    """Further questions with final answers, by a name of your own: paths, with `{language}` in them, relative to the configuration
    file; the columns are those of `columns`. Languages without a file are left out. What the model must not forget belongs here."""
    prompts: PathText | None = None
    """Path of held-out prompts, with `{language}` in it, relative to the configuration file. They give language fidelity, the
    AlpacaEval export and, with a judge, head-to-head comparisons. `hub:OWNER/NAME/FILE`, with `{language}` in it, is a file of a
    dataset on the Hub, downloaded once. Null: none of these."""
    columns: Columns | None = None
    """Columns of `prompts`, where they differ from the training's: `{id: question_id, instruction: prompt}`. Null: those of
    the run."""
    baselines: list[Literal["self_translate", "xlt", "clp", "vote"]] = Field(default=[])
    """Other ways to ask the first model, measured beside it: is training worth it at all? `self_translate` into the dominant
    language and, for `prompts`, back; `xlt` and `clp`, which retell and solve a question there; `vote`, over its solutions in
    all languages. All but the first suit `mgsm` and `skills` alone."""
    outputs: dict[str, PathText] = Field(default={})
    """Other systems' answers to `prompts`, by label: paths, with `{language}` in them, of JSON lists of `instruction` and
    `output` as AlpacaEval writes them. They are measured and judged alongside the models."""
    judge: Judge | None = None
    """Compares each model's answers with those of the first and, in `lidr probe`, chosen with rejected. Null: no judge."""
    lm_eval: LmEval | None = None
    """Tasks of the lm-evaluation-harness to run. Null: none."""
    limit: int | None = Field(default=None, ge=1, le=1_000_000_000)
    """Maximum number of questions and of prompts, taken from the beginning. Null: all."""
    max_tokens: int = Field(default=1024, ge=1, le=10_000_000)
    """Maximum number of new tokens in an answer. The other settings of answers are those of `generation`."""

    @field_validator("models", "outputs")
    @classmethod
    def _labels(cls, named: dict[str, str]) -> dict[str, str]:
        problems = [
            f"{label!r} cannot be a label, which names files: take up to 60 characters, none of them a slash or a control"
            for label in named
            if label != inert(label).strip(" .\t\n") or set(label) & set("/\\\t\n") or not 0 < len(label) <= _LABEL
        ]
        if problems:
            raise ValueError("\n".join(problems))
        return named

    @field_validator("baselines")
    @classmethod
    def _each_once(cls, names: list[str]) -> list[str]:
        if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
            raise ValueError(f"{', '.join(twice)}: listed more than once")
        return names

    @field_validator("mgsm", "prompts")
    @classmethod
    def _pattern(cls, path: str | None, field: ValidationInfo) -> str | None:
        whole = field.field_name == "mgsm" and path is not None and path.startswith("hub:")
        if path is not None and "{language}" not in path and not whole:
            raise ValueError(f"needs {{language}}, as in {field.field_name}/{{language}}.jsonl")
        if (
            path is not None
            and not whole
            and path.startswith("hub:")
            and not re.fullmatch(r"hub:([^/]+/){2,}[^/]+", path)
        ):
            raise ValueError("write hub:OWNER/NAME/FILE, with {language} in the name of the file or its folder")
        return path

    @field_validator("skills")
    @classmethod
    def _skills(cls, skills: dict[str, str]) -> dict[str, str]:
        problems = [f"{name}: needs {{language}}" for name, path in skills.items() if "{language}" not in path]
        problems += [f"{name}: is a name of lidr's own" for name in skills if name in ("mgsm", "prompts", "lm_eval")]
        problems += [
            f"{name!r}: letters, digits, - and _ alone" for name in skills if not re.fullmatch(r"[\w-]{1,60}", name)
        ]
        if problems:
            raise ValueError("\n".join(problems))
        return skills

    @field_validator("outputs")
    @classmethod
    def _outputs(cls, outputs: dict[str, str], beside: ValidationInfo) -> dict[str, str]:
        problems = [f"{label}: needs {{language}}" for label, path in outputs.items() if "{language}" not in path]
        problems += [
            f"{label}: models has this label too" for label in outputs if label in beside.data.get("models", {})
        ]
        if outputs and beside.data.get("prompts", "") is None:
            problems.append("set prompts to the prompts that these answer")
        if problems:
            raise ValueError("\n".join(problems))
        return outputs
