"""The lm-evaluation-harness in its own environment: which tasks it runs for which languages, and what they came to."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, Field

from lidr_plugin import files, languages
from lidr_plugin.config.evaluation import LmEval
from lidr_plugin.config.schema import Config
from lidr_plugin.errors import InputError, RunError
from lidr_plugin.evaluation.benchmarks import mgsm
from lidr_plugin.evaluation.changes import Change
from lidr_plugin.evaluation.intervals import Estimate
from lidr_plugin.evaluation.lm_eval_answers import Groups, changes_of, tasks_below
from lidr_plugin.evaluation.results import plain
from lidr_plugin.machine.children import ended
from lidr_plugin.machine.environments import python_of
from lidr_plugin.machine.inputs import is_there, made_by, read_record
from lidr_plugin.machine.loopback import without_proxy

_DATA = json.loads(Path(__file__).with_suffix(".json").read_bytes())
FAMILIES: Mapping[str, Mapping[str, str]] = _DATA["families"]
"""Tasks by family and language in lm-eval 0.4.13. `m_mmlu`, `arc`, `hellaswag` and `truthfulqa` are Okapi's machine translations
(Lai et al. 2023); docs/evaluation.md says of each where its questions come from."""
_NAMED = dict.fromkeys(("hf", "vllm", "sglang"), "pretrained")
"""What lm-eval's kinds of model call the model; the others call it `model`."""
_SHOWN = 12
"""Last lines of a failed harness's log that are shown: enough for its error, which comes last."""

Metrics = Mapping[str, Mapping[str, Estimate]]
"""By task and metric."""


class Tasks(NamedTuple):
    """Names of lm-eval's tasks, and the families that have none in a language."""

    names: list[str]
    skipped: list[str]


def tasks_of(wanted: Sequence[str], codes: Sequence[str]) -> Tasks:
    """A family's tasks in every language that it has; `{language}` filled in; any other name as it is."""
    families = {**FAMILIES, "mgsm": {code: f"lidr_mgsm_{code}" for code in mgsm.LANGUAGES}}
    found = Tasks([], [])
    for task in wanted:
        for code in codes:
            if task not in families:
                found.names.append(task.replace("{language}", code))
            elif name := families[task].get(languages.base(code)):
                found.names.append(name)
            else:
                found.skipped.append(f"{task}: not in {languages.name_of(code)}")
    return found._replace(names=list(dict.fromkeys(found.names)))


@dataclass(frozen=True, slots=True)
class _Done:
    """What was run before, with which settings, and lm-eval's own file of it, from the harness's folder on."""

    settings: dict[str, Any]
    results: dict[str, dict[str, Estimate]]
    file: str = ""


class _Found(BaseModel, frozen=True):
    """The part of lm-eval's own results that is taken over.

    By task the metrics, how many answers, whether more is better, and what a group is made of.
    """

    results: dict[str, dict[str, Any]]
    samples: dict[str, dict[str, int]] = Field(default={}, alias="n-samples")
    higher_is_better: dict[str, dict[str, bool | None]] = Field(default={})
    groups: Groups = Field(default={}, alias="group_subtasks")


