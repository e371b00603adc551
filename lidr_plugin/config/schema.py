"""The configuration of a run: every key, its meaning, its default. Reading it from YAML is `configfile`'s work."""

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, model_validator

from lidr_plugin import languages
from lidr_plugin.config.engine import EngineSettings
from lidr_plugin.config.evaluation import Eval
from lidr_plugin.config.filters import Filters
from lidr_plugin.config.generation import Generation, Translation
from lidr_plugin.config.methods import METHODS
from lidr_plugin.config.section import HOW, Section
from lidr_plugin.config.train import Train


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


class Config(Section):
    """The whole of `lidr.yaml`. Keys that LLaMA-Factory has too bear its names.

    Relative paths of prompts start from `folder`: the configuration file's, or the working directory where there is no file.
    """

    _folder: Path = PrivateAttr(default=Path())

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
    method: str = "imbalance"
    """What is made of the prompts: `imbalance` (preference pairs) or `alignment` (SFT rows of self-translations)."""
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
    engine: EngineSettings = EngineSettings()
    """Who answers."""
    generation: Generation = Generation()
    """How responses are drawn."""
    translation: Translation = Translation()
    """How texts are translated."""
    filters: Filters = Filters()
    """What a pair must pass."""
    output_dir: str = Field(default="runs/lidr", min_length=1, json_schema_extra=HOW)
    """The run's directory, relative to the working directory."""
    store: str | None = Field(default=None, json_schema_extra=HOW)
    """The file of all completions. Null: `completions.sqlite` in `output_dir`."""
    dataset_name: str = Field(default="lidr", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the dataset in `data/dataset_info.json`."""
    train: Train = Train()
    """What becomes of the dataset."""
    eval: Eval = Eval()
    """What `lidr eval` measures."""

    @model_validator(mode="before")
    @classmethod
    def _short_names(cls, data: Any) -> Any:
        """`train.method: sft_baseline`, as version 0.1 had it, means the method `alignment` with full training."""
        train = data.get("train") if isinstance(data, dict) else None
        if not isinstance(train, dict) or train.get("method") != "sft_baseline":
            return data
        if data.get("method", "alignment") != "alignment":
            raise ValueError(f"train.method: sft_baseline means method: alignment; method is {data['method']!r}")
        return {**data, "method": "alignment", "train": {**train, "method": "full"}}

    @model_validator(mode="after")
    def _coherent(self) -> "Config":
        problems = []
        if self.method not in METHODS:
            near = difflib.get_close_matches(self.method, METHODS, 1, 0.4)
            meant = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(METHODS)}"
            problems.append(f"method: {self.method!r} is no method{meant}")
        elif self.stage == "sft" and self.answer_filter == "contrast":
            problems.append(
                f"answer_filter: contrast compares two answers, and {self.method} has one: set chosen_correct"
            )
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

    def model_post_init(self, context: Any) -> None:
        """Takes the folder from the validation's context, where the reader of a file puts it."""
        if context:
            self._folder = context["folder"]

    @property
    def folder(self) -> Path:
        """Where relative paths of prompts start from."""
        return self._folder

    @property
    def stage(self) -> Literal["dpo", "sft"]:
        """LLaMA-Factory's stage for what the method makes."""
        return METHODS[self.method].stage

    @property
    def codes(self) -> list[str]:
        """All languages of the run, the dominant one first."""
        return [self.dominant_language, *self.languages]

    def prompt_path(self, language: str) -> Path:
        """Where the prompts of a language are."""
        return self.folder / self.prompts.replace("{language}", language)
