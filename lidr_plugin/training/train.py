"""From a dataset to the next round's model: the whole of `lidr train`, as one call."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from lidr_plugin import files
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.kto import write_kto
from lidr_plugin.dataset.views import rows_of, stage_on_disk, without
from lidr_plugin.errors import InputError, RunError
from lidr_plugin.errors.redaction import is_secret_name
from lidr_plugin.machine.hub import is_path
from lidr_plugin.machine.inputs import made_by, opened, read_record
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training import shift
from lidr_plugin.training.checks import Parity, check_template, merge, unproved
from lidr_plugin.training.datasets import check_others, digests_of_others, joined, names_in, own_name
from lidr_plugin.training.llamafactory_cli import interpreter, run_training, sweep_checkpoints
from lidr_plugin.training.memory import shape_of
from lidr_plugin.training.plan import architecture, disk_needed
from lidr_plugin.training.processes import NEVER_PLACED, Launch, launch_of
from lidr_plugin.training.recipe import Settings, render, train_settings
from lidr_plugin.training.state import MergeProof, TrainingState, TrainResult, check_own, read_state, write_state

_FREE = frozenset(
    "per_device_train_batch_size gradient_accumulation_steps use_cpu preprocessing_num_workers logging_steps save_steps "
    "save_total_limit plot_loss report_to overwrite_cache ddp_timeout dataloader_num_workers".split()
)
"""Settings that may change while a training is under way: they do not change what is learnt."""
_WORTH_SAYING = 0.25
"""Share of an update that saving may lose before the user is told what keeps it: below it, twice the disk buys little."""

Say = Callable[[str], None]


class Trained(NamedTuple):
    """What a training came to: `state` as in `train.json`, None on a further node; and whether it had been done before."""

    run: RunDirectory
    state: TrainingState | None
    repeated: bool


@dataclass(frozen=True, slots=True)
class _Training:
    """A training as this machine would run it."""

    config: Config
    run: RunDirectory
    python: Path
    launch: Launch
    settings: Settings

    @property
    def own(self) -> str:
        """The name of the run's own rows."""
        return own_name(self.settings, self.config.alpaca_name)

    def env(self) -> Mapping[str, str]:
        """What it adds to the environment."""
        watched = shift.environment_of(self.config, self.run, self.launch, self.settings, self.own)
        return {**self.launch.environment(self.settings), **watched}

    def recipe(self, path: Path) -> str:
        rows = sum(1 for _ in rows_of(self.run, self.own))
        return render(self.settings, self.config, self.launch, rows=rows, path=path)


def train(config: Config, *, restart: bool, say: Say) -> Trained:
    """Trains on the run's dataset, merges and verifies; goes on where an earlier call was interrupted.

    Raises:
        InputError: something is wrong with the configuration, the dataset or the template.
        RunError: the training or the merge failed.
    """
    training = _prepared(config, say)
    run = training.run
    if training.launch.rank:
        return _follow(training)
    check_own(run, restart=restart)
    with run.at_work("the same command goes on from the last checkpoint"):
        files.sweep(run.path)
        files.sweep(run.data)
        if restart:
            for path in (run.checkpoint, run.model):
                shutil.rmtree(path, ignore_errors=True)
            run.train_json.unlink(missing_ok=True)
        if training.settings["stage"] == "kto":
            write_kto(config, run)
        state = _begun(training, read_state(run), say)
        if state.status == "done" and os.path.exists(run.model):
            return Trained(run, state, repeated=True)
        if state.status == "begun":
            fitting = _fitting(training, _check(training, say))
            write_state(run, state)
            files.write_text(run.train_yaml, fitting.recipe(run.train_yaml))
            result = _run_llamafactory(fitting, say)
            state = _noted(run, state, status="trained", result=result, shift=_moved(fitting, say))
        state = _noted(run, state, merge=_merged(training, say))
        shutil.rmtree(run.model, ignore_errors=True)
        os.replace(unproved(run), run.model)
        return Trained(run, _noted(run, state, status="done"), repeated=False)


def dry_run(config: Config, say: Say) -> str:
    """Checks all that a training would meet, writes nothing, and returns the recipe.

    Raises:
        InputError: as the training itself would.
    """
    training = _prepared(config, say)
    check_own(training.run, restart=False)
    _check(training, say)
    return training.recipe(training.run.train_yaml)


