"""The configuration of a run: every key, its meaning, its default. Reading it from YAML is `configfile`'s work."""

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from lidr_plugin import languages
from lidr_plugin.config.engine import Engine, Number, OtherModel, Section
from lidr_plugin.config.evaluation import Eval
from lidr_plugin.machine.environments import llamafactory_names


def _check_language(code: Any) -> Any:
    if isinstance(code, bool):
        raise ValueError(
            f"YAML reads an unquoted {'no' if code is False else 'yes'} as {code}; "
            'for Norwegian write "no" with the quotes'
        )
    if isinstance(code, str) and not languages.is_known(code):
        raise ValueError(f"{code!r} is no language code that lidr knows; codes look like de, sw or pt-BR")
    return code


Language = Annotated[str, BeforeValidator(_check_language)]


class Columns(Section):
    """Which columns of the prompt files hold what."""

    id: str = "id"
    """Column of the row's id."""
    instruction: str = "instruction"
    """Column of the prompt."""
    input: str = "input"
    """Column of the prompt's second part; LLaMA-Factory joins the two with a line break. May be absent."""
    final_answer: str = "final_answer"
    """Column of the right answer (a number), for `task: math`. May be absent."""


class Generation(Section):
    """How responses are drawn (paper, section 4.1 and appendix: greedy, repetition penalty 1.1, seed 42)."""

    temperature: Number = Field(default=0.0, ge=0)
    """0 takes the likeliest token."""
    top_p: Number = Field(default=1.0, gt=0, le=1)
    """Nucleus sampling's share of the probability."""
    max_tokens: int = Field(default=2048, ge=1)
    """New tokens of a response at most. A response that reaches it is cut, and so is no chosen text."""
    repetition_penalty: Number = Field(default=1.1, gt=0)
    """1.0 is none, and is not sent to the server."""
    seed: int = 42
    """Seed of the sampler."""
    system: str | None = None
    """System prompt of every response; it is written to the dataset too."""
    thinking: bool = False
    """False asks the chat template not to think, and removes `<think>…</think>` from what comes back."""


class Translation(Section):
    """How the model translates its own texts. What is not here (top_p, penalty, seed) is as in `generation`."""

    temperature: Number = Field(default=0.0, ge=0)
    """0 takes the likeliest token."""
    max_tokens: int = Field(default=4096, ge=1)
    """New tokens of a translation at most."""
    retries: int = Field(default=1, ge=0)
    """Further tries for a translation that is missing, empty or cut; they ask more plainly and in smaller parts."""
    template: str | None = None
    """The request's wording, with `{language}` (the target's English name) and `{text}`. Null: lidr's own."""
    engine: OtherModel | None = None
    """Another translator. Null: the model translates itself."""

    @model_validator(mode="after")
    def _placeholders(self) -> "Translation":
        missing = [name for name in ("{language}", "{text}") if self.template is not None and name not in self.template]
        if missing:
            raise ValueError(f"template lacks {' and '.join(missing)}")
        return self


class Filters(Section):
    """What a pair must pass. Each can be false."""

    truncated: bool = True
    """Chosen, or the text that it was translated from, stopped at max_tokens."""
    identical: bool = True
    """Chosen equals rejected."""
    off_target: bool = True
    """Chosen is not in the pair's language."""
    repetition: bool = True
    """Degenerate repetition in the chosen text."""
    length_ratio: tuple[Number, Number] | Literal[False] = (0.2, 5.0)
    """Bounds of the length in characters of chosen over rejected."""

    @model_validator(mode="before")
    @classmethod
    def _bounds(cls, data: Any) -> Any:
        bounds = data.get("length_ratio") if isinstance(data, dict) else None
        if isinstance(bounds, list):
            if len(bounds) != 2 or not all(isinstance(x, int | float) and not isinstance(x, bool) for x in bounds):
                raise ValueError("length_ratio is two numbers, [0.2, 5.0], or false")
            if not 0 <= bounds[0] <= bounds[1]:
                raise ValueError(f"length_ratio: {bounds[0]} to {bounds[1]} is an empty range")
            return {**data, "length_ratio": tuple(bounds)}
        return data


