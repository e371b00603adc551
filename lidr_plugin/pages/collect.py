"""Reads what the stages of a run left in its files."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError

from lidr_plugin.errors import InputError
from lidr_plugin.pages import records
from lidr_plugin.run_directory import RunDirectory

T = TypeVar("T")
_NAMES = {"loss": "loss", "rewards/accuracies": "accuracy", "rewards/margins": "margin"}
"""LLaMA-Factory's names in `trainer_state.json`, and ours."""
_ANSWERS = 4
"""Prompts of each language whose answers are shown: enough for an impression, few enough to scroll past."""


class _Evaluation(NamedTuple):
    models: dict[str, records.Model]
    head_to_head: records.HeadToHead | None


def collect(top: RunDirectory) -> records.Page:
    """All that there is of a run, or of the rounds below it.

    Raises:
        InputError: nothing there is a run's, or a file of it is damaged.
    """
    numbers = sorted(int(path.name[4:]) for path in top.path.glob("iter*") if path.name[4:].isdecimal())
    runs = {number: top.round(number) for number in numbers} or {1: top}
    rounds = [_round(number, run) for number, run in runs.items()]
    measured = {number: found for number, run in runs.items() if (found := load(run.eval_results, _evaluation))}
    if not measured and not any(x.build or x.training for x in rounds):
        raise InputError(
            f"{top.path}: no run of lidr there", "name the output_dir of build-pairs, train, eval or iterate"
        )
    models = {label: model for found in measured.values() for label, model in found.models.items()}
    return records.Page(
        name=top.path.absolute().name,
        in_rounds=bool(numbers),
        total=_total([x.build for x in rounds if x.build]),
        rounds=rounds,
        models=models,
        head_to_head=[replace(x.head_to_head, round=number) for number, x in measured.items() if x.head_to_head],
        answers=list(_answers([runs[number] for number in measured], models)),
        notes=[
            f"Round {x.round}: {note}" if numbers else note
            for x in rounds
            for note in _notes(x, runs[x.round], measured.get(x.round))
        ],
    )


