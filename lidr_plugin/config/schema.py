"""The configuration of a run: the keys at the top of `lidr.yaml` and, each in its own module, the sections.

`columns` is in columns.py, `engine` (and `translation.engine`, `eval.judge`) in engine.py, `generation` and `translation` in
generation.py, `rank` in rank.py, `filters` in filters.py, `train` in train.py, `eval` in evaluation.py; what they share is in
section.py. methods.py lists
the values of `method`. file.py reads a configuration and words what is wrong with it, from the values and places that source.py
finds.
"""

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from lidr_plugin import languages
from lidr_plugin.config.cluster import Cluster
from lidr_plugin.config.columns import Columns
from lidr_plugin.config.engine import EngineSettings
from lidr_plugin.config.evaluation import Eval
from lidr_plugin.config.filters import Filters
from lidr_plugin.config.generation import Generation, Translation
from lidr_plugin.config.make_prompts import MakePrompts
from lidr_plugin.config.methods import FAMILIES, Stage, expanded, family_of, shares_of
from lidr_plugin.config.mix import Mix, Share
from lidr_plugin.config.mix_in import MixIn, PromptPath, checked
from lidr_plugin.config.presets import PRESETS
from lidr_plugin.config.rank import Rank
from lidr_plugin.config.section import HOW, PathText, Section, needs
from lidr_plugin.config.train import Train


def _check_language(code: str, beside: ValidationInfo) -> str:
    if not languages.is_well_formed(code):
        raise ValueError(f"{code[:40]!r} is no language code; codes look like de, sw, pt-BR or zh-Hant")
    # Where language_names itself is wrong, that is said already.
    if code not in beside.data.get("language_names", {code}) and not languages.is_known(code):
        raise ValueError(
            f"unknown language code {code!r}; codes look like de, sw or pt-BR; language_names can name others"
        )
    return code


def _check_names(names: dict[str, str]) -> dict[str, str]:
    for code, name in names.items():
        if not languages.is_well_formed(code):
            raise ValueError(f"{code[:40]!r} is no language code; codes look like de, sw, pt-BR or zh-Hant")
        if not name.strip() or not name.isprintable():
            raise ValueError(f"{code}: expected the English name of a language, found {name[:40]!r}")
    return names


Language = Annotated[str, AfterValidator(_check_language)]
PromptTemplate = Annotated[str, needs("{prompt}", "'{prompt} Answer in {language}.'")]