class Train(BaseModel):
    """What becomes of the dataset. Any key that is not here goes to LLaMA-Factory as it is."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True, strict=True)

    method: Literal["full", "lora", "qlora", "sft_baseline"] = "lora"
    """`full`, `lora`, `qlora`, or `sft_baseline` (the paper's multilingual alignment)."""
    global_batch_size: int | None = Field(default=None, ge=1)
    """Pairs a step, over all GPUs. Null: the paper's, 16 (instruction), 64 (math) or 128 (`sft_baseline`)."""
    drop_over_cutoff: bool = False
    """Leaves out pairs longer than `cutoff_len` tokens, which LLaMA-Factory would cut; they are listed beside the dataset."""
    allow_template_mismatch: bool = False
    """Trains although LLaMA-Factory's template and the model's chat template give different tokens."""
    merge_dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """Type of the weights in `model/`. Small updates round away in bfloat16; `lidr train` says how much."""
    python: str | None = None
    """Interpreter that has LLaMA-Factory. Null: that of `lidr env create train`."""
    env: dict[str, str | int] = {}
    """Environment of `llamafactory-cli`, as `{NNODES: 2, NODE_RANK: 0, MASTER_ADDR: 10.0.0.1}`."""

    @property
    def llamafactory(self) -> dict[str, Any]:
        """The keys that are not lidr's; null takes a recipe's key away."""
        return dict(self.model_extra or {})

    @model_validator(mode="after")
    def _known(self) -> "Train":
        known, owned = llamafactory_names("keys"), set(type(self).model_fields)
        problems = [f"{key}: {why}" for key, why in _NOT_HERE.items() if key in self.llamafactory]
        for key in self.llamafactory:
            if key not in known:
                near = difflib.get_close_matches(key, [*known, *owned], 1, 0.6)
                nearest = f"; did you mean {near[0]}?" if near else ""
                problems.append(f"{key}: neither lidr nor LLaMA-Factory knows this key{nearest}")
        if self.llamafactory.get("quantization_bit") and self.method in ("full", "sft_baseline"):
            problems.append("quantization_bit: full training needs unquantised weights; set method: qlora")
        secret = next(
            (name for name in self.env if name.upper().endswith(("KEY", "TOKEN", "SECRET", "PASSWORD"))), None
        )
        if secret:
            problems.append(f"env.{secret}: secrets come from lidr's own environment, which the training inherits")
        if problems:
            raise ValueError("\n".join(problems))
        return self


_NOT_HERE = {
    "model_name_or_path": "set it at the top of the file: the model that answers is the model that is trained",
    "template": "set it at the top of the file",
    "output_dir": "set output_dir at the top of the file; training writes to its checkpoint/",
    "adapter_name_or_path": "a round starts from merged weights: with an adapter here LLaMA-Factory would take the "
    "adapter-free base as the reference; set model_name_or_path to the merged model",
    "create_new_adapter": "a round starts from merged weights; there is no adapter to add one to",
}
"""LLaMA-Factory's keys that have another place, or none."""


class Config(Section):
    """The whole of `lidr.yaml`. Keys that LLaMA-Factory has too bear its names."""

    model_name_or_path: str = Field(min_length=1)
    """Hub id or directory of the model that is asked and trained."""
    model_revision: str = "main"
    """Revision of a Hub id."""
    trust_remote_code: bool = False
    """Whether a model may bring code that is run."""
    template: str | None = None
    """LLaMA-Factory's template for this model (`llama3`, `qwen`, …). Null: to be set before training."""
    dominant_language: Language = "en"
    """The language in which the model answers best."""
    languages: list[Language] = Field(min_length=1)
    """The non-dominant languages."""
    prompts: str = Field(min_length=1)
    """Path of the prompt files, with `{language}` in it; relative to the configuration file. JSON, JSONL, CSV, Parquet."""
    columns: Columns = Columns()
    """Which columns hold what."""
    join_on: Literal["id", "row"] = "id"
    """How rows of the languages are matched: by their ids, or by their place in the file."""
    max_prompts: int | None = Field(default=None, ge=1)
    """The first so many prompts. Null: all. For `lidr iterate` so many in each round."""
    skip_prompts: int = Field(default=0, ge=0)
    """So many prompts at the beginning of the files are left out."""
    rounds: int = Field(default=2, ge=1)
    """`lidr iterate`: rounds of build, train and evaluate. Each has new prompts: those after the last round's, or with
    `{round}` in the path of `prompts` a file of its own."""
    translate_prompts: bool = False
    """Languages without a prompt file get their prompts by translation from the dominant language."""
    task: Literal["instruction", "math"] = "instruction"
    """`math` asks for an answer in the prompt's language that ends in a number."""
    prompt_template: str | None = None
    """The user turn, with `{prompt}` and, if wanted, `{language}` (English name). Null: the prompt as it is, and for
    `task: math` lidr's own wording. A prompt put in a template is the pair's instruction as it was sent."""
    dominant_pairs: Literal["one", "all", "last", "none"] = "one"
    """Pairs in the dominant language: one a prompt, taking turns; one for each language; the last language's; none."""
    translation_prompts: Literal["drop", "untranslated", "ignore"] = "drop"
    """What becomes of prompts that ask for a translation themselves."""
    translation_prompt_ids: str | None = None
    """A file with their ids, one a line, relative to the configuration file. Null: they are recognised."""
    answer_filter: Literal["none", "chosen_correct", "contrast"] = "none"
    """`chosen_correct`: the chosen answer is right; `contrast`: and the rejected one is wrong."""
    engine: Engine = Engine()
    """Who answers."""
    generation: Generation = Generation()
    """How responses are drawn."""
    translation: Translation = Translation()
    """How texts are translated."""
    filters: Filters = Filters()
    """What a pair must pass."""
    output_dir: str = Field(default="runs/lidr", min_length=1)
    """The run's directory, relative to the working directory."""
    store: str | None = None
    """The file of all completions. Null: `completions.sqlite` in `output_dir`."""
    dataset_name: str = Field(default="lidr", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the dataset in `data/dataset_info.json`."""
    train: Train = Train()
    """What becomes of the dataset."""
    eval: Eval = Eval()
    """What `lidr eval` measures."""

    @model_validator(mode="after")
    def _coherent(self) -> "Config":
        problems = []
        if self.dominant_language in self.languages:
            problems.append(f"languages: {self.dominant_language} is the dominant language; list the others only")
        repeated = sorted({code for code in self.languages if self.languages.count(code) > 1})
        if repeated:
            problems.append(f"languages: {', '.join(repeated)} stands there twice")
        if "{language}" not in self.prompts:
            problems.append("prompts: needs {language} in its path, as prompts/{language}.jsonl")
        if self.answer_filter != "none" and self.task != "math":
            problems.append("answer_filter: needs task: math")
        if self.prompt_template is not None and "{prompt}" not in self.prompt_template:
            problems.append("prompt_template: lacks {prompt}")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def prompt_path(self, language: str, folder: Path) -> Path:
        """Where the prompts of a language are; `folder` is the configuration file's."""
        return folder / self.prompts.replace("{language}", language)