def load(path: Path, parse: Callable[[Any], T]) -> T | None:
    """What a JSON file says; None if it is not there.

    Raises:
        InputError: it is damaged; with the place.
    """
    try:
        return parse(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors()[0]
        what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except KeyError as error:
        what = f"{error} is missing"
    except (OSError, ValueError, TypeError, AttributeError) as error:
        what = str(error)
    raise InputError(f"{path}: cannot be read: {what}", "make it anew with the stage that writes it")


def _round(number: int, run: RunDirectory) -> records.Round:
    return records.Round(
        round=number,
        build=load(run.report_json, _build),
        signal=load(run.probe_json, lambda found: TypeAdapter(records.Signal).validate_python(found["signal"])),
        training=load(run.train_json, lambda found: _training(found, run)),
        manifest=_manifest(run),
    )


def _build(found: Any) -> records.Build | None:
    """None where the page alone wrote the file: a run that was evaluated and not built."""
    return TypeAdapter(records.Build).validate_python(found) if "prompts" in found else None


def _total(builds: Sequence[records.Build]) -> records.Build | None:
    if len(builds) < 2:
        return builds[0] if builds else None
    total = _sum([{name: getattr(x, name) for name in records.COUNTS[:-2]} for x in builds])
    rate = total["tokens"]["completion"] / total["seconds"] if total["seconds"] else 0.0
    return records.Build(**total, tokens_per_second=rate, model_name_or_path=builds[0].model_name_or_path)


def _sum(values: Sequence[Any]) -> Any:
    """Of numbers, or of dictionaries key by key."""
    if not isinstance(values[0], dict):
        return sum(values)
    return {key: _sum([x[key] for x in values if key in x]) for key in dict.fromkeys(key for x in values for key in x)}


def _training(state: Any, run: RunDirectory) -> records.Training:
    """The curves of a training under way come from its last checkpoint."""
    checkpoints = sorted(
        run.checkpoint.glob("checkpoint-*/trainer_state.json"), key=lambda x: -int(x.parent.name.rpartition("-")[2])
    )
    logs = (load(path, lambda x: x["log_history"]) for path in (run.checkpoint / "trainer_state.json", *checkpoints))
    log: list[dict[str, Any]] = next((found for found in logs if found is not None), [])
    settings, merge = state["training"], state.get("merge") or {}
    found = {
        **settings,
        "status": state["status"],
        "curve": list(_curve(log, "")),
        "held_out": list(_curve(log, "eval_")),
        "merge": {name: merge[name] for name in ("weights_changed", "lost") if name in merge},
    }
    return TypeAdapter(records.Training).validate_python(found)


def _curve(log: list[dict[str, Any]], prefix: str) -> Iterator[dict[str, Any]]:
    seen = set()
    for line in log:
        if f"{prefix}loss" in line and line["step"] not in seen:
            seen.add(line["step"])
            yield {"step": line["step"], **{name: line.get(prefix + key) for key, name in _NAMES.items()}}


def _evaluation(found: Any) -> _Evaluation:
    models = {
        label: {
            "path": found["models"].get(label),
            "weights": found["weights"].get(label),
            "marks": {bench: marks for bench, marks in results.items() if bench != "lm_eval"},
            "tasks": {
                task: {name: (x["value"], x["stderr"]) for name, x in metrics.items()}
                for task, metrics in results.get("lm_eval", {}).items()
            },
        }
        for label, results in found["results"].items()
    }
    versus = TypeAdapter(records.HeadToHead | None).validate_python(found.get("head_to_head"))
    return _Evaluation(TypeAdapter(dict[str, records.Model]).validate_python(models), versus)


def _answers(runs: Sequence[RunDirectory], models: Mapping[str, records.Model]) -> Iterator[records.Answers]:
    """The same prompts' answers by all models, evenly spread over the prompts."""
    outputs: dict[str, dict[str, dict[str, str]]] = {}
    for run in runs:
        for path in sorted(run.eval_results.parent.glob("*.alpaca_eval.*.json")):
            label, _, language = path.name.removesuffix(".json").partition(".alpaca_eval.")
            if label in models and language in models[label].marks.get("prompts", {}):
                for prompt, output in load(path, lambda x: [(row["instruction"], row["output"]) for row in x]) or ():
                    outputs.setdefault(language, {}).setdefault(prompt, {})[label] = output
    for language in dict.fromkeys(code for model in models.values() for code in model.marks.get("prompts", {})):
        prompts = list(outputs.get(language, {}).items())
        count = min(_ANSWERS, len(prompts))
        for prompt, answers in [prompts[number * len(prompts) // count] for number in range(count)]:
            yield records.Answers(language, prompt, {label: answers[label] for label in models if label in answers})


def _manifest(run: RunDirectory) -> dict[str, object]:
    config: dict[str, object] = load(run.config, dict) or {}
    training: dict[str, object] = load(run.train_json, lambda found: dict(found["training"])) or {}
    card = run.checkpoint / "README.md"
    text = card.read_text(errors="replace") if card.exists() else ""
    return {
        "model": config.pop("model_name_or_path", None),
        "lidr": config.pop("lidr", None),
        **{
            f"{name} version": version
            for name, version in re.findall(r"^- ([A-Z]\w+) (\d[\w.+]*)$", text, re.MULTILINE)
        },
        "dataset_sha256": training.pop("dataset_sha256", None),
        "configuration": config,
        "training": training,
    }


def _notes(found: records.Round, run: RunDirectory, evaluation: _Evaluation | None) -> Iterator[str]:
    """Where a stage was repeated with other settings, and what came after it was not."""
    if found.training:
        rows = run.dataset(found.training.dataset)
        if rows.exists() and _sha256(rows) != found.manifest["dataset_sha256"]:
            yield "The rows were made anew after the training: its curves and its model belong to the rows before."
    if not evaluation:
        return
    paths = {label: model.path for label, model in evaluation.models.items() if model.path}
    if found.build and found.build.model_name_or_path not in paths.values():
        listed = ", ".join(f"{label} ({path})" for label, path in paths.items())
        yield f"The rows are {found.build.model_name_or_path}'s, which was not measured; the results are of {listed}."
    at = run.eval_results.stat().st_mtime
    for label, path in paths.items():
        if any(weights.stat().st_mtime > at for weights in Path(path).expanduser().glob("*.safetensors")):
            yield f"{label} ({path}) was written anew after it was measured."


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
