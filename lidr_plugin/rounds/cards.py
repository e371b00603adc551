"""The cards of a dataset and of a model on the Hub: what it is, how it came about, what it may be used for."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lidr_plugin import __version__, files
from lidr_plugin.config.presets import PRESETS
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.rows import RowJson
from lidr_plugin.errors.terminal import inert
from lidr_plugin.evaluation.intervals import Mean, Share, percent
from lidr_plugin.evaluation.results import Results
from lidr_plugin.methods.base import Preference, Row
from lidr_plugin.training.state import TrainingState

_SHOWN = 1500
"""Characters of a text of the sample."""
_CITATION = """\
```bibtex
@inproceedings{yang2025language,
  title     = {Language Imbalance Driven Rewarding for Multilingual Self-improving},
  author    = {Yang, Wen and Wu, Junhong and Wang, Chen and Zong, Chengqing and Zhang, Jiajun},
  booktitle = {International Conference on Learning Representations},
  year      = {2025},
  note      = {arXiv:2410.08964}
}
```
"""
_TRAINED = (
    "stage", "finetuning_type", "pref_loss", "pref_beta", "pref_ftx", "learning_rate", "num_train_epochs", "cutoff_len",
    "lora_rank", "lora_alpha", "lora_target", "lr_scheduler_type", "warmup_ratio", "seed", "bf16",
)  # fmt: skip
"""Settings of a training that a reader of the card asks for first."""


class DatasetFacts(NamedTuple):
    """What a dataset's card tells."""

    repository: str
    license: str
    config: Config
    kind: type[Row]
    rows: int
    report: Mapping[str, Any]
    sample: Sequence[RowJson]


class ModelFacts(NamedTuple):
    """What a model's card tells."""

    repository: str
    license: str
    config: Config
    state: TrainingState
    results: Results | None


def dataset_card(facts: DatasetFacts) -> str:
    """The README of a dataset's repository."""
    config, pairs = facts.config, facts.kind is Preference
    head = {
        "language": config.codes,
        "license": facts.license,
        "task_categories": ["text-generation"],
        "tags": [*(("dpo", "preference") if pairs else ("sft",)), "multilingual", "llama-factory", "lidr"],
        "size_categories": [_size(facts.rows)],
        "configs": [
            {"config_name": "default", "data_files": "data/train-*.parquet", "default": True},
            {"config_name": "messages", "data_files": "messages/train-*.parquet"},
        ],
    }
    what = "Preference pairs" if pairs else "Prompts with answers"
    columns = "`instruction`, `input`, " + ("`chosen` and `rejected`" if pairs else "`output`")
    parts = [
        f"# {facts.repository.partition('/')[2]}",
        f"{what} in {len(config.codes)} languages, made with lidr {__version__} from the answers "
        f"of `{_plain(config.model_name_or_path)}` by its method `{config.method}` ({PRESETS[config.method].paper}). The model's "
        f"dominant language is {_plain(config.name_of(config.dominant_language))}. No text was written or checked by a person, and "
        "the terms of the model hold for its texts.",
        "## Counts",
        "\n".join(_counts(facts)),
        "## Filters",
        _filters(config),
        "## Use",
        f"The configuration `default` has {columns} as text, `messages` the same as conversations (TRL, axolotl). With "
        "LLaMA-Factory:",
        _fenced(
            f"llamafactory-cli train recipe.yaml stage={config.stage} dataset_dir=REMOTE:{facts.repository} "
            f"dataset={config.dataset_name}"
        ),
        "## Sample",
        *(f"`{name}`\n\n{_fenced(text[:_SHOWN])}" for row in facts.sample for name, text in row.items()),
        "## Citation",
        _CITATION.rstrip("\n"),
    ]
    return _with_head(head, parts)