def _follow(training: _Training) -> Trained:
    """A further node: it trains with the first, which checks, resumes, merges and keeps what comes of it."""
    run, launch = training.run, training.launch
    recipe, log = run.of_node(launch.rank)
    files.write_text(recipe, training.recipe(recipe))
    run_training(run, recipe, log, python=training.python, env=training.env(), script=shift.script_of(training.config))
    return Trained(run, None, repeated=False)


def _prepared(config: Config, say: Say) -> _Training:
    """The training, once all is checked that can be without starting anything."""
    run = RunDirectory.of(config.output_dir, config.store)
    python, launch = interpreter(config), launch_of(config)
    settings = train_settings(config, run, launch, stage=stage_on_disk(config, run))
    data = run.dataset(config.alpaca_name)
    with opened(data, "`lidr build-pairs` makes the dataset first") as file:
        if not file.read(1):
            raise InputError(f"{data}: no rows", f"{run.rejected} has every candidate with its reason")
    shift.check(config, launch, settings)
    check_others(settings, own_name(settings, config.alpaca_name))
    if launch.torchrun(settings) and " " in str(python.parent):
        raise InputError(
            f"{python.parent}: torchrun does not work from a path with spaces: LLaMA-Factory splits torchrun's command there",
            "set LIDR_HOME to a path without spaces and make the environment anew: lidr env create train",
        )
    _check_model(config, run, settings, say)
    return _Training(config, run, python, launch, settings)


def _check_model(config: Config, run: RunDirectory, settings: Settings, say: Say) -> None:
    name = config.model_name_or_path
    try:
        model = architecture(name, config.model_revision)
    except InputError as error:
        if is_path(name):
            raise
        # LLaMA-Factory may know another place to load it from, as ModelScope.
        say(f"warning: whether it is quantised and fits on the disk is not known: {error.message}")
        return
    if how := quantised(model):
        raise InputError(
            f"model_name_or_path: {name} is quantised ({how}); no adapter can be merged into it",
            "name the unquantised model; train.method=qlora quantises it while it trains",
        )
    with contextlib.suppress(InputError):  # a shape whose size lidr cannot tell
        if (free := run.free_bytes()) < (needed := disk_needed(shape_of(model, name), settings)):
            raise RunError(
                f"output_dir: {run.path}: {free >> 20:,} MB free, and this training needs about {needed >> 20:,} MB",
                "free some space, set another output_dir, or keep fewer checkpoints: train.save_total_limit=1",
            )


def quantised(config: Mapping[str, Any]) -> str:
    """The quantisation method that a model's `config.json` names; empty if there is none."""
    how = config.get("quantization_config")
    return str(how.get("quant_method", "")) if isinstance(how, Mapping) else ""


def _check(training: _Training, say: Say) -> Parity:
    """The check in the train environment, and what the user should know of it."""
    wanted = training.config.train
    parity = check_template({**training.settings, "dataset": training.own}, training.python, training.launch.env)
    if parity.problem and not wanted.allow_template_mismatch:
        raise parity.problem
    say(f"template: {'mismatch accepted' if parity.mismatch else parity.agreement}")
    if parity.lengths:
        say(parity.lengths.words(dropped=wanted.drop_over_cutoff))
    return parity


def _fitting(training: _Training, parity: Parity) -> _Training:
    """The training on the rows that it is to have: all, or those that fit into `cutoff_len`."""
    name, lengths = training.own, parity.lengths
    if not (lengths and lengths.over and training.config.train.drop_over_cutoff):
        return training
    if len(lengths.over) == lengths.rows:
        raise InputError(f"{training.run.dataset(name)}: no row fits into cutoff_len", "set a larger train.cutoff_len")
    fitting = without(training.config, training.run, name, lengths.over)
    names = [fitting if each == name else each for each in names_in(training.settings)]
    config = training.config.model_copy(update={"dataset_name": fitting, "dataset_format": "alpaca"})
    return replace(training, config=config, settings={**training.settings, "dataset": joined(names)})


