"""Language Imbalance Driven Rewarding (arXiv 2410.08964) as a library: from parallel prompts to rows, models and results.

    import lidr_plugin as lidr

    config = lidr.load("lidr.yaml", "engine.concurrency=64")
    built = lidr.build_pairs(config)
    trained = lidr.train(config)

Everything heavy is imported by the call that needs it. docs/api.md has a method, a filter and an engine of one's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lidr_plugin.completions.engines.base import NamedEngine
    from lidr_plugin.completions.requests import Chat, Completion, Message, Sampling, Score, Scored
    from lidr_plugin.completions.steps import Steps, both, together
    from lidr_plugin.config.schema import Config
    from lidr_plugin.dataset.build import Built
    from lidr_plugin.dataset.dryrun import DryRun
    from lidr_plugin.errors import EngineError, InputError, Interrupted, LidrError, RequestError, RunError, StoreError
    from lidr_plugin.evaluation.benchmarks.base import Benchmark, Question
    from lidr_plugin.evaluation.judge_check import JudgeCheck
    from lidr_plugin.evaluation.results import Probe, Results
    from lidr_plugin.methods.base import Ask, Drop, Method, Outcome, Preference, Reason, Sft, Text
    from lidr_plugin.methods.filters import Filter, filters_of
    from lidr_plugin.prompts.prompt import Prompt, PromptText
    from lidr_plugin.rounds.make_prompts import MadePrompts
    from lidr_plugin.training.plan import Plan
    from lidr_plugin.training.train import Say, Trained

__version__ = "0.1.0"

_HOMES = {
    "completions.engines.base": "NamedEngine",
    "completions.requests": "Chat Completion Message Sampling Score Scored",
    "completions.steps": "Steps both together",
    "config.schema": "Config",
    "errors": "EngineError InputError Interrupted LidrError RequestError RunError StoreError",
    "evaluation.benchmarks.base": "Benchmark Question",
    "methods.base": "Ask Drop Method Outcome Preference Reason Sft Text",
    "methods.filters": "Filter filters_of",
    "prompts.prompt": "Prompt PromptText",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}
__all__ = [
    "Ask",
    "Benchmark",
    "Chat",
    "Completion",
    "Config",
    "Drop",
    "EngineError",
    "Filter",
    "InputError",
    "Interrupted",
    "LidrError",
    "Message",
    "Method",
    "NamedEngine",
    "Outcome",
    "Preference",
    "Prompt",
    "PromptText",
    "Question",
    "Reason",
    "RequestError",
    "RunError",
    "Sampling",
    "Score",
    "Scored",
    "Sft",
    "Steps",
    "StoreError",
    "Text",
    "both",
    "build_pairs",
    "configure",
    "dry_run",
    "evaluate",
    "filters_of",
    "iterate",
    "judge_check",
    "load",
    "make_prompts",
    "merge",
    "plan",
    "preview",
    "probe",
    "report",
    "together",
    "train",
]


def __getattr__(name: str) -> Any:
    """The names of `__all__` that live elsewhere, imported when they are asked for (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def load(path: str | Path, *overrides: str) -> Config:
    """The configuration of a file, with overrides such as `engine.concurrency=64`; raises `InputError` with every problem."""
    from lidr_plugin.config.file import load as read

    return read(Path(path), overrides)


def configure(**values: Any) -> Config:
    """The configuration with these values at its keys, without a file; relative paths start from the working directory.

        lidr.configure(model_name_or_path="…", languages=["de"], prompts="{language}.jsonl", train={"method": "lora"})

    Raises:
        InputError: with every problem of the values.
    """
    from lidr_plugin.config.file import config_of

    return config_of(values)


def build_pairs(
    config: Config,
    *,
    shard: str | None = None,
    method: Method | None = None,
    filters: Sequence[Filter] | None = None,
    engine: NamedEngine | None = None,
) -> Built:
    """Runs a method to its dataset, recipe and page; what is in the store already is not asked again.

    Args:
        shard: `K/N`: only the K-th of N slices of the prompts, in `shards/<K>-of-<N>`, with a store of its own.
        method: in place of the one that the configuration names.
        filters: in place of those of the configuration, for its method: `[*filters_of(config), mine]`.
        engine: who answers in place of the configuration's engine.

    Raises:
        InputError: something is wrong with the input; nothing was written.
        RunError: the run failed; the same call goes on from there.
    """
    from lidr_plugin.rounds.build import build_pairs as build

    return build(config, shard, method=method, filters=filters, engine=engine)


def make_prompts(config: Config, *, engine: NamedEngine | None = None) -> MadePrompts:
    """Has the model write the prompt files that the configuration names: see `rounds.make_prompts`."""
    from lidr_plugin.rounds.make_prompts import make_prompts as make

    return make(config, engine=engine)


def merge(config: Config, *, parquet: bool = False, command: str = "lidr build-pairs CONFIG") -> Built:
    """Puts the shards of a run together: the same bytes as the run without shards.

    Args:
        parquet: writes the dataset as Parquet files too.
        command: builds a shard, but for its `--shard K/N`; for the error that says what is to be done.

    Raises:
        InputError: a shard is missing, unfinished or made with other settings; nothing was written.
        RunError: a shard's files were damaged.
    """
    from lidr_plugin.rounds.build import merge as put_together

    return put_together(config, parquet=parquet, command=command)


def dry_run(config: Config, *, shard: str | None = None, method: Method | None = None) -> DryRun:
    """Checks all that `build_pairs` would meet, asks nothing and writes nothing.

    Raises:
        InputError: as the run itself would. A server that is not there is in the result, for the rest is worth seeing.
    """
    from lidr_plugin.rounds.build import dry_run as rehearse

    return rehearse(config, shard, method=method)


def preview(config: Config, *, prompts: int = 3, method: Method | None = None) -> list[Outcome]:
    """Takes the first prompts to their rows, and writes completions alone; raises as `build_pairs`."""
    from lidr_plugin.rounds.preview import preview as look

    return look(config, prompts, method=method)


def probe(config: Config, *, sample: int = 64, mexa: bool = False) -> Probe:
    """Measures the imbalance on a sample of the prompts, before anything is trained; with `mexa` hidden layers too.

    Raises:
        InputError: something is wrong with the input, or every prompt of the sample asks for a translation.
        RunError: a request failed for good; what was answered is kept.
    """
    from lidr_plugin.evaluation.probe import probe as measure

    return measure(config, sample=sample, mexa=mexa)


def train(config: Config, *, restart: bool = False, say: Callable[[str], None] = print) -> Trained:
    """Trains on what was built, merges and verifies; goes on where an earlier call was interrupted.

    Args:
        restart: removes what an earlier training left, and begins anew.
        say: is told what happens, line by line.

    Raises:
        InputError: something is wrong with the configuration, the dataset or the template.
        RunError: the training or the merge failed.
    """
    from lidr_plugin.pages import renew_page
    from lidr_plugin.training.train import train as run

    trained = run(config, restart=restart, say=say)
    if trained.state:  # a further node leaves the page to the first
        renew_page(trained.run)
    return trained


def plan(config: Config, *, gpus: str | None = None) -> Plan:
    """What each way of training needs: memory, batch, steps, time, disk.

    Args:
        gpus: how many, and how many GB each has, as `8x80`; None: those of this machine.

    Raises:
        InputError: the model's shape cannot be told.
    """
    from lidr_plugin.training.plan import parse_gpus
    from lidr_plugin.training.plan import plan as estimate

    return estimate(config, None if gpus is None else parse_gpus(gpus))


def evaluate(config: Config, *, benchmarks: Sequence[Benchmark] | None = None) -> Results:
    """Measures one model or several side by side on what the section `eval` names.

    Args:
        benchmarks: in place of those that the configuration names.

    Raises:
        InputError: nothing is to be measured, or a file or a model is not there.
        RunError: a request failed for good; what was answered is kept.
    """
    from lidr_plugin.evaluation.evaluate import evaluate as measure
    from lidr_plugin.pages import renew_page
    from lidr_plugin.run_directory import RunDirectory

    results = measure(config, benchmarks=benchmarks)
    renew_page(RunDirectory.of(config.output_dir, config.store))
    return results


def judge_check(config: Config, preferences: Path) -> JudgeCheck:
    """How often the judge of `eval.judge` is right, in each language of the run: see `evaluation.judge_check`."""
    from lidr_plugin.evaluation.judge_check import judge_check as check

    return check(config, preferences)


def iterate(
    config: Config, *, until: str = "eval", only: int | None = None, ray: str | None = None, say: Say = print
) -> dict[str, Any]:
    """Rounds of probe, build, train and evaluate, each stage a process of its own; what is finished is not repeated.

    Args:
        until: the last stage of every round: `probe`, `build`, `train` or `eval`.
        only: this round alone.
        ray: the address of a Ray cluster (`auto`, `local`, `HOST:6379`) that builds each round in shards.
        say: is told what happens, line by line.

    Returns:
        By stage, the settings that it was done with.

    Raises:
        InputError: a finished stage was done with other settings, or nothing tells the rounds' prompts apart.
        RunError: a stage failed, or the gate stopped the loop.
    """
    from lidr_plugin.rounds.iterate import iterate as run

    return run(config, until=until, only=only, ray=ray, say=say)


def report(run_dir: str | Path) -> list[Path]:
    """Renders the page of a run, or of the rounds in it, again from its files; returns what was written.

    Raises:
        InputError: there is no run, or a file of it is damaged.
        RunError: the page cannot be written.
    """
    from lidr_plugin.pages import write_page
    from lidr_plugin.run_directory import RunDirectory

    return write_page(RunDirectory(Path(run_dir)))
