"""How far a training may move the model: what is watched, and what came of it (`train.stop_at_shift`)."""

import json
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.rows import RowJson
from lidr_plugin.dataset.views import rows_of
from lidr_plugin.errors import InputError
from lidr_plugin.machine.inputs import is_there, made_by, read, record_of
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training import inside
from lidr_plugin.training.processes import Launch

PROBES = 4
PROBE_TOKENS = 64
"""Rows, and tokens of each, on which models are compared: enough to tell them apart, and quick on a CPU."""
_SCRIPT = Path(inside.__file__).with_name("watched.py")
_LONGEST = 2000
"""Characters of a row that go to the script, of which it takes the first tokens: an environment's variable has an end."""


class Shift(BaseModel, frozen=True):
    """How far the log-probabilities had moved after a step, and whether the training ended there."""

    step: int
    shift: float
    stopped: bool


def text_of(row: RowJson) -> str:
    """The text of a row on which models are compared: the prompt, and what is to be learnt."""
    return f"{row['instruction']}\n{row['chosen'] if 'chosen' in row else row['output']}"


def script_of(config: Config) -> Path | None:
    """What is started in place of `llamafactory-cli`; None: that itself."""
    return _SCRIPT if config.train.stop_at_shift else None


def check(config: Config, launch: Launch, settings: Mapping[str, Any]) -> None:
    """Raises `InputError` where a training cannot be watched."""
    if not config.train.stop_at_shift:
        return
    if launch.ray:
        raise InputError(
            "train.stop_at_shift: not with Ray, whose workers lidr does not start", "leave one of them out"
        )
    if launch.torchrun(settings) and " " in str(_SCRIPT):
        raise InputError(
            f"train.stop_at_shift: {_SCRIPT}: torchrun does not work from a path with spaces",
            "install lidr in a path without spaces",
        )


def environment_of(
    config: Config, run: RunDirectory, launch: Launch, settings: Mapping[str, Any], own: str
) -> dict[str, str]:
    """What the script reads; nothing where a training is not watched.

    The rows are held out ones where `train.eval_dataset` names some of the run's, else those of the proof of the merge.

    Raises:
        InputError: a dataset cannot be read.
    """
    if not config.train.stop_at_shift:
        return {}
    held_out = str(settings.get("eval_dataset") or "").partition(",")[0].strip()
    name = held_out if held_out and is_there(run.dataset(held_out)) else own
    job = {
        "target": config.train.stop_at_shift,
        "texts": [text_of(row)[:_LONGEST] for row in islice(rows_of(run, name), PROBES)],
        "tokens": PROBE_TOKENS,
        "folder": settings["output_dir"],
        "torchrun": launch.torchrun(settings),
    }
    return {"LIDR_SHIFT_STOP": json.dumps(job, ensure_ascii=False)}


def last_shift(run: RunDirectory) -> Shift | None:
    """That of the last step; None if nothing was watched, or no step is done.

    Raises:
        RunError: the file is damaged.
    """
    path = run.checkpoint / "shift.jsonl"
    with made_by("the training"):
        lines = read(path).split(b"\n")[:-1] if is_there(path) else []
        if not lines:
            return None
        try:
            found = json.loads(lines[-1])
        except ValueError:
            found = None
        return record_of(Shift, found, f"{path}:{len(lines)}", "remove it")


def words_of(shift: Shift, target: float) -> str:
    """What became of a training that was watched."""
    moved = f"the log-probabilities moved by {shift.shift:.3g}"
    if shift.stopped:
        return f"stopped at step {shift.step}: {moved} (train.stop_at_shift: {target:g})"
    return f"not stopped: {moved} in {shift.step} steps, and may by {target:g} (train.stop_at_shift)"
