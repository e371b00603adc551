"""The lm-evaluation-harness in its own environment: which tasks it runs for which languages, and what they came to."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import TypeAdapter

from lidr_plugin import files, languages
from lidr_plugin.config.evaluation import LmEval
from lidr_plugin.config.schema import Config
from lidr_plugin.errors import InputError, RunError
from lidr_plugin.evaluation.benchmarks import mgsm
from lidr_plugin.evaluation.results import Metric, plain, read
from lidr_plugin.machine.environments import python_of
from lidr_plugin.machine.children import guarded

_OKAPI = frozenset(
    "ar bn ca da de es eu fr gu hi hr hu hy id it kn ml mr ne nl pt ro ru sk sr sv ta te uk vi zh".split()
)
"""Languages of the Okapi translations of ARC, HellaSwag, MMLU and TruthfulQA (Lai et al. 2023) in lm-eval 0.4.13."""
_LACKING = {"arc": frozenset(), "m_mmlu": frozenset(), "truthfulqa": frozenset(), "hellaswag": frozenset({"zh"})}
_PATTERNS = {"arc": "arc_{}", "m_mmlu": "m_mmlu_{}", "hellaswag": "hellaswag_{}", "truthfulqa": "truthfulqa_{}_mc1"}
_ENGLISH = {"arc": "arc_challenge", "m_mmlu": "m_mmlu_en", "hellaswag": "hellaswag", "truthfulqa": "truthfulqa_mc1"}
_BELEBELE = {
    code: name
    for name in (
        "af:afr_Latn am:amh_Ethi ar:arb_Arab az:azj_Latn bg:bul_Cyrl bn:ben_Beng ca:cat_Latn cs:ces_Latn da:dan_Latn "
        "de:deu_Latn el:ell_Grek en:eng_Latn es:spa_Latn et:est_Latn eu:eus_Latn fa:pes_Arab fi:fin_Latn fr:fra_Latn "
        "gu:guj_Gujr ha:hau_Latn he:heb_Hebr hi:hin_Deva hr:hrv_Latn hu:hun_Latn hy:hye_Armn id:ind_Latn ig:ibo_Latn "
        "is:isl_Latn it:ita_Latn ja:jpn_Jpan ka:kat_Geor kk:kaz_Cyrl km:khm_Khmr kn:kan_Knda ko:kor_Hang lo:lao_Laoo "
        "lt:lit_Latn lv:lvs_Latn mk:mkd_Cyrl ml:mal_Mlym mn:khk_Cyrl mr:mar_Deva ms:zsm_Latn my:mya_Mymr ne:npi_Deva "
        "nl:nld_Latn no:nob_Latn pa:pan_Guru pl:pol_Latn pt:por_Latn ro:ron_Latn ru:rus_Cyrl si:sin_Sinh sk:slk_Latn "
        "sl:slv_Latn so:som_Latn sq:als_Latn sr:srp_Cyrl sv:swe_Latn sw:swh_Latn ta:tam_Taml te:tel_Telu th:tha_Thai "
        "tl:tgl_Latn tr:tur_Latn uk:ukr_Cyrl ur:urd_Arab uz:uzn_Latn vi:vie_Latn yo:yor_Latn zh:zho_Hans zu:zul_Latn"
    ).split()
    for code, _, name in [name.partition(":")]
}
"""Belebele's name of a language (FLORES-200)."""
_FLEXIBLE = r"(-?[$0-9.,]{2,})|(-?[0-9]+)"
"""The pattern of `flexible-extract` in lm-eval's MGSM tasks; the last match counts."""
_NAMED = dict.fromkeys(("hf", "vllm", "sglang"), "pretrained")
"""What lm-eval's kinds of model call the model; the others call it `model`."""
_SHOWN = 12
"""Last lines of a failed harness's log: enough for the end of a traceback."""


class Tasks(NamedTuple):
    """Names of lm-eval's tasks, and the families that have none in a language."""

    names: list[str]
    skipped: list[str]


def tasks_of(wanted: Sequence[str], codes: Sequence[str]) -> Tasks:
    """A family's tasks in every language that it has; `{language}` filled in; any other name as it is."""
    found = Tasks([], [])
    for task in wanted:
        for code in codes:
            base = languages.base(code)
            if "{language}" in task:
                found.names.append(task.replace("{language}", code))
            elif name := _name(task, base):
                found.names.append(name)
            else:
                found.skipped.append(f"{task}: not in {languages.name_of(code)}")
    return Tasks(list(dict.fromkeys(found.names)), found.skipped)


