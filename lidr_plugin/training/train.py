"""From a dataset to the next round's model: the whole of `lidr train`, as one call."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lidr_plugin import files
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.views import rows_of, stage_on_disk, without
from lidr_plugin.errors import InputError, RunError
from lidr_plugin.machine.hub import is_path
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training.checks import Verdict
from lidr_plugin.training.environment import Script, check_job, interpreter, merge_job
from lidr_plugin.training.llamafactory_cli import fit, sweep_checkpoints
from lidr_plugin.training.memory import shape_of
from lidr_plugin.training.plan import architecture, disk_needed
from lidr_plugin.training.processes import Launch
from lidr_plugin.training.recipe import Settings, launch_of, render, train_settings

_FREE = frozenset(
    "per_device_train_batch_size gradient_accumulation_steps use_cpu preprocessing_num_workers logging_steps save_steps "
    "save_total_limit plot_loss report_to overwrite_cache ddp_timeout dataloader_num_workers".split()
)
"""Settings that may change while a training is under way: they do not change what is learnt."""
_WORTH_SAYING = 0.25
"""Share of an update that merging may lose before the user is told what keeps it."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training came to: `train.json`, and whether it had been done before."""

    run: RunDirectory
    state: dict[str, Any]
    repeated: bool


def train(config: Config, *, restart: bool, say: Callable[[str], None]) -> Trained:
    """Trains on the run's dataset, merges and verifies; goes on where an earlier call was interrupted.

    Raises:
        InputError: something is wrong with the configuration, the dataset or the template.
        RunError: the training or the merge failed.
    """
    run = RunDirectory(Path(config.output_dir).expanduser())
    python, launch = interpreter(config), launch_of(config)
    settings = train_settings(config, run, launch, dataset=config.dataset_name, stage=stage_on_disk(config, run))
    _check(config, run, python, launch, settings, say)
    if launch.rank:
        return _follow(config, run, python, launch, settings)
    with run.at_work("the same command goes on from the last checkpoint"):
        files.sweep(run.path)
        files.sweep(run.data)
        return _Training(config, run, python, launch, say).go(settings, restart=restart)


def rehearse(config: Config, say: Callable[[str], None]) -> str:
    """Checks all that a training would meet, writes nothing, and returns the recipe.

    Raises:
        InputError: as the training itself would.
    """
    run = RunDirectory(Path(config.output_dir).expanduser())
    python, launch = interpreter(config), launch_of(config)
    settings = train_settings(config, run, launch, dataset=config.dataset_name, stage=stage_on_disk(config, run))
    _check(config, run, python, launch, settings, say)
    verdict = Verdict(Script(python, "check", check_job(config, run, settings, []), launch.env).result(), settings)
    if verdict.problem and not config.train.allow_template_mismatch:
        raise verdict.problem
    for line in verdict.lines(dropped=config.train.drop_over_cutoff):
        say(line)
    pairs = sum(1 for _ in rows_of(run, config.dataset_name))
    return render(settings, config, launch, pairs=pairs, path=run.train_yaml)


def _follow(config: Config, run: RunDirectory, python: Path, launch: Launch, settings: Settings) -> Trained:
    """A further node: it trains with the first, which checks, resumes, merges and keeps what comes of it."""
    paths = run.of_node(launch.rank)
    files.write_text(paths[0], render(settings, config, launch, pairs=0, path=paths[0]))
    fit(run, paths, python, _environment(launch, settings), lambda: None)
    return Trained(run, {}, repeated=False)


def _environment(launch: Launch, settings: Settings) -> dict[str, str]:
    forced = {"FORCE_TORCHRUN": "1"} if "deepspeed" in settings and not launch.ray else {}
    return {**forced, **launch.env}