def model_card(facts: ModelFacts) -> str:
    """The README of a model's repository."""
    config, state = facts.config, facts.state
    on_hub = "/" in config.model_name_or_path
    head = {
        "language": config.codes,
        "license": facts.license,
        **({"base_model": config.model_name_or_path} if on_hub else {}),
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["dpo" if config.stage == "dpo" else "sft", "multilingual", "llama-factory", "lidr"],
    }
    settings = [(name, state.training[name]) for name in _TRAINED if state.training.get(name) is not None]
    parts = [
        f"# {facts.repository.partition('/')[2]}",
        f"`{_plain(config.model_name_or_path)}`, trained on pairs of its own answers with "
        f"lidr {__version__}, method `{config.method}` ({PRESETS[config.method].paper}), in "
        f"{', '.join(_plain(config.name_of(code)) for code in config.codes)}.",
        "## Training",
        _table(("setting", "value"), [(f"`{name}`", f"`{_plain(str(value))}`") for name, value in settings]),
        *_outcome(state),
        "## Evaluation",
        *_evaluation(facts.results),
        "## Citation",
        _CITATION.rstrip("\n"),
    ]
    return _with_head(head, parts)


def _outcome(state: TrainingState) -> Iterator[str]:
    if state.result and state.result.train_loss is not None:
        yield f"Mean training loss {state.result.train_loss:.4g}, after {state.result.train_runtime / 60:,.0f} minutes."
    if state.merge:
        yield (
            f"Merged and compared with what was trained: the saved model differs from it by {state.merge.error:.2g}, the trained "
            f"one from its base by {state.merge.shift:.2g} (root mean square of log-probabilities)."
        )


def _evaluation(results: Results | None) -> Iterator[str]:
    rows = [
        (f"`{_plain(label)}`", _plain(bench), f"`{_plain(code)}`", _plain(mark), _number(value))
        for label, benches in (results.results if results else {}).items()
        for bench, codes in benches.items()
        for code, marks in codes.items()
        for mark, value in marks.items()
    ]
    yield (
        _table(("model", "benchmark", "language", "measure", "value"), rows)
        if rows
        else "It was not evaluated with lidr."
    )


def _number(value: object) -> str:
    if isinstance(value, Share):
        return f"{percent(value)} %"
    return f"{value.value:.3f} ± {value.half:.3f}" if isinstance(value, Mean) else _plain(str(value))


def _counts(facts: DatasetFacts) -> Iterator[str]:
    report, config = facts.report, facts.config
    kept, tried = report.get("pairs", {}), report.get("candidates", {})
    rows = [
        (f"{_plain(config.name_of(code))} (`{code}`)", f"{tried.get(code, 0):,}", f"{kept.get(code, 0):,}")
        for code in config.codes
    ]
    yield _table(("language", "candidates", "rows"), rows)
    reasons = [(f"`{_plain(reason)}`", f"{sum(by.values()):,}") for reason, by in report.get("rejected", {}).items()]
    if reasons:
        yield ""
        yield _table(("left out", "candidates"), reasons)


def _filters(config: Config) -> str:
    rows = [
        (f"`{name}`", f"`{_plain(str(value))}`")
        for name, value in config.filters.model_dump(mode="json").items()
        if value
    ]
    return _table(("filter", "setting"), rows) if rows else "None."


def _size(rows: int) -> str:
    """The Hub's category of a size."""
    steps = (("n<1K", 10**3), ("1K<n<10K", 10**4), ("10K<n<100K", 10**5), ("100K<n<1M", 10**6), ("1M<n<10M", 10**7))
    return next((name for name, most in steps if rows < most), "10M<n<100M")


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _fenced(text: str) -> str:
    """A foreign text as code, within a fence that it cannot end."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{inert(text)}\n{fence}"


def _plain(text: str) -> str:
    """Foreign text within a line: it ends neither the line nor code, nor a table's cell."""
    return " ".join(inert(text).split()).translate({ord("`"): "'", ord("|"): "/", ord("<"): "‹", ord(">"): "›"})


def _with_head(head: Mapping[str, Any], parts: Sequence[str]) -> str:
    return f"---\n{files.yaml_of(head)}---\n" + "\n\n".join(parts) + "\n"