def _name(task: str, base: str) -> str | None:
    if task == "belebele":
        return f"belebele_{_BELEBELE[base]}" if base in _BELEBELE else None
    if task == "mgsm":
        return f"lidr_mgsm_{base}" if base in mgsm.LANGUAGES else None
    if task not in _PATTERNS:
        return task
    if base == "en":
        return _ENGLISH[task]
    return _PATTERNS[task].format(base) if base in _OKAPI - _LACKING[task] else None


def write_mgsm_tasks(folder: Path, pattern: str, codes: Sequence[str], max_tokens: int) -> None:
    """MGSM on local files as tasks of lm-eval, in its YAML, with lidr's questions and the harness's own scorer."""
    for code in codes:
        question = mgsm.turn("{{query}}", code)
        task = {
            "task": f"lidr_mgsm_{code}",
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": pattern.replace("{language}", code)}},
            "test_split": "test",
            "output_type": "generate_until",
            "doc_to_text": question,
            "doc_to_target": "{{response}}",
            "generation_kwargs": {"until": [], "do_sample": False, "temperature": 0.0, "max_gen_toks": max_tokens},
            "filter_list": [
                {
                    "name": "flexible-extract",
                    "filter": [
                        {"function": "regex", "group_select": -1, "regex_pattern": _FLEXIBLE},
                        {"function": "take_first"},
                    ],
                }
            ],
            "metric_list": [
                {
                    "metric": "exact_match",
                    "aggregation": "mean",
                    "higher_is_better": True,
                    "ignore_case": True,
                    "ignore_punctuation": True,
                }
            ],
            "metadata": {"version": 1.0},
        }
        files.write_text(folder / f"lidr_mgsm_{code}.yaml", yaml.safe_dump(task, allow_unicode=True, sort_keys=False))


@dataclass(frozen=True, slots=True)
class _Finished:
    """What was run for a model, with the settings that it was run with."""

    settings: dict[str, Any]
    results: dict[str, dict[str, Metric]]


