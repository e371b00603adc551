"""Reads what the stages of a run left in its files."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from lidr_plugin.completions.engines.fingerprint import sha256_of
from lidr_plugin.errors import InputError
from lidr_plugin.evaluation.results import Results, read_probe, read_results
from lidr_plugin.machine.inputs import is_there, read, read_record
from lidr_plugin.machine.secrets import without_secrets
from lidr_plugin.pages.records import COUNTS, Answers, Build, Model, Page, Point, Round, Training
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training.llamafactory_cli import step_of
from lidr_plugin.training.state import read_state

T = TypeVar("T")
_LOGGED = ("loss", "rewards/accuracies", "rewards/margins")
"""What LLaMA-Factory calls the numbers of a `Point` in `trainer_state.json`."""
_MOST_STEPS = 10**12
_ANEW = "make it anew with the stage that writes it"
_ANSWERS = 4
"""Prompts of each language whose answers are shown: enough for an impression, few enough to scroll past."""


@dataclass(frozen=True, slots=True)
class _TrainerState:
    """The part of LLaMA-Factory's `trainer_state.json` that is shown."""

    log_history: list[dict[str, Any]] = field(default_factory=list)


def collect(top: RunDirectory) -> Page:
    """All that there is of a run, or of the rounds below it.

    Raises:
        InputError: nothing there is a run's, or a file of it is damaged.
    """
    numbers = sorted(int(path.name[4:]) for path in top.path.glob("iter*") if path.name[4:].isdecimal())
    runs = {number: top.round(number) for number in numbers} or {1: top}
    rounds = [_round(number, run) for number, run in runs.items()]
    measured = {number: read_results(run.eval_results) for number, run in runs.items() if is_there(run.eval_results)}
    if not measured and not any(x.build or x.training or x.signal for x in rounds):
        raise InputError(
            f"{top.path}: no run of lidr there", "name the output_dir of build-pairs, train, eval or iterate"
        )
    models = {
        label: Model(found.models.get(label), found.weights.get(label), results)
        for found in measured.values()
        for label, results in found.results.items()
    }
    return Page(
        name=top.path.absolute().name,
        in_rounds=bool(numbers),
        total=_total([x.build for x in rounds if x.build]),
        rounds=rounds,
        models=models,
        head_to_head={number: found.head_to_head for number, found in measured.items() if found.head_to_head},
        answers=list(_answers([runs[number] for number in measured], models)),
        notes=[
            f"Round {x.round}: {note}" if numbers else note
            for x in rounds
            for note in _notes(x, runs[x.round], measured.get(x.round))
        ],
    )


def there(path: Path, kind: type[T]) -> T | None:
    """What a JSON file says; None if it is not there. Raises `InputError` where it is damaged."""
    return read_record(kind, path, _ANEW) if is_there(path) else None


def _round(number: int, run: RunDirectory) -> Round:
    # Of a run that was evaluated and not built the page alone wrote the file.
    built = "prompts" in (there(run.report_json, dict[str, Any]) or {})
    card = run.checkpoint / "README.md"
    text = read(card).decode(errors="replace") if is_there(card) else ""
    build = there(run.report_json, Build) if built else None
    probe = read_probe(run.probe_json) if is_there(run.probe_json) else None
    return Round(
        round=number,
        build=build,
        signal=probe.signal if probe else None,
        training=_training(run),
        configuration=without_secrets(there(run.config, dict[str, Any]) or {}),
        verdicts={**(build.verdicts if build else {}), **(probe.verdicts if probe else {})},
        versions=dict(re.findall(r"^- ([A-Z]\w+) (\d[\w.+]*)$", text, re.MULTILINE)),
    )


def _total(builds: Sequence[Build]) -> Build | None:
    if len(builds) < 2:
        return builds[0] if builds else None
    total = _sum([{name: getattr(x, name) for name in COUNTS[:-2]} for x in builds])
    rate = total["tokens"]["completion"] / total["seconds"] if total["seconds"] else 0.0
    return Build(**total, tokens_per_second=rate, model_name_or_path=builds[0].model_name_or_path)


def _sum(values: Sequence[Any]) -> Any:
    """Of numbers, or of dictionaries key by key."""
    if not isinstance(values[0], dict):
        return sum(values)
    return {key: _sum([x[key] for x in values if key in x]) for key in dict.fromkeys(key for x in values for key in x)}


def _training(run: RunDirectory) -> Training | None:
    """The curves of a training under way come from its last checkpoint."""
    state = read_state(run)
    if state is None:
        return None
    checkpoints = run.checkpoint.glob("checkpoint-[0-9]*/trainer_state.json")
    newest = sorted(checkpoints, key=lambda path: -step_of(path.parent))
    logs = (there(path, _TrainerState) for path in (run.checkpoint / "trainer_state.json", *newest))
    log = next((found.log_history for found in logs if found), [])
    return Training(
        status=state.status,
        settings=without_secrets(state.training),
        merge=state.merge.model_dump() if state.merge else None,
        curve=list(_curve(log, "")),
        held_out=list(_curve(log, "eval_")),
    )


def _curve(log: Sequence[Mapping[str, Any]], prefix: str) -> Iterator[Point]:
    seen = set()
    for line in log:
        step = line.get("step")
        if f"{prefix}loss" in line and isinstance(step, int) and 0 <= step < _MOST_STEPS and step not in seen:
            seen.add(step)
            numbers = (line.get(prefix + name) for name in _LOGGED)
            yield Point(step, *(number if isinstance(number, int | float) else None for number in numbers))


def _answers(runs: Sequence[RunDirectory], models: Mapping[str, Model]) -> Iterator[Answers]:
    """The same prompts' answers by all models, evenly spread over the prompts."""
    outputs: dict[str, dict[str, dict[str, str]]] = {}
    for run in runs:
        for path in sorted(run.eval_results.parent.glob("*.alpaca_eval.*.json")):
            label, _, language = path.name.removesuffix(".json").partition(".alpaca_eval.")
            if label in models and language in models[label].results.get("prompts", {}):
                for row in there(path, list[dict[str, str]]) or ():
                    answers = outputs.setdefault(language, {}).setdefault(row.get("instruction", ""), {})
                    answers[label] = row.get("output", "")
    for language in dict.fromkeys(code for model in models.values() for code in model.results.get("prompts", {})):
        prompts = list(outputs.get(language, {}).items())
        count = min(_ANSWERS, len(prompts))
        for prompt, said in [prompts[number * len(prompts) // count] for number in range(count)]:
            yield Answers(language, prompt, {label: said[label] for label in models if label in said})


def _notes(found: Round, run: RunDirectory, results: Results | None) -> Iterator[str]:
    """Where a stage was repeated with other settings, and what came after it was not."""
    if found.training:
        rows = run.dataset(str(found.training.settings.get("dataset")))
        if os.path.isfile(rows) and sha256_of(rows) != found.training.settings.get("dataset_sha256"):
            yield "The rows were made anew after the training: its curves and its model belong to the rows before."
    if not results:
        return
    if found.build and found.build.model_name_or_path not in results.models.values():
        listed = ", ".join(f"{label} ({path})" for label, path in results.models.items())
        yield f"The rows are {found.build.model_name_or_path}'s, which was not measured; the results are of {listed}."
    at = run.eval_results.stat().st_mtime
    for label, path in results.models.items():
        if any(weights.stat().st_mtime > at for weights in Path(os.path.expanduser(path)).glob("*.safetensors")):
            yield f"{label} ({path}) was written anew after it was measured."