class Config(Section):
    """The whole of `lidr.yaml`; three keys have no default. Keys that LLaMA-Factory has too bear its names.

        model_name_or_path: Qwen/Qwen2.5-7B-Instruct
        languages: [de, no, sw]
        prompts: prompts/{language}.jsonl

    Relative paths of input start from `folder`: the configuration file's, or the working directory if there is no file.
    """

    _folder: Path = PrivateAttr(default=Path())

    model_name_or_path: PathText = Field(min_length=1)
    """Hub id or directory of the model that answers and is trained."""
    model_revision: str = "main"
    """Revision of a Hub id."""
    trust_remote_code: bool = False
    """Whether code that comes with the model may be run."""
    template: str | None = None
    """LLaMA-Factory's template for this model (`llama3`, `qwen`, …). Null: it must be set before training."""
    language_names: Annotated[dict[str, str], AfterValidator(_check_names)] = Field(default={})
    """English names, as requests say them, of languages that lidr does not know: `{xyz: Xyzish}`."""
    dominant_language: Language = "en"
    """The language in which the model answers best."""
    languages: list[Language] = Field(min_length=1)
    """The non-dominant languages."""
    force_languages: list[Language] = Field(default=[])
    """Of `languages`, those that `lidr iterate` trains on even where the probe's verdict on them is "no"."""
    prompts: PromptPath
    """Path of the prompt files (JSON, JSONL, CSV or Parquet), with `{language}` in it, relative to the configuration file, or an
    address (`s3://…`, `hf://datasets/…`). All but Parquet may be packed (`.gz`, `.zst`); `*` takes several files in their order.
    `{shard}`, or `{shard:05}` with leading zeros, numbers the files of a language from 0, one for each shard."""
    method: str = "imbalance"
    """What is made of the prompts: a family (`imbalance`, `rank`, `mix`) or a preset of one; `lidr methods` lists them all, and
    docs/methods.md says which is for whom. A preset sets defaults; what is written here wins."""
    columns: Columns = Columns()
    """Names of the columns of the prompt files."""
    join_on: Literal["id", "row"] = "id"
    """How the rows of different languages are matched: by `id`, or by their position in the file (`row`)."""
    max_prompts: int | None = Field(default=None, ge=1, le=10**12)
    """Maximum number of prompts, taken from the beginning; in `lidr iterate`, of each round. Null: all."""
    skip_prompts: int = Field(default=0, ge=0, le=10**12)
    """Number of prompts to skip at the beginning of the files."""
    rounds: int = Field(default=2, ge=1, le=1000)
    """`lidr iterate`: number of rounds of probe, build, train and evaluate. Each round has new prompts: those after the previous
    round's or, with `{round}` in the path of `prompts`, files of its own."""
    mix_in: Annotated[list[MixIn], AfterValidator(checked)] = Field(default=[])
    """Prompts of other skills, each with its share: `[{prompts: "skills/{language}.jsonl", share: 0.2}]`."""
    translate_prompts: bool = False
    """Prompts of languages without a prompt file are translated from the dominant language."""
    task: Literal["instruction", "math"] = "instruction"
    """`math`: the model is asked for an answer in the language of the prompt that ends with a number."""
    prompt_template: PromptTemplate | None = None
    """Template of the user turn, with `{prompt}` and optionally `{language}` (its English name). Null: the prompt as it is or, for
    `task: math`, lidr's own wording. The dataset's instruction is the whole turn."""
    dominant_pairs: Literal["one", "all", "last", "none"] = "one"
    """Pairs in the dominant language for each prompt: `one`, the languages taking turns; `all`, one for each language; `last`,
    that of the last language; or `none`."""
    language_pairs: Share = 0.0
    """Share of the prompts that get, in each language, two more pairs that differ in language alone, made of texts that are there:
    the translated answer over the dominant one and, for the dominant prompt, the reverse. Keep it at 0.2 or below."""
    translation_prompts: Literal["drop", "untranslated", "ignore"] = "drop"
    """What is done with prompts that ask for a translation: `drop` them; `untranslated`, take their answers without translating
    them; `ignore`, treat them like any other."""
    translation_prompt_ids: PathText | None = None
    """File of the ids of prompts that ask for a translation, one per line, relative to the configuration file. Null: they are
    recognised by their wording."""
    answer_filter: Literal["none", "chosen_correct", "contrast"] = "none"
    """`chosen_correct`: the chosen answer must be correct. `contrast`: the rejected one must be wrong as well."""
    mix: Mix = Mix()
    """`method: mix` and its presets: which SFT rows are made."""
    engine: EngineSettings = EngineSettings()
    """What answers the requests, and how it is asked."""
    generation: Generation = Generation()
    """How responses are generated."""
    translation: Translation = Translation()
    """How texts are translated."""
    rank: Rank = Rank()
    """How `method: rank` draws answers and puts them in order."""
    filters: Filters = Filters()
    """What a pair must pass to be kept."""
    cluster: Cluster = Cluster()
    """How `lidr build-pairs --ray` spreads a run."""
    output_dir: PathText = Field(default="runs/lidr", min_length=1, json_schema_extra=HOW)
    """Directory of the run, relative to the working directory."""
    store: PathText | None = Field(default=None, json_schema_extra=HOW)
    """File of all completions. Null: `completions.sqlite` in `output_dir`."""
    shards_dir: PathText | None = Field(default=None, json_schema_extra=HOW)
    """Folder or address (`s3://bucket/run`, `gs://…`, whatever fsspec knows) to which shards copy new completions every 30 seconds
    and, when they are finished, what they came to. For machines that share no disk."""
    dataset_name: str = Field(default="lidr", max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the dataset in `data/dataset_info.json`."""
    dataset_format: Literal["alpaca", "messages"] = "alpaca"
    """`messages`: the rows are lists of messages (`chosen` and `rejected`, or `messages`), as TRL, axolotl and LLaMA-Factory's v1
    read them. `lidr train` reads the same rows in `DATASET_NAME_alpaca.jsonl` beside them."""
    train: Train = Train()
    """How the dataset is trained on."""
    eval: Eval = Eval()
    """What `lidr eval` measures."""
    make_prompts: MakePrompts = Field(default=MakePrompts(), json_schema_extra=HOW)
    """What `lidr make-prompts` asks for, to write the prompt files."""

    @model_validator(mode="before")
    @classmethod
    def _short_names(cls, data: Any) -> Any:
        """What a preset stands for. `train.method: sft_baseline`, as version 0.1 had it, is `alignment` with full training."""
        if not isinstance(data, dict):
            return data
        train = data.get("train")
        if isinstance(train, dict) and train.get("method") == "sft_baseline":
            if data.get("method", "alignment") != "alignment":
                raise ValueError(f"train.method: sft_baseline means method: alignment; method is {data['method']!r}")
            data = {**data, "method": "alignment", "train": {**train, "method": "full"}}
        return expanded(data)

    @field_validator("languages")
    @classmethod
    def _others(cls, codes: list[str], beside: ValidationInfo) -> list[str]:
        problems = [f"{code} is listed more than once" for code in dict.fromkeys(codes) if codes.count(code) > 1]
        if (dominant := beside.data.get("dominant_language")) in codes:
            problems.append(f"{dominant} is the dominant language; list only the others")
        if problems:
            raise ValueError("\n".join(problems))
        return codes

    @field_validator("force_languages")
    @classmethod
    def _forced(cls, codes: list[str], beside: ValidationInfo) -> list[str]:
        # Where languages itself is wrong, that is said already.
        others = [code for code in codes if code not in beside.data.get("languages", codes)]
        if others:
            raise ValueError(f"{', '.join(others)}: not among languages")
        return codes

    @field_validator("method")
    @classmethod
    def _known_method(cls, method: str) -> str:
        if method not in PRESETS:
            near = difflib.get_close_matches(method, PRESETS, 3) or difflib.get_close_matches(method, PRESETS, 1, 0.4)
            meant = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(PRESETS)}"
            raise ValueError(f"unknown method {method[:40]!r}; {meant}")
        return method

    @field_validator("answer_filter")
    @classmethod
    def _answers(cls, wanted: str, beside: ValidationInfo) -> str:
        method = beside.data.get("method")
        if wanted != "none" and beside.data.get("task") == "instruction":
            raise ValueError("needs task: math")
        if wanted == "contrast" and method in PRESETS and FAMILIES[family_of(method)] == "sft":
            raise ValueError(f"contrast compares two answers, and {method} has one: set chosen_correct")
        return wanted

    @field_validator("mix")
    @classmethod
    def _shares(cls, mix: Mix, beside: ValidationInfo) -> Mix:
        method = beside.data.get("method")
        if method in PRESETS and family_of(method) == "mix":
            if not (mix.shares or shares_of(method)):
                raise ValueError("a mix needs a template with a share, such as mix: {answer: 1.0, question: 0.5}")
            if mix.stage > max(len(PRESETS[method].stages), 1):
                raise ValueError(f"stage: {method} has one stage only")
        return mix

    def model_post_init(self, context: Any) -> None:
        """Takes the folder from the context of the validation, where the reader of a file puts it."""
        if context:
            self._folder = context["folder"]

    @property
    def folder(self) -> Path:
        """Where relative paths of input start from."""
        return self._folder

    @property
    def stage(self) -> Stage:
        """LLaMA-Factory's stage for the rows that the method makes."""
        return FAMILIES[self.family]

    @property
    def family(self) -> str:
        """The family of the method, which makes its rows."""
        return family_of(self.method)

    @property
    def alpaca_name(self) -> str:
        """Name of the dataset in alpaca form, which is trained on."""
        return self.dataset_name if self.dataset_format == "alpaca" else f"{self.dataset_name}_alpaca"

    @property
    def shares(self) -> dict[str, float]:
        """The templates of `mix` and their shares; of a copy with another method, those that this stands for."""
        return self.mix.shares or shares_of(self.method, self.mix.stage)

    @property
    def learns_translations(self) -> bool:
        """Whether what is learnt in the non-dominant languages are translations out of the dominant one."""
        return self.family == "imbalance" or bool(self.family == "mix" and self.shares.get("answer"))

    @property
    def codes(self) -> list[str]:
        """All languages of the run, the dominant one first."""
        return [self.dominant_language, *self.languages]

    def name_of(self, code: str) -> str:
        """The English name of one of the run's languages."""
        return self.language_names.get(code) or languages.name_of(code)

    def prompt_path(self, language: str, prompts: str = "") -> Path:
        """Path of the prompts of a language, or of others than those of the run."""
        return self.folder / (prompts or self.prompts).replace("{language}", language)