class Harness:
    """The harness, made ready: interpreter, tasks, and where its files go.

    Raises:
        InputError: there is no environment, or no task in any language of the run.
    """

    def __init__(self, config: Config, wanted: LmEval, folder: Path) -> None:
        self._config = config
        self._wanted = wanted
        self._mgsm_files = mgsm.files_of(config)
        self._folder = folder
        self._base = config.folder.absolute()
        self._python = _interpreter(wanted)
        self.tasks = tasks_of(wanted.tasks, config.codes)
        if wanted.include_path and not (config.folder / wanted.include_path).is_dir():
            raise InputError(f"eval.lm_eval.include_path: {config.folder / wanted.include_path}: no such folder")
        if not self.tasks.names:
            raise InputError(
                f"eval.lm_eval.tasks: {'; '.join(self.tasks.skipped)}", "`lm-eval ls tasks` lists them all"
            )
        if "mgsm" in wanted.tasks and self._mgsm_files is None:
            raise InputError(
                "eval.lm_eval.tasks: mgsm needs eval.mgsm", "or name a task of lm-eval: mgsm_native_cot_{language}"
            )

    @classmethod
    def of(cls, config: Config, folder: Path) -> "Harness | None":
        """As a configuration wants it; None if it does not."""
        return cls(config, config.eval.lm_eval, folder) if config.eval.lm_eval else None

    @property
    def notes(self) -> list[str]:
        """For people, what is not measured and why."""
        return [f"lm-eval: {task}" for task in self.tasks.skipped]

    def run(self, label: str, model: str, weights: str) -> Mapping[str, Mapping[str, Metric]]:
        """A model's metrics by task. Done before with the same settings, nothing is run.

        Raises:
            InputError: the file of what was done before is damaged.
            RunError: the harness failed; with the end of what it said.
        """
        done, settings = self._folder / f"{label}.json", self._settings(model, weights)
        if done.exists():
            known = read(TypeAdapter(_Finished), done, "remove it: lm-eval goes on from its own cache")
            if known.settings == settings:
                return known.results
        output, log = self._folder / label, self._folder / f"{label}.log"
        shutil.rmtree(output, ignore_errors=True)
        status = self._ended(self._command(model, output, self._cache(label, settings)), log)
        results = sorted(output.rglob("results_*.json"))
        if status or not results:
            end = "\n".join(f"  {line}" for line in log.read_text(errors="replace").splitlines()[-_SHOWN:])
            raise RunError(f"lm-eval failed for {label}:\n{end}", f"{log} has the whole of it")
        found = _metrics(json.loads(results[-1].read_bytes())["results"])
        files.write_json(done, plain(_Finished(settings, found)))
        return found

    def _ended(self, command: list[str], log: Path) -> int:
        """The exit status of a command whose output goes to `log`."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as file:
            child = subprocess.Popen(
                guarded(command), stdout=file, stderr=file, cwd=self._base, start_new_session=True, env=_environment()
            )
            try:
                return child.wait()
            except KeyboardInterrupt:
                child.terminate()
                child.wait()
                raise

    def _settings(self, model: str, weights: str) -> dict[str, Any]:
        wanted = self._wanted.model_dump(mode="json", exclude={"python"})
        return {
            **wanted,
            "tasks": self.tasks.names,
            "model_name": model,
            "weights": weights,
            "mgsm": self._mgsm_files,
        }

    def _cache(self, label: str, settings: Mapping[str, Any]) -> Path:
        """Where lm-eval keeps its answers, so that a killed run goes on; one file for what they depend on, tasks aside."""
        kept = json.dumps({key: settings[key] for key in ("model", "model_args", "args", "weights")}, sort_keys=True)
        return self._folder / f"{label}-{hashlib.sha256(kept.encode()).hexdigest()[:12]}"

    def _include(self) -> list[str]:
        """The folder of further tasks. lm-eval takes one alone: where MGSM comes to the user's own, they are copied beside it."""
        own = self._base / self._wanted.include_path if self._wanted.include_path else None
        if "mgsm" not in self._wanted.tasks or self._mgsm_files is None:
            return ["--include_path", str(own)] if own else []
        folder = self._folder / "tasks"
        shutil.rmtree(folder, ignore_errors=True)
        if own:
            shutil.copytree(own, folder)
        known = [code for code in map(languages.base, self._config.codes) if code in mgsm.LANGUAGES]
        write_mgsm_tasks(folder, self._mgsm_files, known, self._config.eval.max_tokens)
        return ["--include_path", str(folder)]

    def _command(self, model: str, output: Path, cache: Path) -> list[str]:
        wanted = self._wanted
        place = Path(model).expanduser()
        named = {_NAMED.get(wanted.model, "model"): str(place.absolute()) if place.is_dir() else model}
        arguments = {**named, **wanted.model_args}
        return [
            *(str(self._python), "-m", "lm_eval", "run", "--model", wanted.model),
            *("--model_args", ",".join(f"{key}={value}" for key, value in arguments.items())),
            *("--tasks", ",".join(self.tasks.names)),
            *self._include(),
            *("--output_path", str(output), "--log_samples", "--use_cache", str(cache)),
            *(word for key, value in wanted.args.items() for word in _flag(key, value)),
            *(["--trust_remote_code"] if self._config.trust_remote_code else []),
        ]


def _flag(key: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{key}"] if value else []
    return [f"--{key}", str(value)]


def _environment() -> dict[str, str]:
    """The child's: API models of lm-eval want a key, also for servers that ask for none."""
    return {"OPENAI_API_KEY": "none", **os.environ, "TOKENIZERS_PARALLELISM": "false"}


def _interpreter(wanted: LmEval) -> Path:
    if wanted.python:
        return Path(wanted.python).expanduser().absolute()
    if found := python_of("eval"):
        return found
    raise InputError(
        "eval.lm_eval: the lm-evaluation-harness is not installed", "`lidr env create eval`, or set eval.lm_eval.python"
    )


def _metrics(results: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Metric]]:
    """By task and metric. lm-eval writes `acc,none` and `acc_stderr,none`."""
    found: dict[str, dict[str, Metric]] = {}
    for task, values in results.items():
        for key, value in values.items():
            metric, _, chosen = key.partition(",")
            if isinstance(value, int | float) and chosen and not metric.endswith("_stderr"):
                error = values.get(f"{metric}_stderr,{chosen}")
                name = metric if chosen == "none" else f"{metric} ({chosen})"
                found.setdefault(task, {})[name] = Metric(value, error if isinstance(error, int | float) else None)
    return found