def _identity(training: _Training) -> dict[str, Any]:
    """All that decides what is learnt, as JSON keeps it: a training that is taken up again must have the same."""
    settings, model = training.settings, Path(training.settings["model_name_or_path"])
    with opened(training.run.dataset(training.own)) as file:
        dataset = hashlib.file_digest(file, "sha256").hexdigest()
    wanted = training.config.train
    deciding = {
        **{key: value for key, value in sorted(settings.items()) if key not in _FREE},
        "merge_dtype": wanted.merge_dtype,
        # Version 0.1 had no such keys.
        **({"drop_over_cutoff": True} if wanted.drop_over_cutoff else {}),
        **({"stop_at_shift": wanted.stop_at_shift} if wanted.stop_at_shift else {}),
        # Of weights no more than their size: it tells most models apart, and to read them takes minutes.
        "model_bytes": sum(path.stat().st_size for path in model.glob("*.safetensors")) if os.path.isdir(model) else 0,
        "dataset_sha256": dataset,
        **({"other_datasets": others} if (others := digests_of_others(settings, training.own)) else {}),
        "global_batch_size": training.launch.rows_a_step(settings),
    }
    found: dict[str, Any] = json.loads(json.dumps(deciding))
    return found


def _begun(training: _Training, earlier: TrainingState | None, say: Say) -> TrainingState:
    """The state from which to go on: that of an earlier call, if it left anything; it must have been the same training."""
    run, now = training.run, _identity(training)
    ended = earlier is not None and earlier.status != "begun"
    kept = None if ended else sweep_checkpoints(run.checkpoint)
    if earlier and (ended or kept):
        before = earlier.training
        changed = [
            f"{key}: was {before.get(key)!r}, is {now.get(key)!r}"
            for key in sorted({*before, *now})
            # A token that version 0.1 wrote down has no part in what is learnt.
            if before.get(key) != now.get(key) and not is_secret_name(key)
        ]
        if changed:
            hint = "set the keys back, take another output_dir, or begin anew: lidr train --restart"
            raise InputError.of(changed, f"{run.train_json}, which has another training", hint)
    if kept:
        say(f"going on from {kept}")
    return earlier if earlier and ended else TrainingState(status="begun", training=now)


def _noted(run: RunDirectory, state: TrainingState, **found: Any) -> TrainingState:
    """The state with what was found, on the disk too."""
    state = state.model_copy(update=found)
    write_state(run, state)
    return state


def _run_llamafactory(training: _Training, say: Say) -> TrainResult:
    run, launch, settings = training.run, training.launch, training.settings
    each = f"{settings['per_device_train_batch_size']} x {settings['gradient_accumulation_steps']} accumulated"
    say(
        f"{training.config.train.method}: {each} x {launch.world} processes = {launch.rows_a_step(settings)} rows a step; "
        f"{'policy and reference' if settings['stage'] == 'dpo' else 'model'}: {settings['model_name_or_path']}"
    )
    if launch.ray and not launch.gpus:
        say(NEVER_PLACED)
    env = training.env()
    script = shift.script_of(training.config)
    loss = run_training(run, run.train_yaml, run.train_log, python=training.python, env=env, script=script)
    with made_by("LLaMA-Factory"):
        measured = read_record(TrainResult, run.checkpoint / "all_results.json", f"{run.train_log} may say more")
    return measured.model_copy(update={"last_loss": loss})


def _moved(training: _Training, say: Say) -> shift.Shift | None:
    """How far the model moved, if that was watched."""
    target, found = training.config.train.stop_at_shift, shift.last_shift(training.run)
    if target and found:
        say(shift.words_of(found, target))
    return found


def _merged(training: _Training, say: Say) -> MergeProof:
    """Makes the model, and proves that it is what was trained."""
    run, dtype = training.run, training.config.train.merge_dtype
    adapter = training.settings["finetuning_type"] == "lora"
    say(f"merging into {run.model}" if adapter else "verifying the result")
    proof = merge({**training.settings, "dataset": training.own}, run, training.python, dtype=dtype)
    if proof.broken:
        shutil.rmtree(unproved(run), ignore_errors=True)
        raise RunError(f"the trained model did not pass: {proof.broken}", f"{run.train_log} has the course")
    if proof.lost > _WORTH_SAYING:
        say(f"warning: rounding to {dtype} lost {proof.lost:.0%} of what training changed in the model's answers")
        also = ", or serving the base with the adapter" if adapter else ""
        say(f"  what keeps it: train.merge_dtype=float32{also}; docs/training.md says how to serve that")
    return proof
