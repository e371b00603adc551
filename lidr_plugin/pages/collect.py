"""What the stages of a run left in its files, brought together."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lidr_plugin import __version__
from lidr_plugin.errors import InputError
from lidr_plugin.run_directory import RunDirectory

_SAMPLES = 4
"""Prompts of each language whose answers are shown side by side."""
_NAMES = {"loss": "loss", "rewards/accuracies": "accuracy", "rewards/margins": "margin"}
"""LLaMA-Factory's names in `trainer_state.json`, and ours."""


def collect(top: RunDirectory) -> dict[str, Any]:
    """The content of `overview.json`: rounds, models by label, comparisons, samples, manifest.

    Raises:
        InputError: nothing there is a run's, or a file of it is broken.
    """
    numbered = sorted(int(path.name[4:]) for path in top.path.glob("iter*") if path.name[4:].isdigit())
    runs = [(number, top.round(number)) for number in numbered] or [(1, top)]
    rounds = [_round(number, run) for number, run in runs]
    evaluations = [(number, run, found) for number, run in runs if (found := _read(run.eval_results))]
    if not evaluations and not any(found["build"] or found["training"] for found in rounds):
        raise InputError(
            f"{top.path}: no run of lidr there", "name the output_dir of build-pairs, train, eval or iterate"
        )
    models: dict[str, Any] = {}
    for _, _, found in evaluations:
        for label, results in found["results"].items():
            identity = {"path": found["models"].get(label), "weights": found["weights"].get(label)}
            models[label] = {**identity, **results}
    return {
        "run": top.path.absolute().name,
        "lidr": __version__,
        "rounds": rounds,
        "models": models,
        "head_to_head": [
            {"round": number, **found["head_to_head"]} for number, _, found in evaluations if found.get("head_to_head")
        ],
        "samples": _samples([run for _, run, _ in evaluations], list(models)),
        "manifest": _manifest(runs),
    }


def _read(path: Path) -> Any:
    """A JSON file's content; None if it is not there."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}", "make it anew with the stage that writes it") from None


def _round(number: int, run: RunDirectory) -> dict[str, Any]:
    probe = _read(run.probe_json)
    return {
        "round": number,
        "build": _read(run.report_json),
        "signal": probe and probe["signal"],
        "training": _training(run),
    }


def _training(run: RunDirectory) -> dict[str, Any] | None:
    """State, result and curves; those of a training under way come from its last checkpoint."""
    state = _read(run.train_json)
    if state is None:
        return None
    logs = [run.checkpoint / "trainer_state.json", *_newest_first(run.checkpoint)]
    log: list[dict[str, Any]] = next((found["log_history"] for path in logs if (found := _read(path))), [])
    settings = state["training"]
    merge = state.get("merge") or {}
    return {
        "status": state["status"],
        "stage": settings["stage"],
        "finetuning_type": settings["finetuning_type"],
        "curve": list(_curve(log, "")),
        "held_out": list(_curve(log, "eval_")),
        "merge": {name: merge[name] for name in ("weights_changed", "lost") if name in merge},
    }


def _newest_first(checkpoint: Path) -> list[Path]:
    return sorted(
        checkpoint.glob("checkpoint-*/trainer_state.json"), key=lambda path: -int(path.parent.name.rpartition("-")[2])
    )


def _curve(log: list[dict[str, Any]], prefix: str) -> Iterator[dict[str, float]]:
    seen = set()
    for line in log:
        if f"{prefix}loss" in line and line["step"] not in seen:
            seen.add(line["step"])
            values = {name: line[prefix + key] for key, name in _NAMES.items() if prefix + key in line}
            yield {"step": line["step"], **values}


def _samples(runs: list[RunDirectory], labels: list[str]) -> list[dict[str, Any]]:
    """The same prompts' answers by all models, evenly spread over the prompts."""
    outputs: dict[str, dict[str, dict[str, str]]] = {}
    for run in runs:
        for path in sorted(run.eval_results.parent.glob("*.alpaca_eval.*.json")):
            label, _, language = path.name.removesuffix(".json").partition(".alpaca_eval.")
            if label in labels:
                for row in _read(path):
                    outputs.setdefault(language, {}).setdefault(row["instruction"], {})[label] = row["output"]
    return [
        {"language": language, "instruction": instruction, "answers": {x: answers[x] for x in labels if x in answers}}
        for language, prompts in outputs.items()
        for instruction, answers in _spread(list(prompts.items()))
    ]


def _spread(items: list[Any]) -> list[Any]:
    count = min(_SAMPLES, len(items))
    return [items[number * len(items) // count] for number in range(count)]


def _manifest(runs: list[tuple[int, RunDirectory]]) -> dict[str, Any]:
    """By round what the results depend on: settings, hashes, versions of the packages that trained."""
    manifest = {}
    for number, run in runs:
        config, state, card = _read(run.config) or {}, _read(run.train_json) or {}, run.checkpoint / "README.md"
        versions = re.findall(r"^- ([A-Z]\w+) (\d[\w.+]*)$", card.read_text() if card.exists() else "", re.MULTILINE)
        settings = dict(state.get("training", {}))
        manifest[f"round {number}"] = {
            "model": config.get("model_name_or_path"),
            "lidr": config.get("lidr"),
            **{f"{name} version": version for name, version in versions},
            "dataset_sha256": settings.pop("dataset_sha256", None),
            "configuration": {key: value for key, value in config.items() if key not in ("lidr", "model_name_or_path")},
            "training": settings,
        }
    return manifest