def _check(
    config: Config,
    run: RunDirectory,
    python: Path,
    launch: Launch,
    settings: Settings,
    say: Callable[[str], None],
) -> None:
    data = run.dataset(config.dataset_name)
    if not data.exists():
        raise InputError(f"{data}: no such file", "`lidr build-pairs` makes the dataset first")
    if not data.stat().st_size:
        raise InputError(f"{data}: no pairs", f"{run.rejected} has every candidate with its reason")
    cli = python.parent / "llamafactory-cli"
    if (launch.torchrun or "deepspeed" in settings) and " " in str(python.parent):
        raise InputError(
            f"{cli}: several processes do not work from a path with spaces: LLaMA-Factory splits torchrun's command there",
            "set LIDR_HOME to a path without spaces and make the environment anew: lidr env create train",
        )
    try:
        model, _ = architecture(config.model_name_or_path, config.model_revision)
    except InputError as error:
        if is_path(config.model_name_or_path):
            raise
        # LLaMA-Factory may know another place to load it from, as ModelScope.
        say(f"warning: whether it is quantised and fits on the disk is not known: {error.message}")
        return
    if how := quantised(model):
        raise InputError(
            f"model_name_or_path: {config.model_name_or_path} is quantised ({how}); no adapter can be merged into it",
            "name the unquantised model; train.method=qlora quantises it while it trains",
        )
    _check_disk(run, model, settings)


def quantised(config: Mapping[str, Any]) -> str:
    """The quantisation method that a model's `config.json` names; empty if there is none."""
    found = config.get("quantization_config") or {}
    return str(found.get("quant_method", ""))


