"""`train.json`: how far the training of a run has come, with which settings, and what came of it."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from lidr_plugin import files
from lidr_plugin.errors import InputError
from lidr_plugin.machine.inputs import is_there, read_record
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training.shift import Shift


class TrainResult(BaseModel, frozen=True, extra="allow"):
    """LLaMA-Factory's `all_results.json`, all keys of it kept: mean loss and seconds; and the last loss that it logged."""

    train_loss: float | None = None
    train_runtime: float = Field(default=0.0, allow_inf_nan=False)
    last_loss: float | None = None


class MergeProof(BaseModel, frozen=True):
    """What `inside/merge.py` measured on the model that it saved, by the log-probabilities after the tokens of some rows.

    Attributes:
        modules: how many modules have an adapter; in full training how many tensors the model has.
        zero: those whose adapter is zero.
        unchanged: those that are as in the base.
        shift: root mean square difference between the base and the trained model.
        error: the same between the trained and the saved model.
        lost: `error` over `shift`: the share of the update that saving lost.
        weights_changed: share of a module's weights that merging changed, on average.
        update_kept: projection of a module's change on its update, on average; 1 where rounding lost nothing.
        broken: why this must not become the next round's model; empty if it may.
    """

    modules: int
    zero: list[str]
    unchanged: list[str]
    shift: float
    error: float
    lost: float
    kl_base_to_trained: float
    kl_saved_to_trained: float
    weights_changed: float | None = None
    update_kept: float | None = None
    broken: str = ""


class TrainingState(BaseModel, frozen=True):
    """The content of `train.json`; `training` is all that decides what is learnt, mostly under LLaMA-Factory's names, and `shift`
    how far the model had moved where that was watched."""

    status: Literal["begun", "trained", "done"]
    training: dict[str, Any]
    result: TrainResult | None = None
    shift: Shift | None = None
    merge: MergeProof | None = None


def read_state(run: RunDirectory) -> TrainingState | None:
    """The state of a run's training; None if none was begun.

    Raises:
        InputError: the file is damaged.
    """
    remedy = "put it back from a copy, or begin anew: lidr train --restart (removes checkpoint/ and model/)"
    return read_record(TrainingState, run.train_json, remedy) if is_there(run.train_json) else None


def write_state(run: RunDirectory, state: TrainingState) -> None:
    """Replaces `train.json`."""
    files.write_json(run.train_json, state.model_dump(exclude_none=True))


def check_own(run: RunDirectory, *, restart: bool) -> None:
    """Makes sure that what a training removes or writes to is lidr's: `checkpoint/` is, from the moment at which `train.json` has
    a training, and `model/` is, once that has its proof.

    Args:
        restart: what a damaged `train.json` tells of is lidr's too.

    Raises:
        InputError: something else is there, a training that somebody ran by hand, or a link; or `train.json` is damaged.
    """
    try:
        state = read_state(run)
    except InputError:
        if not restart:
            raise
        own = {run.checkpoint: True, run.model: True}
    else:
        own = {run.checkpoint: _is_noted(run, state), run.model: state is not None and state.merge is not None}
    for path, is_own in own.items():
        if path.is_symlink():
            raise InputError(
                f"{path}: a link, behind which lidr removes nothing", "put a folder there, or link output_dir"
            )
        if not is_own and (path.is_file() or (path.is_dir() and any(path.iterdir()))):
            hint = "move it away, or set another output_dir; lidr removes only what it made"
            raise InputError(f"{path}: lidr did not make what is there", hint)


def _is_noted(run: RunDirectory, state: TrainingState | None) -> bool:
    """Whether the results in `checkpoint/` are those of the training that was noted."""
    results = run.checkpoint / "all_results.json"
    if state is None or state.result is None or not is_there(results):
        return state is not None
    found = read_record(TrainResult, results, "move checkpoint/ away")
    return (found.train_loss, found.train_runtime) == (state.result.train_loss, state.result.train_runtime)