class Harness:
    """The harness, made ready: interpreter, tasks, and where its files go.

    Raises:
        InputError: there is no environment, or no task in any language of the run.
    """

    def __init__(self, config: Config, folder: Path) -> None:
        assert config.eval.lm_eval is not None
        wanted = config.eval.lm_eval
        self._config = config
        self._wanted = wanted
        self._mgsm_files = mgsm.files_of(config)
        self._folder = folder
        self._python = _interpreter(wanted)
        self._own = (config.folder / wanted.include_path).absolute() if wanted.include_path else None
        self.tasks = tasks_of(wanted.tasks, config.codes)
        if self._own and not os.path.isdir(self._own):
            raise InputError(f"eval.lm_eval.include_path: {self._own}: no such folder")
        if not self.tasks.names:
            skipped = "; ".join(self.tasks.skipped)
            raise InputError(f"eval.lm_eval.tasks: {skipped}", "`lm-eval ls tasks` lists them all")
        if "mgsm" in wanted.tasks and self._mgsm_files is None:
            hint = "or name a task of lm-eval: mgsm_native_cot_{language}"
            raise InputError("eval.lm_eval.tasks: mgsm needs eval.mgsm", hint)

    def run(self, label: str, model: str, weights: str) -> Metrics:
        """A model's metrics. Done before with the same settings, nothing is run.

        Raises:
            InputError: the file of what was done before is damaged.
            RunError: the harness failed; with the end of what it said.
        """
        file, settings = self._folder / f"{label}.json", self._settings(model, weights)
        if is_there(file) and (done := self._done(label)).settings == settings:
            return done.results
        output, log = self._folder / label, self._folder / f"{label}.log"
        before = _results_in(output)
        # API models of lm-eval want a key, also for servers that ask for none.
        home = without_proxy(os.environ, str(self._wanted.model_args.get("base_url", "")))
        env = {"OPENAI_API_KEY": "none", **os.environ, **home, "TOKENIZERS_PARALLELISM": "false"}
        command = self._command(model, output, self._cache(label, settings))
        status = ended(command, log, folder=self._config.folder.absolute(), env=env)
        results = sorted(path for path, _ in _results_in(output) - before)
        if status or not results:
            end = "\n".join(
                f"  {line}" for line in log.read_text(encoding="utf-8", errors="replace").splitlines()[-_SHOWN:]
            )
            raise RunError(f"lm-eval failed for {label}:\n{end}", f"{log} has the whole of it")
        with made_by("lm-eval"):
            found = read_metrics(results[-1], self.tasks.names, f"{log} may say more")
        files.write_json(file, plain(_Done(settings, found, str(results[-1].relative_to(self._folder)))))
        return found

    def changes(self, before: str, after: str) -> dict[str, dict[str, Change]]:
        """By task and metric, how the answers of two models differ that were run; question by question where the samples are there.

        Raises:
            InputError: a file of what was done is damaged.
        """
        old, new = self._done(before), self._done(after)
        places = [self._folder / done.file if done.file else None for done in (old, new)]
        return changes_of(old.results, new.results, *places)

    def _done(self, label: str) -> _Done:
        file = self._folder / f"{label}.json"
        return read_record(_Done, file, "remove it: lm-eval goes on from a cache of its own")

    def _settings(self, model: str, weights: str) -> dict[str, Any]:
        wanted = self._wanted.model_dump(mode="json", exclude={"python"})
        named = {"tasks": self.tasks.names, "model_name": model, "weights": weights, "mgsm": self._mgsm_files}
        return {**wanted, **named}

    def _cache(self, label: str, settings: Mapping[str, Any]) -> Path:
        """Where lm-eval keeps its answers, so that a killed run goes on; one file for what they depend on, tasks aside."""
        kept = json.dumps({key: settings[key] for key in ("model", "model_args", "args", "weights")}, sort_keys=True)
        return self._folder / f"{label}-{hashlib.sha256(kept.encode()).hexdigest()[:12]}"

    def _include(self) -> Path | None:
        """The folder of further tasks. lm-eval takes one alone: where MGSM comes to the user's own, they are copied beside it."""
        if "mgsm" not in self._wanted.tasks or self._mgsm_files is None:
            return self._own
        folder = self._folder / ".tasks"  # a name that nobody gives to tasks of their own
        shutil.rmtree(folder, ignore_errors=True)
        if self._own:
            shutil.copytree(self._own, folder)
        for code in dict.fromkeys(map(languages.base, self._config.codes)):
            if code in mgsm.LANGUAGES:
                file = self._mgsm_files.replace("{language}", code)
                task = mgsm_task(file, code, self._config.eval.max_tokens)
                files.write_json(folder / f"{task['task']}.yaml", task)
        return folder

    def _command(self, model: str, output: Path, cache: Path) -> list[str]:
        wanted, place, include = self._wanted, Path(os.path.expanduser(model)), self._include()
        named = {_NAMED.get(wanted.model, "model"): str(place.absolute()) if os.path.isdir(place) else model}
        if "," in next(iter(named.values())):
            raise InputError(f"eval.lm_eval: {model}: lm-eval takes what follows a comma for an argument", "rename it")
        arguments = ",".join(f"{key}={value}" for key, value in {**named, **wanted.model_args}.items())
        return [
            *(str(self._python), "-m", "lm_eval", "run", "--model", wanted.model, "--model_args", arguments),
            *("--tasks", ",".join(self.tasks.names), *(["--include_path", str(include)] if include else [])),
            *("--output_path", str(output), "--log_samples", "--use_cache", str(cache)),
            *(word for key, value in wanted.args.items() for word in _flag(key, value)),
            *(["--trust_remote_code"] if self._config.trust_remote_code else []),
        ]


def mgsm_task(file: str, code: str, max_tokens: int) -> dict[str, Any]:
    """MGSM on a local file as a task of lm-eval, with lidr's questions and the harness's own scorer."""
    template = _DATA["mgsm"]
    return {
        **template,
        "task": f"lidr_mgsm_{code}",
        "dataset_kwargs": {"data_files": {"test": file}},
        "doc_to_text": mgsm.turn("{{query}}", code),
        "generation_kwargs": {**template["generation_kwargs"], "max_gen_toks": max_tokens},
    }


def _flag(key: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{key}"] if value else []
    return [f"--{key}", str(value)]


def _interpreter(wanted: LmEval) -> Path:
    if wanted.python:
        return Path(os.path.expanduser(wanted.python)).absolute()
    if found := python_of("eval"):
        return found
    hint = "`lidr env create eval`, or set eval.lm_eval.python"
    raise InputError("eval.lm_eval: the lm-evaluation-harness is not installed", hint)


def read_metrics(results: Path, wanted: Sequence[str], remedy: str = "") -> dict[str, dict[str, Estimate]]:
    """By task and metric, from lm-eval's own file, which has `acc,none` and `acc_stderr,none`.

    A group that was wanted stands for its tasks, of which there are up to sixty in a language.

    Raises:
        InputError: the file is damaged.
    """
    found = read_record(_Found, results, remedy)
    metrics: dict[str, dict[str, Estimate]] = {}
    measured = {task for task, values in found.results.items() if any("," in key for key in values)}
    told = {below for task in measured.intersection(wanted) for below in tasks_below(found.groups, task)} - {*wanted}
    for task, values in found.results.items():
        if task in told:
            continue
        for key, value in values.items():
            metric, _, chosen = key.partition(",")
            if isinstance(value, int | float) and chosen and not metric.endswith("_stderr"):
                error = values.get(f"{metric}_stderr,{chosen}")
                name = metric if chosen == "none" else f"{metric} ({chosen})"
                better = found.higher_is_better.get(task, {}).get(metric)
                total = _answers(found, task) if better else None
                stderr = error if isinstance(error, int | float) else None
                metrics.setdefault(task, {})[name] = Estimate(value, stderr, total)
    return metrics


def _answers(found: _Found, task: str) -> int | None:
    """How many there are to a task, or to all tasks of a group; None where lm-eval does not say."""
    return sum(found.samples.get(x, {}).get("effective", 0) for x in {task, *tasks_below(found.groups, task)}) or None


def _results_in(folder: Path) -> set[tuple[Path, int]]:
    """The harness's files of results, with the time of each: those of earlier runs are left alone."""
    return {(path, path.stat().st_mtime_ns) for path in folder.rglob("results_*.json")}