def _check_disk(run: RunDirectory, model: Mapping[str, Any], settings: Settings) -> None:
    try:
        needed = disk_needed(shape_of(model, ""), settings)
    except InputError:  # a shape whose size lidr cannot tell
        return
    if run.free_bytes() < needed:
        raise RunError(
            f"output_dir: {run.path}: {run.free_bytes() >> 20:,} MB free, and this training needs about {needed >> 20:,} MB",
            "free some space, set another output_dir, or keep fewer checkpoints: train.save_total_limit=1",
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Training:
    """One call's way through the stages of a run's training."""

    def __init__(
        self, config: Config, run: RunDirectory, python: Path, launch: Launch, say: Callable[[str], None]
    ) -> None:
        self.config = config
        self.run = run
        self.python = python
        self.launch = launch
        self.say = say
        self.state: dict[str, Any] = {}

    def go(self, settings: Settings, *, restart: bool) -> Trained:
        if restart:
            for path in (self.run.checkpoint, self.run.model):
                shutil.rmtree(path, ignore_errors=True)
            self.run.train_json.unlink(missing_ok=True)
        check = Script(self.python, "check", check_job(self.config, self.run, settings, []), self.launch.env)
        try:
            if self.config.train.drop_over_cutoff:
                self._judge(check, settings)
            self._take_up(settings)
            self._write_recipe(settings)
            if self.state["status"] == "done" and self.run.model.exists():
                return Trained(self.run, self.state, repeated=True)
            if self.state["status"] == "begun":
                self._fit(settings, check)
        finally:
            check.end()
        self._merge(settings)
        return Trained(self.run, self.state, repeated=False)

    def _judge(self, check: Script, settings: Settings) -> None:
        verdict = Verdict(check.result(), settings)
        if verdict.problem and not self.config.train.allow_template_mismatch:
            raise verdict.problem
        for line in verdict.lines(dropped=self.config.train.drop_over_cutoff):
            self.say(line)
        if verdict.over and self.config.train.drop_over_cutoff:
            settings["dataset"] = without(self.config, self.run, settings["dataset"], verdict.over)

    def _write_recipe(self, settings: Settings) -> None:
        pairs = sum(1 for _ in rows_of(self.run, settings["dataset"]))
        if not pairs:
            raise InputError(f"{self.run.dataset(settings['dataset'])}: no rows to train on")
        text = render(settings, self.config, self.launch, pairs=pairs, path=self.run.train_yaml)
        files.write_text(self.run.train_yaml, text)
        batch = settings["per_device_train_batch_size"], settings["gradient_accumulation_steps"], self.launch.world
        self.say(
            f"{self.config.train.method}: {pairs:,} rows; {batch[0]} x {batch[1]} accumulated x {batch[2]} processes = "
            f"{batch[0] * batch[1] * batch[2]} a step; policy and reference: {settings['model_name_or_path']}"
        )

    def _take_up(self, settings: Settings) -> None:
        """The state of an earlier call, if it was the same training.

        Raises:
            InputError: it was another; with the keys that changed.
        """
        model = Path(settings["model_name_or_path"])
        weights = sum(path.stat().st_size for path in model.glob("*.safetensors")) if model.is_dir() else 0
        now = {
            **{key: value for key, value in sorted(settings.items()) if key not in _FREE},
            "merge_dtype": self.config.train.merge_dtype,
            "model_bytes": weights,
            "dataset_sha256": _sha256(self.run.dataset(settings["dataset"])),
        }
        batch = settings["per_device_train_batch_size"] * settings["gradient_accumulation_steps"] * self.launch.world
        now["global_batch_size"] = batch
        now = json.loads(json.dumps(now))
        if self.run.train_json.exists():
            self.state = json.loads(self.run.train_json.read_bytes())
        if self.state.get("status", "begun") != "begun" or sweep_checkpoints(self.run.checkpoint):
            before = self.state.get("training", now)
            changed = [
                f"{key}: was {before.get(key)!r}, is {now.get(key)!r}"
                for key in sorted({*before, *now})
                if before.get(key) != now.get(key)
            ]
            if changed:
                hint = "set the keys back, take another output_dir, or begin anew: lidr train --restart"
                raise InputError.of(changed, f"{self.run.train_json}, which has another training", hint)
        self.state = {"status": "begun", **self.state, "training": now}
        files.write_json(self.run.train_json, self.state)

    def _note(self, **found: Any) -> None:
        self.state = {**self.state, **found}
        files.write_json(self.run.train_json, self.state)

    def _fit(self, settings: Settings, check: Script) -> None:
        kept = sweep_checkpoints(self.run.checkpoint)
        if kept:
            self.say(f"going on from {kept}")
        pending = not self.config.train.drop_over_cutoff

        def watch() -> None:
            nonlocal pending
            if pending and check.poll():
                pending = False
                self._judge(check, settings)

        paths = self.run.train_yaml, self.run.train_log
        try:
            result = fit(self.run, paths, self.python, _environment(self.launch, settings), watch)
            if pending:
                self._judge(check, settings)
        except InputError:
            if kept is None:  # a refused training leaves nothing, however far it had come beside the check
                shutil.rmtree(self.run.checkpoint, ignore_errors=True)
            raise
        self._note(status="trained", result=result)

    def _merge(self, settings: Settings) -> None:
        self.say(f"merging into {self.run.model}" if settings["finetuning_type"] == "lora" else "verifying the result")
        script = Script(self.python, "merge", merge_job(self.config, self.run, settings), {})
        found = script.result()
        part = self.run.model.with_name(".model.unproved")
        if found["broken"]:
            shutil.rmtree(part, ignore_errors=True)
            raise RunError(f"the trained model did not pass: {found['broken']}", f"{self.run.train_log} has the course")
        shutil.rmtree(self.run.model, ignore_errors=True)
        os.replace(part, self.run.model)
        if found["lost"] > _WORTH_SAYING:
            self.say(
                f"warning: rounding to {self.config.train.merge_dtype} lost {found['lost']:.0%} of what training changed "
                "in the model's answers"
            )
            if settings["finetuning_type"] == "lora":
                self.say(
                    "  what keeps it: train.merge_dtype=float32 (twice the size; serve it with engine.args.dtype=float32), or "
                    "serving the base with the adapter (docs/training.md has the keys)"
                )
        self._note(status="done", merge=found)
